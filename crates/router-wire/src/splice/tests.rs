use proptest::prelude::*;
use serde_json::Value;

use super::{Change, Part, Splice};
use crate::peek::peek;

fn set<'a>(name: &'a str, json: &str) -> Change<'a> {
    Change::Set { name, json: json.as_bytes().to_vec() }
}

#[track_caller]
fn check(body: &str, changes: &[Change<'_>], expect: &str) {
    let peek = peek(body.as_bytes()).expect("the body is valid");
    let splice = Splice::new(&peek, changes);
    let bytes = splice.to_vec(body.as_bytes());
    assert_eq!(String::from_utf8_lossy(&bytes), expect, "{body:?} with {changes:?}");
    assert_eq!(bytes.len(), splice.len(), "the length is told right");
}

#[test]
fn a_set_member_changes_nothing_but_its_value() {
    let model = [set("model", r#""m""#)];
    check(r#"{"model":"gpt"}"#, &model, r#"{"model":"m"}"#);
    check(
        "{ \"a\" : 1.50e+3 ,\n\t\"model\" : \"gpt\" , \"z\":[ ] } \n",
        &model,
        "{ \"a\" : 1.50e+3 ,\n\t\"model\" : \"m\" , \"z\":[ ] } \n",
    );
    check(r#"{"mod\u0065l":"gpt","x":1}"#, &model, r#"{"mod\u0065l":"m","x":1}"#);
    check(r#"{"model":null}"#, &model, r#"{"model":"m"}"#);
    check(r#"{"a":{"model":"x"},"model":"y"}"#, &model, r#"{"a":{"model":"x"},"model":"m"}"#);
    check("\u{feff}{\"model\":1e2}".replace("1e2", "null").as_str(), &model, r#"{"model":"m"}"#);
}

#[test]
fn an_absent_member_is_put_first() {
    check("{}", &[set("model", r#""m""#)], r#"{"model":"m"}"#);
    check("{ }", &[set("model", r#""m""#)], r#"{"model":"m" }"#);
    check(r#"{"a":1}"#, &[set("model", "1"), set("b", "2")], r#"{"model":1,"b":2,"a":1}"#);
    check(r#"{"a":1}"#, &[set("b", "2"), set("b", "3")], r#"{"b":3,"a":1}"#);
}

#[test]
fn a_removed_member_takes_one_comma_along() {
    let gone = |name| Change::Remove { name };
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("a")], r#"{"b":2,"c":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("b")], r#"{"a":1,"c":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("c")], r#"{"a":1,"b":2}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("a"), gone("b")], r#"{"c":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("b"), gone("c")], r#"{"a":1}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[gone("a"), gone("c")], r#"{"b":2}"#);
    check(r#"{"a":1,"b":2}"#, &[gone("a"), gone("b")], "{}");
    check(r#"{ "a":1 , "b":2 }"#, &[gone("a"), gone("b"), set("n", "0")], r#"{"n":0  }"#);
    check(r#"{"a":1,"b":2}"#, &[gone("zz")], r#"{"a":1,"b":2}"#);
    check(r#"{"a":1,"a":2,"b":3}"#, &[set("a", "9")], r#"{"a":9,"b":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &[set("a", "9"), gone("b")], r#"{"a":9,"c":3}"#);
}

#[test]
fn a_large_body_is_not_copied() {
    let body = format!(r#"{{"model":"gpt","messages":"{}"}}"#, "x".repeat(100_000));
    let peek = peek(body.as_bytes()).unwrap();
    let parts = Splice::model(&peek, "claude \"x\"").into_parts();
    assert_eq!(
        parts,
        [
            Part::Original(0..9),
            Part::New(br#""claude \"x\"""#.to_vec()),
            Part::Original(14..body.len()),
        ]
    );
}

proptest! {
    /// What the changed text means is the old object with the changes made, in the old order.
    #[test]
    fn splicing_text_equals_changing_the_tree(
        keys in proptest::collection::btree_set("[a-e]", 0..5),
        fates in proptest::collection::vec(0u8..3, 5),
        spaced in any::<bool>(),
    ) {
        let keys: Vec<_> = keys.into_iter().collect();
        let gap = if spaced { " \n" } else { "" };
        let members: Vec<_> =
            keys.iter().map(|key| format!("{gap}\"{key}\"{gap}:{gap}\"\\u00e9{key}\\n\"{gap}")).collect();
        let body = format!("{{{}}}", members.join(","));
        let mut tree: serde_json::Map<String, Value> = serde_json::from_str(&body).unwrap();
        let mut changes = Vec::new();
        for (key, fate) in ["a", "b", "c", "d", "e"].iter().zip(fates) {
            match fate {
                1 => {
                    tree.shift_remove(*key);
                    changes.push(Change::Remove { name: key });
                }
                2 => {
                    tree.insert((*key).to_owned(), Value::from(7));
                    changes.push(set(key, "7"));
                }
                _ => {}
            }
        }
        let peek = peek(body.as_bytes()).unwrap();
        let bytes = Splice::new(&peek, &changes).to_vec(body.as_bytes());
        let got: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&got, &tree);
    }

    /// Any text comes back from its JSON form.
    #[test]
    fn pushed_text_reads_back(text in any::<String>()) {
        let mut json = Vec::new();
        super::push_text(&mut json, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
    }
}
