use super::*;

fn instance(name: &str, pid: u32, start: Option<String>) -> Instance {
    let facts = Facts {
        pid,
        process_start: start,
        address: ([0, 0, 0, 0], 8787).into(),
        admin_address: None,
        control: Some(Control {
            address: ([127, 0, 0, 1], 1).into(),
            token: Secret::new("t0ken".to_owned()),
        }),
        config_path: Some(PathBuf::from("/c.json")),
        version: "1.2.3".to_owned(),
        program: None,
        managed_by: None,
        requires_auth: false,
        log: None,
        started_at: "2026-01-01T00:00:00Z".to_owned(),
    };
    Instance { name: name.to_owned(), facts }
}

#[test]
fn only_what_runs_is_listed_and_a_reused_number_does_not_count() {
    let home = tempfile::tempdir().unwrap();
    let instances = Instances::new(home.path());
    let own = std::process::id();
    instances.write(&instance("mine", own, process::started(own))).unwrap();
    instances.write(&instance("reused", own, Some("0@another boot".to_owned()))).unwrap();
    instances.write(&instance("unknown-start", own, None)).unwrap();
    let live = instances.live();
    assert_eq!(live.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert!(instances.get("reused").is_none(), "what is over is removed");
    assert_eq!(live[0].url(), "http://127.0.0.1:8787");
    instances.remove("mine", own + 1);
    assert!(instances.get("mine").is_some(), "a successor's file is not removed");
    instances.remove("mine", own);
    assert!(instances.get("mine").is_none());
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_the_token_is_never_shown() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let instances = Instances::new(home.path());
    let written = instance("mine", 1, None);
    instances.write(&written).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&instances.path("mine")), 0o600);
    assert_eq!(mode(&instances.folder), 0o700);
    let read = instances.get("mine").unwrap();
    assert_eq!(read.facts.control.as_ref().unwrap().token.expose(), "t0ken");
    assert!(!format!("{read:?}").contains("t0ken"));
    assert_ne!(Control::token().unwrap().expose(), Control::token().unwrap().expose());
}

#[test]
fn a_name_that_cannot_be_a_file_is_refused() {
    for name in ["", ".hidden", "a/b", "a b", &"x".repeat(65), "ü"] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
    assert!(check_name("work-2.b_c").is_ok());
}

#[test]
fn one_instance_needs_no_name_and_several_do() {
    let (one, two) = (instance("one", 1, None), instance("two", 2, None));
    assert!(matches!(choose(vec![], None), Err(ChooseError::None)));
    assert_eq!(choose(vec![one.clone()], None).unwrap().name, "one");
    assert!(matches!(
        choose(vec![one.clone(), two.clone()], None),
        Err(ChooseError::Several { .. })
    ));
    assert_eq!(choose(vec![one.clone(), two], Some("two")).unwrap().name, "two");
    assert!(matches!(choose(vec![one], Some("two")), Err(ChooseError::Unknown { .. })));
}

#[test]
fn the_older_programs_file_is_read_but_a_stranger_with_its_number_is_not() {
    let home = tempfile::tempdir().unwrap();
    let file = |pid: u32| {
        let text = format!(
            r#"{{"pid":{pid},"host":"127.0.0.1","port":8787,"configPath":"/x.json",
                "startedAt":"2026-01-01T00:00:00Z","version":"1.0.8","watchConfig":true}}"#
        );
        fs::write(home.path().join(".llm-router.runtime.json"), text).unwrap();
    };
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    file(child.id());
    assert!(Instances::new(home.path()).live().is_empty(), "`sleep` is no router");
    child.kill().unwrap();
    child.wait().unwrap();
    let script = home.path().join("llm-router");
    fs::write(&script, "read line").unwrap();
    let mut child = std::process::Command::new("sh")
        .arg(&script)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until it has become `sh`, the process has the name of this test.
    let live = loop {
        file(child.id());
        let live = Instances::new(home.path()).live();
        if !live.is_empty() {
            break live;
        }
        std::thread::yield_now();
    };
    assert_eq!(live.first().map(|each| each.facts.version.as_str()), Some("1.0.8"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Instances::new(home.path()).live().is_empty());
}
