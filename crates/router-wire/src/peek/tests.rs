use proptest::prelude::*;
use serde_json::Value;

use super::{DEPTH_MAX, Items, Kind, Members, PeekError, Problem, count_of, find, find_path, peek};

#[track_caller]
fn accepts(body: &str, model: Option<&str>, stream: bool) {
    let found = peek(body.as_bytes()).unwrap_or_else(|error| panic!("{body:?}: {error}"));
    assert_eq!(found.model_name().as_deref(), model, "model of {body:?}");
    assert_eq!(found.is_stream(), stream, "stream of {body:?}");
}

#[track_caller]
fn refuses(body: impl AsRef<[u8]>, offset: usize, problem: Problem) {
    let body = body.as_ref();
    let error = peek(body).expect_err("the body is not acceptable");
    assert_eq!(error, PeekError { offset, problem }, "for {:?}", String::from_utf8_lossy(body));
}

#[test]
fn model_and_stream_are_found_wherever_they_stand() {
    accepts("{}", None, false);
    accepts(r#"{"model":"gpt-5","stream":true}"#, Some("gpt-5"), true);
    accepts(
        r#" { "x" : [ {"model":"no"} , -0.5e-7, "}]\"" ] , "stream" : false , "model":"m"} "#,
        Some("m"),
        false,
    );
    accepts("\u{feff}{\"model\":\"m\"}", Some("m"), false);
    accepts(r#"{"messages":"ends in a backslash \\","model":"m\\"}"#, Some("m\\"), false);
    accepts(r#"{"model":null,"stream":null}"#, None, false);
    accepts(r#"{"":0,"model":"","stream":true}"#, Some(""), true);
}

#[test]
fn keys_and_models_written_with_escapes_are_recognised() {
    accepts(r#"{"mod\u0065l":"gpt\u002d5","\u0073tream":true}"#, Some("gpt-5"), true);
    accepts(r#"{"model\n":"no"}"#, None, false);
    refuses(r#"{"model":"a","m\u006fdel":"b"}"#, 13, Problem::Duplicate("model"));
    refuses(r#"{"mo\del":"a"}"#, 1, Problem::Escape);
    refuses(r#"{"\ud800":"a"}"#, 1, Problem::Escape);
}

#[test]
fn cut_bodies_are_refused_where_they_end() {
    let body = r#"{"a":[1,{"b":"c\"d"}],"model":"m","n":-1.5e3,"t":true,"f":false,"z":null}"#;
    accepts(body, Some("m"), false);
    for end in 1..body.len() {
        let error = peek(&body.as_bytes()[..end]).expect_err("a cut body is not complete");
        assert!(error.offset <= end, "{error} lies beyond {end}");
        let number = matches!(error.problem, Problem::Number) && error.offset == end;
        assert!(number || matches!(error.problem, Problem::Truncated(_)), "{end}: {error:?}");
    }
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    use Problem::{Empty, Expected, NotAnObject, NotUtf8, Number, TrailingData};
    refuses("", 0, Empty);
    refuses(" \n\t", 3, Empty);
    for other in ["[]", "\"s\"", "1", "null", "x"] {
        refuses(other, 0, NotAnObject);
    }
    refuses("{} {}", 3, TrailingData);
    refuses("{}]", 2, TrailingData);
    refuses(r#"{"a":tru}"#, 8, Expected("true, false or null"));
    refuses(r#"{"a":truex}"#, 9, Expected("`,` or `}`"));
    refuses(r#"{"a" 1}"#, 5, Expected("`:`"));
    refuses(r#"{"a":1 "b":2}"#, 7, Expected("`,` or `}`"));
    refuses(r#"{"a":[1 2]}"#, 8, Expected("`,` or `]`"));
    refuses(r#"{"a":[1}"#, 7, Expected("`,` or `]`"));
    refuses(r#"{"a":{"b":1]}"#, 11, Expected("`,` or `}`"));
    refuses(r#"{"a":1,}"#, 7, Expected("a member name"));
    refuses(r#"{,"a":1}"#, 1, Expected("a member name"));
    refuses(r#"{"a":[1,]}"#, 8, Expected("a value"));
    refuses(r#"{"a":[,1]}"#, 6, Expected("a value"));
    refuses(r#"{"a":}"#, 5, Expected("a value"));
    refuses("{a:1}", 1, Expected("a member name"));
    refuses(r#"{"a":'b'}"#, 5, Expected("a value"));
    refuses(r#"{"a":NaN}"#, 5, Expected("a value"));
    for number in ["01", "-", "+1", "1.", ".5", "1e", "1e+", "--1"] {
        let error = peek(format!("{{\"a\":{number}}}").as_bytes()).expect_err(number);
        assert!(matches!(error.problem, Number | Expected(_)), "{number}: {error:?}");
    }
    refuses(b"{\"a\":\"\xff\"}", 6, NotUtf8);
    refuses(b"{\"a\":\"\xe2\x82", 6, NotUtf8);
}

#[test]
fn members_that_routing_reads_must_have_their_type_and_stand_once() {
    let wrong = |member, expected| Problem::WrongType { member, expected };
    refuses(r#"{"model":5}"#, 9, wrong("model", "a string"));
    refuses(r#"{"model":["m"]}"#, 9, wrong("model", "a string"));
    refuses(r#"{"stream":"true"}"#, 10, wrong("stream", "true or false"));
    refuses(r#"{"stream":1}"#, 10, wrong("stream", "true or false"));
    refuses(r#"{"model":"a","x":0,"model":"a"}"#, 19, Problem::Duplicate("model"));
    refuses(r#"{"stream":true,"stream":false}"#, 15, Problem::Duplicate("stream"));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        let arrays = depth - 1;
        format!("{{\"a\":{}{}}}", "[".repeat(arrays), "]".repeat(arrays))
    };
    accepts(&nested(DEPTH_MAX), None, false);
    refuses(nested(DEPTH_MAX + 1), 5 + DEPTH_MAX - 1, Problem::TooDeep);
    refuses("{\"a\":".repeat(100_000), 5 * DEPTH_MAX, Problem::TooDeep);
    assert!(serde_json::from_str::<Value>(&nested(DEPTH_MAX)).is_ok(), "serde_json agrees");
}

#[test]
fn session_members_are_noted_with_their_bytes() {
    let body =
        br#"{"metadata":{"user_id":"u"},"user":"me","prompt_cache_key":"k","stream_options":{}}"#;
    let found = peek(body).unwrap();
    assert_eq!(found.members_count, 4);
    assert_eq!(found.value(found.metadata.unwrap()), br#"{"user_id":"u"}"#);
    assert_eq!(found.text(found.user.unwrap()).as_deref(), Some("me"));
    assert_eq!(found.text(found.prompt_cache_key.unwrap()).as_deref(), Some("k"));
    assert_eq!(found.stream_options.unwrap().kind, Kind::Object);
    assert_eq!(found.find("user"), found.user);
    assert_eq!(found.find("absent"), None);
}

#[test]
fn parts_of_a_value_are_found_without_a_tree() {
    let body = br#"{"usage":{"input_tokens":12,"details":{"n":[1, {"k":2} ,"x"]}},"u":1.5}"#;
    assert_eq!(find_path(body, &["usage", "input_tokens"]).and_then(count_of), Some(12));
    assert_eq!(find(body, "u").and_then(count_of), None);
    assert_eq!(find_path(body, &["usage", "absent"]), None);
    let items = find_path(body, &["usage", "details", "n"]).unwrap();
    let items: Vec<_> = Items::new(items).map(String::from_utf8_lossy).collect();
    assert_eq!(items, ["1", r#"{"k":2}"#, r#""x""#]);
    assert_eq!(Items::new(b" [ ] ").count(), 0);
    assert_eq!(Members::new(b"[1]").count(), 0);
    assert_eq!(Members::new(br#"{"a":1,"b":}"#).count(), 1);
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\\\\"a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Whether any key or string holds an escape or a raw control character, which the walk leaves to others.
fn same_verdict(body: &[u8]) -> bool {
    !body.contains(&b'\\') && body.iter().all(|&byte| byte >= 0x20 || byte.is_ascii_whitespace())
}

proptest! {
    /// Every object is accepted, and its members are the ones a full parser sees.
    #[test]
    fn what_a_parser_accepts_is_accepted(value in json(), pretty in any::<bool>()) {
        let value = serde_json::json!({ "first": value, "stream": true, "last": [] });
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        // Read back, because the parser rounds some floats.
        let value: Value = serde_json::from_str(&text).unwrap();
        let found = peek(text.as_bytes()).unwrap();
        prop_assert!(found.is_stream());
        prop_assert_eq!(found.object.range(), 0..text.len());
        for (entry, (key, value)) in found.members().zip(value.as_object().unwrap()) {
            prop_assert!(entry.is(key));
            prop_assert_eq!(&serde_json::from_slice::<Value>(entry.value).unwrap(), value);
        }
        prop_assert_eq!(found.members().count(), 3);
    }

    /// Near-JSON is accepted exactly when a full parser accepts it.
    #[test]
    fn near_json_is_judged_like_a_parser_does(text in "\\{[\\{\\}\\[\\],:\" ae0-9.+tru\\-]{0,14}\\}?") {
        let parsed = serde_json::from_str::<serde_json::Map<String, Value>>(&text);
        let out_of_range = parsed.as_ref().is_err_and(|e| e.to_string().contains("out of range"));
        if same_verdict(text.as_bytes()) && !out_of_range {
            prop_assert_eq!(peek(text.as_bytes()).is_ok(), parsed.is_ok(), "{}", text);
        }
    }

    /// One changed byte in a valid body never makes an invalid one pass.
    #[test]
    fn a_damaged_body_is_judged_like_a_parser_does(at in 0usize..64, byte in 0x20u8..0x7f) {
        let mut body = br#"{"model":"m","a":[1,2.5e3,{"b":null}],"stream":true,"c":{"d":false}}"#.to_vec();
        let end = body.len();
        body[at % end] = byte;
        let accepted = serde_json::from_slice::<serde_json::Map<String, Value>>(&body).is_ok();
        match peek(&body) {
            Ok(_) => prop_assert!(accepted || !same_verdict(&body), "{}", String::from_utf8_lossy(&body)),
            Err(PeekError { problem: Problem::WrongType { .. } | Problem::Duplicate(_), .. }) => {}
            Err(_) => prop_assert!(!accepted, "{}", String::from_utf8_lossy(&body)),
        }
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = peek(&bytes);
        let _ = Members::new(&bytes).count() + Items::new(&bytes).count();
    }
}
