use serde_json::json;

use super::*;

const INNER: &[Member] = &[may("n", Kind::Int(1, 9))];
const TOP: Kind = Kind::Obj(&[
    need("model", Kind::Str(1, 5)),
    may("list", Kind::List(1, 2, &Kind::Tag("type", &[("a", INNER), ("b", &[])]))),
    may("either", Kind::Either(&[STR, Kind::List(0, 9, &COUNT)])),
    may("name", Kind::Name(4)),
    may("word", Kind::Maybe(&Kind::Word(&["x", "y"]))),
    beta("later", Kind::Bool),
]);

#[track_caller]
fn flaw(value: &Value, betas: bool) -> Option<(String, What)> {
    let flaw = check(value, &TOP, betas).err()?;
    let steps: Vec<String> = flaw
        .path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
            Step::Variant(word) => format!("<{word}>"),
        })
        .collect();
    Some((steps.join("."), flaw.what))
}

#[test]
fn a_body_of_the_declared_shape_passes() {
    for good in [
        json!({"model": "m"}),
        json!({"model": "m", "list": [{"type": "a", "n": 9}, {"type": "b"}], "word": null}),
        json!({"model": "m", "either": "text", "name": "a_-9", "word": "x"}),
        json!({"model": "m", "either": [0, 1]}),
    ] {
        assert_eq!(flaw(&good, false), None, "{good}");
    }
    assert_eq!(flaw(&json!({"model": "m", "later": true}), true), None);
}

#[test]
fn the_first_objection_names_its_path() {
    let cases = [
        (json!({}), "model", What::Missing),
        (json!({"model": "m", "x": 1}), "x", What::Unknown),
        (json!({"model": "m", "later": true}), "later", What::Unknown),
        (json!({"model": ""}), "model", What::TextShort { least: 1 }),
        (json!({"model": "abcdef"}), "model", What::TextLong { most: 5, got: 6 }),
        (json!({"model": "m", "list": []}), "list", What::ListShort { least: 1, got: 0 }),
        (json!({"model": "m", "list": [{"type": "b", "n": 1}]}), "list.0.<b>.n", What::Unknown),
        (json!({"model": "m", "list": [{}]}), "list.0.type", What::Missing),
        (
            json!({"model": "m", "list": [{"type": "a", "n": 10}]}),
            "list.0.<a>.n",
            What::NumberHigh { most: "9".into(), got: "10".into() },
        ),
        (
            json!({"model": "m", "name": "a b"}),
            "name",
            What::NameForm { most: 4, got: "a b".into() },
        ),
        (
            json!({"model": "m", "either": true}),
            "either",
            What::Type { expected: "one of a string or array of objects", got: "a boolean" },
        ),
    ];
    for (body, path, what) in cases {
        assert_eq!(flaw(&body, false), Some((path.to_owned(), what)), "{body}");
    }
}
