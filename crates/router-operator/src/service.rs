//! The router as a service that the system starts: systemd, launchd, Windows, `OpenRC`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use service_manager::{
    RestartPolicy, ServiceInstallCtx, ServiceLabel, ServiceLevel, ServiceManager,
    ServiceManagerKind, ServiceStartCtx, ServiceStatus, ServiceStatusCtx, ServiceStopCtx,
    ServiceUninstallCtx,
};

use crate::instance::create_private_folder;

pub mod systemd;

/// Seconds before a router that failed is started again.
const RESTART_DELAY_S: u32 = 2;
/// Variables that a service needs as much as a terminal: the way out, and whom to trust.
pub const CARRIED: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// For whom the service runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Level {
    /// For the user who installs it.
    #[default]
    User,
    /// For the machine.
    System,
}

/// What is to be installed.
#[derive(Clone, Debug)]
pub struct Definition {
    /// For whom.
    pub level: Level,
    /// The router's program.
    pub program: PathBuf,
    /// Its arguments: `start` and what follows.
    pub arguments: Vec<String>,
    /// Variables it is to see, such as those of [`CARRIED`].
    pub environment: Vec<(String, String)>,
    /// The home directory of the user it runs as.
    pub home: PathBuf,
    /// The user it runs as, for a service of the machine.
    pub user: Option<String>,
    /// Folders it writes to besides its own.
    pub writes_to: Vec<PathBuf>,
}

impl Definition {
    /// The router's own folder in the home directory.
    fn own(&self) -> PathBuf {
        self.home.join(".llm-router")
    }

    /// Variables by file, as they may hold a proxy's password and a definition is public.
    fn environment_file(&self) -> PathBuf {
        self.own().join("service.env")
    }
}

/// What the system says about the service.
#[derive(Clone, Debug)]
pub struct Status {
    /// `systemd`, `launchd`, `windows`, `openrc` and the like.
    pub manager: &'static str,
    /// What it is called there.
    pub service: String,
    /// Whether there is one.
    pub installed: bool,
    /// Whether it runs.
    pub running: bool,
    /// Its definition, if that is a file.
    pub file: Option<PathBuf>,
    /// What else the system says.
    pub detail: Option<String>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No known service manager runs here.
    #[error("this system has none of systemd, OpenRC, launchd, Windows services and rc.d: {0}")]
    NoManager(io::Error),
    /// The manager has no services for single users.
    #[error("{0} has no services for single users; install it for the machine with --system")]
    NoUserLevel(&'static str),
    /// A value cannot be written into a definition.
    #[error("`{0}` holds a line break, which no service definition can")]
    LineBreak(String),
    /// There is nothing to do it with.
    #[error("the service is not installed")]
    NotInstalled,
    /// The manager, or writing for it, failed; everything is as it was.
    #[error("{what}: {error}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// What the manager says.
        error: io::Error,
    },
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> ServiceError {
    move |error| ServiceError::Failed { what, error }
}

/// The service manager of this machine.
struct Manager {
    kind: ServiceManagerKind,
    inner: Box<dyn ServiceManager>,
    level: Level,
}

impl Manager {
    fn native(level: Level) -> Result<Self, ServiceError> {
        let kind = ServiceManagerKind::native().map_err(ServiceError::NoManager)?;
        let mut inner = <dyn ServiceManager>::target(kind);
        let wanted = match level {
            Level::User => ServiceLevel::User,
            Level::System => ServiceLevel::System,
        };
        inner.set_level(wanted).map_err(|_| ServiceError::NoUserLevel(name(kind)))?;
        Ok(Self { kind, inner, level })
    }

    /// The names of the older program's services, so that this one takes their place.
    fn label(&self) -> ServiceLabel {
        let organization =
            matches!(self.kind, ServiceManagerKind::Launchd).then(|| "dev".to_owned());
        ServiceLabel { qualifier: None, organization, application: "llm-router".to_owned() }
    }

    fn service(&self) -> String {
        match self.kind {
            ServiceManagerKind::Systemd => "llm-router.service".to_owned(),
            _ => self.label().to_qualified_name(),
        }
    }

    /// Where the definition is, where it is a file.
    fn file(&self, home: &Path) -> Option<PathBuf> {
        match (self.kind, self.level) {
            (ServiceManagerKind::Systemd, Level::System) => {
                Some(service_manager::systemd_global_dir_path().join("llm-router.service"))
            }
            (ServiceManagerKind::Systemd, Level::User) => {
                let folder = service_manager::systemd_user_dir_path().ok()?;
                Some(folder.join("llm-router.service"))
            }
            (ServiceManagerKind::Launchd, Level::User) => {
                Some(home.join("Library/LaunchAgents/dev.llm-router.plist"))
            }
            (ServiceManagerKind::Launchd, Level::System) => {
                Some(PathBuf::from("/Library/LaunchDaemons/dev.llm-router.plist"))
            }
            (ServiceManagerKind::OpenRc, _) => Some(PathBuf::from("/etc/init.d/llm-router")),
            _ => None,
        }
    }

    fn stop(&self) -> io::Result<()> {
        self.inner.stop(ServiceStopCtx { label: self.label() })
    }

    fn start(&self) -> io::Result<()> {
        self.inner.start(ServiceStartCtx { label: self.label() })
    }

