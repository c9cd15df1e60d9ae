use super::*;

const HEADINGS: [&str; 12] = [
    "# AI-HELP",
    "## INTRO",
    "## WHAT AGENT CAN DO",
    "## DISCOVERY COMMANDS",
    "## CURRENT STATE",
    "## MODEL/GROUP DECISION INPUT",
    "## PRE-PATCH API GATE",
    "## LIVE TEST COMMANDS",
    "## CONFIG WORKFLOWS",
    "## CODING TOOL PATCH PLAYBOOK",
    "## NEXT SUGGESTIONS",
    "## UPDATE RULE",
];

fn answered(status: u16) -> Check {
    Check::Answered(status, "{}".to_owned())
}

fn with(status: u16, responses: Check) -> Situation {
    let checks = Checks {
        health: answered(status),
        openai_models: answered(status),
        claude_models: answered(status),
        responses,
    };
    Situation { checks: Some(checks), ..Situation::default() }
}

#[test]
fn the_headings_stand_in_the_documented_order() {
    let text = text(&Situation::default());
    let found: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(found, HEADINGS);
    assert!(text.lines().all(|line| !line.trim().is_empty()), "no blank lines");
}

#[test]
fn a_gate_says_what_a_check_found() {
    let state = |situation: &Situation| gates(situation).map(|(_, state)| state);
    assert_eq!(state(&Situation::default()), ["pending-live-test"; 3]);
    assert_eq!(state(&with(200, answered(200))), ["ready"; 3]);
    assert_eq!(state(&with(401, answered(401))), ["blocked-auth"; 3]);
    assert_eq!(state(&with(500, Check::Error("refused".to_owned()))), ["blocked"; 3]);
    assert_eq!(state(&with(200, answered(404)))[2], "blocked-responses-endpoint-missing");
    let no_model = Check::Answered(404, "no model `x`".to_owned());
    assert_eq!(state(&with(200, no_model))[2], "blocked");
}

#[test]
fn a_refusal_is_no_pass() {
    let text = text(&with(401, answered(401)));
    assert!(text.contains("responses_probe=fail (status=401"), "{text}");
}

#[test]
fn suggestions_appear_only_where_they_apply() {
    let first = suggestions(&Situation::default()).join("\n");
    for expect in ["no provider", "no master key", "no router is running"] {
        assert!(first.contains(expect), "{first}");
    }
    let complete = Situation {
        providers: vec!["p".to_owned()],
        models: vec!["p/m".to_owned()],
        aliases: vec![("a".to_owned(), "auto".to_owned())],
        buckets: 1,
        has_key: true,
        running: Some(Running { requires_auth: true, config_path: "~/x".to_owned() }),
        ..with(200, answered(200))
    };
    assert_eq!(suggestions(&complete).len(), 1);
    assert!(suggestions(&complete)[0].contains("nothing is missing"));
}
