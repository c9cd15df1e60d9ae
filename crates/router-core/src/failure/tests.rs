use super::*;

/// The row of `docs/routing.md` that says what a class means.
fn row(class: FailureClass) -> String {
    let treatment = class.treatment();
    let next = match treatment.verdict {
        Verdict::GiveUp => "nothing",
        Verdict::LeaveCandidate => "the next candidate",
        Verdict::TryNext => "the next candidate, or the same after a short wait if there is none",
        Verdict::RetrySame => "the same, then the next",
    };
    let policy = CooldownPolicy::default();
    let asked = treatment.cooldown(&policy, Some(Duration::from_secs(1)));
    let alone = match (treatment.cooldown(&policy, None), asked) {
        (Some((scope, length)), _) => format!("{}, {} s", scope.name(), length.as_secs()),
        (None, Some((scope, _))) => format!("{}, if asked", scope.name()),
        (None, None) => "-".into(),
    };
    let circuit = treatment.circuit.map_or("-", Scope::name);
    format!("| `{class}` | {} | {next} | {alone} | {circuit} |", class.status())
}

#[test]
fn the_documented_table_is_the_one_in_force() {
    let document = include_str!("../../../../docs/routing.md");
    for class in FailureClass::ALL {
        let row = row(class);
        assert!(document.contains(&row), "docs/routing.md lacks\n{row}");
    }
}