    fn status(&self, home: &Path) -> Status {
        let asked = self.inner.status(ServiceStatusCtx { label: self.label() });
        let file = self.file(home);
        let is_there = file.as_ref().map(|file| file.exists());
        let (known, running, detail) = match asked {
            Ok(ServiceStatus::Running) => (true, true, None),
            Ok(ServiceStatus::Stopped(why)) => (true, false, why),
            Ok(ServiceStatus::NotInstalled) => (false, false, None),
            Err(error) => (false, false, Some(error.to_string().trim().to_owned())),
        };
        Status {
            manager: name(self.kind),
            service: self.service(),
            installed: is_there.unwrap_or(known),
            running,
            file,
            detail,
        }
    }
}

const fn name(kind: ServiceManagerKind) -> &'static str {
    match kind {
        ServiceManagerKind::Launchd => "launchd",
        ServiceManagerKind::OpenRc => "openrc",
        ServiceManagerKind::Rcd => "rc.d",
        ServiceManagerKind::Sc => "windows",
        ServiceManagerKind::Systemd => "systemd",
        ServiceManagerKind::WinSw => "winsw",
    }
}

/// What is installed, and whether it runs.
pub fn status(level: Level, home: &Path) -> Result<Status, ServiceError> {
    Ok(Manager::native(level)?.status(home))
}

/// Installs the service and starts it. One that is there already is replaced and started anew, so
/// that what has changed holds; if that fails, everything is as it was.
pub fn install(definition: &Definition) -> Result<Status, ServiceError> {
    let values = definition.environment.iter().map(|(_, value)| value);
    let path = definition.program.to_string_lossy().into_owned();
    if let Some(bad) =
        values.chain(&definition.arguments).chain([&path]).find(|text| text.contains(['\n', '\r']))
    {
        return Err(ServiceError::LineBreak(bad.clone()));
    }
    let manager = Manager::native(definition.level)?;
    let kept = Kept::of(&manager, definition);
    match try_install(&manager, definition) {
        Ok(()) => Ok(manager.status(&definition.home)),
        Err(error) => {
            kept.put_back(&manager);
            Err(error)
        }
    }
}

fn try_install(manager: &Manager, definition: &Definition) -> Result<(), ServiceError> {
    write_environment(definition).map_err(failed("cannot write its environment"))?;
    let is_systemd = matches!(manager.kind, ServiceManagerKind::Systemd);
    let mut environment = definition.environment.clone();
    environment.push(("LLM_ROUTER_MANAGED_BY".to_owned(), name(manager.kind).to_owned()));
    let context = ServiceInstallCtx {
        label: manager.label(),
        program: definition.program.clone(),
        args: definition.arguments.iter().map(OsString::from).collect(),
        contents: is_systemd.then(|| systemd::unit(definition)),
        username: definition.user.clone(),
        working_directory: Some(definition.home.clone()),
        environment: Some(environment),
        autostart: true,
        restart_policy: RestartPolicy::OnFailure {
            delay_secs: Some(RESTART_DELAY_S),
            max_retries: None,
            reset_after_secs: None,
        },
    };
    let was_running = manager.status(&definition.home).running;
    manager.inner.install(context).map_err(failed("the service manager refuses it"))?;
    if was_running {
        manager.stop().map_err(failed("the running service does not stop"))?;
    }
    manager.start().map_err(failed("the service does not start"))
}

/// What was there before an installation.
struct Kept {
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
    was_running: bool,
}

impl Kept {
    fn of(manager: &Manager, definition: &Definition) -> Self {
        let files = manager.file(&definition.home).into_iter();
        let files = files.chain([definition.environment_file()]);
        let was_running = manager.status(&definition.home).running;
        Self { files: files.map(|path| (path.clone(), fs::read(path).ok())).collect(), was_running }
    }

    fn put_back(&self, manager: &Manager) {
        let was_there = self.files.first().is_some_and(|(_, text)| text.is_some());
        if !was_there {
            // Whatever the manager has made of it goes with the file.
            let _ = manager.stop();
            let _ = manager.inner.uninstall(ServiceUninstallCtx { label: manager.label() });
        }
        for (path, text) in &self.files {
            let _ = match text {
                Some(text) => fs::write(path, text),
                None => fs::remove_file(path),
            };
        }
        if self.was_running {
            let _ = manager.stop();
            let _ = manager.start();
        }
    }
}

/// Stops the service and removes it; `false` if there was none.
pub fn uninstall(level: Level, home: &Path) -> Result<bool, ServiceError> {
    let manager = Manager::native(level)?;
    let status = manager.status(home);
    if !status.installed {
        return Ok(false);
    }
    if status.running {
        manager.stop().map_err(failed("the service does not stop"))?;
    }
    let context = ServiceUninstallCtx { label: manager.label() };
    manager.inner.uninstall(context).map_err(failed("the service manager keeps it"))?;
    match fs::remove_file(home.join(".llm-router").join("service.env")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("its environment stays")(error))
        }
        _ => Ok(true),
    }
}

/// Stops the service, if it runs, and starts it.
pub fn restart(level: Level, home: &Path) -> Result<Status, ServiceError> {
    let manager = Manager::native(level)?;
    let status = manager.status(home);
    if !status.installed {
        return Err(ServiceError::NotInstalled);
    }
    if status.running {
        manager.stop().map_err(failed("the service does not stop"))?;
    }
    manager.start().map_err(failed("the service does not start"))?;
    Ok(manager.status(home))
}

fn write_environment(definition: &Definition) -> io::Result<()> {
    create_private_folder(&definition.own())?;
    let lines = definition.environment.iter();
    let lines = lines.map(|(name, value)| format!("{name}={}\n", systemd::quoted(value)));
    let path = definition.environment_file();
    let mut file = tempfile::NamedTempFile::new_in(definition.own())?;
    io::Write::write_all(&mut file, lines.collect::<String>().as_bytes())?;
    file.persist(path)?;
    Ok(())
}
