use super::*;

fn cleaned(schema: &str, rules: Rules) -> String {
    clean(schema, &rules).map_or_else(|| schema.to_owned(), |cleaned| cleaned.text)
}

#[test]
fn a_schema_every_target_takes_stays_as_it_is() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
    assert_eq!(clean(schema, &Rules::default()), None);
}

#[test]
fn what_targets_refuse_is_taken_out() {
    for (schema, wanted) in [
        (r#"{"$schema":"x","type":"object"}"#, r#"{"type":"object"}"#),
        (r"{}", r#"{"type":"object"}"#),
        (r#"{"properties":{"a":true}}"#, r#"{"type":"object","properties":{"a":true}}"#),
        (r#"{"type":["object","null"],"x":1}"#, r#"{"type":"object","x":1}"#),
        (
            r#"{"type":"object","properties":{"u":{"type":"string","format":"uri"},"d":{"format":"date"}}}"#,
            r#"{"type":"object","properties":{"u":{"type":"string"},"d":{"format":"date"}}}"#,
        ),
        (
            r#"{"type":"object","properties":{"p":{"pattern":"^(?!a)"},"q":{"pattern":"^\\d+$"}}}"#,
            r#"{"type":"object","properties":{"p":{},"q":{"pattern":"^\\d+$"}}}"#,
        ),
        (
            r#"{"type":"object","properties":{"$id":{"type":"string"},"format":{"type":"string","format":"x"}}}"#,
            r#"{"type":"object","properties":{"$id":{"type":"string"},"format":{"type":"string"}}}"#,
        ),
    ] {
        assert_eq!(cleaned(schema, Rules::default()), wanted);
    }
}

#[test]
fn structured_outputs_of_anthropic_get_closed_objects_without_limits() {
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1},"o":{"type":"object","additionalProperties":true}},"anyOf":[{"properties":{}}]}"#;
    assert_eq!(
        cleaned(schema, Rules::for_answers(Dialect::Anthropic)),
        r#"{"type":"object","properties":{"n":{"type":"integer"},"o":{"type":"object","additionalProperties":false}},"anyOf":[{"properties":{},"additionalProperties":false}],"additionalProperties":false}"#
    );
}

#[test]
fn what_is_taken_out_and_says_something_is_named() {
    let schema = r#"{"$schema":"x","type":"object","properties":{"a":{"type":"string","format":"uri"},"b":{"type":"integer","minimum":1,"format":"uri"},"c":{"pattern":"(?i)a"}},"additionalProperties":{}}"#;
    let lost = |rules: Rules| clean(schema, &rules).map(|cleaned| cleaned.lost);
    assert_eq!(lost(Rules::default()), Some(vec!["format", "pattern"]));
    assert_eq!(
        lost(Rules::for_answers(Dialect::Anthropic)),
        Some(vec!["format", "minimum", "pattern", "additionalProperties"])
    );
}

#[test]
fn gemini_type_names_become_json_schema() {
    let rules = Rules { from_gemini: true, ..Rules::default() };
    assert_eq!(
        cleaned(
            r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}},"propertyOrdering":["a"]}"#,
            rules
        ),
        r#"{"type":"object","properties":{"a":{"type":["string","null"]}}}"#
    );
}

#[test]
fn strict_needs_closed_objects_with_all_members_required() {
    for (schema, strict) in [
        (r#"{"type":"object","properties":{},"additionalProperties":false}"#, true),
        (
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
            true,
        ),
        (r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#, false),
        (r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#, false),
        (
            r#"{"type":"object","properties":{"a":{"items":{"type":"object"}}},"required":["a"],"additionalProperties":false}"#,
            false,
        ),
    ] {
        assert_eq!(is_strict(schema), strict, "{schema}");
    }
}
