//! Where the Worker answers: workers.dev, routes, custom domains.

use router_operator::Failure;

use crate::Project;

/// The addresses of a Worker.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Target {
    /// Whether `NAME.SUBDOMAIN.workers.dev` leads to it.
    pub workers_dev: bool,
    /// Patterns of addresses in zones that lead to it.
    pub routes: Vec<Place>,
    /// Hosts whose DNS record and certificate Cloudflare makes for it.
    pub domains: Vec<Place>,
}

/// A route pattern or a host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Such as `llm.example.com/*`; for a custom domain the bare host.
    pub pattern: String,
    /// The zone, where it was given.
    pub zone_name: Option<String>,
}

impl Place {
    /// The host in the pattern.
    pub fn host(&self) -> &str {
        self.pattern.split('/').next().unwrap_or(&self.pattern)
    }
}

impl Target {
    /// Whether nothing leads to the Worker.
    pub fn is_empty(&self) -> bool {
        !self.workers_dev && self.routes.is_empty() && self.domains.is_empty()
    }

    /// The target in words.
    pub fn describe(&self) -> String {
        let mut parts = Vec::new();
        if self.workers_dev {
            parts.push("workers.dev".to_owned());
        }
        parts.extend(self.routes.iter().map(|route| format!("route {}", route.pattern)));
        parts.extend(self.domains.iter().map(|domain| format!("domain {}", domain.pattern)));
        parts.join(", ")
    }
}

/// What the operator said about the target.
#[derive(Clone, Debug, Default)]
pub struct TargetFlags {
    /// `--workers-dev`.
    pub workers_dev: Option<bool>,
    /// `--route-pattern`, or the older `--domain`.
    pub route_pattern: Option<String>,
    /// `--custom-domain`.
    pub custom_domain: Option<String>,
    /// `--zone-name`.
    pub zone_name: Option<String>,
}

/// The target of a deploy: what was said, else what the project's file says.
pub fn choose_target(flags: &TargetFlags, project: &Project) -> Result<Target, Failure> {
    let has_place = flags.route_pattern.is_some() || flags.custom_domain.is_some();
    if flags.zone_name.is_some() && !has_place {
        return Err(Failure::input("--zone-name without --route-pattern or --custom-domain")
            .hint("add the host: --route-pattern=llm.example.com/*"));
    }
    if !has_place && flags.workers_dev.is_none() {
        return project.target.clone().filter(|target| !target.is_empty()).ok_or_else(no_target);
    }
    let mut target = Target { workers_dev: flags.workers_dev == Some(true), ..Target::default() };
    if let Some(pattern) = &flags.route_pattern {
        let pattern = route_pattern(pattern)?;
        target.routes.push(Place { pattern, zone_name: flags.zone_name.clone() });
    }
    if let Some(host) = &flags.custom_domain {
        let pattern = host_only(host)?;
        target.domains.push(Place { pattern, zone_name: flags.zone_name.clone() });
    }
    if target.is_empty() {
        return Err(no_target());
    }
    Ok(target)
}

fn no_target() -> Failure {
    Failure::input("nothing says where the Worker should answer").hint(
        "one of --workers-dev=true, --custom-domain=llm.example.com, \
         --route-pattern=llm.example.com/* or a target in wrangler.toml",
    )
}

/// A route pattern as Cloudflare wants it: host and path, with a `*` where a bare host or folder
/// was given.
pub fn route_pattern(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let bare = bare.unwrap_or(text);
    let (host, path) = match bare.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (bare, None),
    };
    check_host(host, text)?;
    let host = host.to_ascii_lowercase();
    Ok(match path {
        _ if bare.contains('*') => format!("{host}{}", bare.get(host.len()..).unwrap_or("")),
        None | Some("") => format!("{host}/*"),
        Some(path) if path.ends_with('/') => format!("{host}/{path}*"),
        Some(path) => format!("{host}/{path}"),
    })
}

fn host_only(text: &str) -> Result<String, Failure> {
    let bare = text.trim().trim_start_matches("https://").trim_end_matches('/');
    if bare.contains(['/', '*']) {
        return Err(Failure::input(format!("`{bare}` is not a host"))
            .hint("a custom domain is a host without a path; use --route-pattern for paths"));
    }
    check_host(bare, text)?;
    Ok(bare.to_ascii_lowercase())
}

fn check_host(host: &str, written: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
    if host.contains('.') && host.chars().all(good) && !host.starts_with('.') {
        return Ok(());
    }
    Err(Failure::input(format!("`{written}` has no host such as llm.example.com"))
        .hint("hosted addresses have no port and no leading slash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_get_the_star_they_need() {
        for (text, expect) in [
            ("llm.example.com", "llm.example.com/*"),
            ("LLM.example.com/", "llm.example.com/*"),
            ("https://llm.example.com/v1/", "llm.example.com/v1/*"),
            ("llm.example.com/v1", "llm.example.com/v1"),
            ("*.example.com/*", "*.example.com/*"),
            ("llm.example.com/v1*", "llm.example.com/v1*"),
        ] {
            assert_eq!(route_pattern(text).unwrap(), expect, "{text}");
        }
        for bad in ["", "/v1", "localhost/*", "llm.example.com:8787/*", "a b.c"] {
            assert!(route_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_come_before_the_project_and_nothing_is_guessed() {
        let place = |pattern: &str| Place { pattern: pattern.to_owned(), zone_name: None };
        let known = Target { routes: vec![place("a.example.com/*")], ..Target::default() };
        let project = Project { target: Some(known.clone()), ..Project::default() };
        assert_eq!(choose_target(&TargetFlags::default(), &project).unwrap(), known);
        let flags = TargetFlags { workers_dev: Some(true), ..TargetFlags::default() };
        assert_eq!(choose_target(&flags, &project).unwrap().describe(), "workers.dev");
        let nothing = Project::default();
        let off = TargetFlags { workers_dev: Some(false), ..TargetFlags::default() };
        let zone = TargetFlags { zone_name: Some("a.b".to_owned()), ..TargetFlags::default() };
        for flags in [TargetFlags::default(), off, zone] {
            assert!(choose_target(&flags, &nothing).is_err(), "{flags:?}");
        }
        let custom = TargetFlags {
            custom_domain: Some("https://llm.example.com/".to_owned()),
            ..TargetFlags::default()
        };
        let target = choose_target(&custom, &nothing).unwrap();
        assert_eq!(target.describe(), "domain llm.example.com");
    }
}
