use proptest::prelude::*;

use super::*;

fn accepts(text: &str) -> bool {
    Raw::parse(text).is_ok()
}

#[test]
fn the_grammar_is_the_one_of_json() {
    let good = [
        "null",
        " true ",
        "0",
        "-0.5e+3",
        r#""a\n\u00e9\ud83d""#,
        "[]",
        "[1, [2]]",
        "{}",
        r#"{"a":{"b":[]},"a":1}"#,
    ];
    for text in good {
        assert!(accepts(text), "refused {text}");
    }
    let bad = [
        "",
        "nul",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "\"",
        "\"\u{1}\"",
        r#""\x""#,
        r#""\u12g4""#,
        "[1,]",
        "[,1]",
        "[1 2]",
        "{a:1}",
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        "{} {}",
        "'a'",
        "-",
    ];
    for text in bad {
        assert!(!accepts(text), "accepted {text}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(accepts(&deep(128)));
    assert!(!accepts(&deep(129)));
    assert!(!accepts(&deep(100_000)));
}

#[test]
fn literals_are_decoded_only_on_demand() {
    let mut c = Cursor::new(r#""tab\t \"q\" \u00e9 \ud83d\ude00 \ud83d!""#);
    let text = c.str().unwrap();
    assert_eq!(text.decode(), "tab\t \"q\" é 😀 \u{fffd}!");
    let mut out = Vec::new();
    text.push(&mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#""tab\t \"q\" \u00e9 \ud83d\ude00 \ud83d!""#);
}

#[test]
fn blank_text_is_known_with_and_without_escapes() {
    for (literal, blank) in [
        ("", true),
        (" ", true),
        (r"\n\t ", true),
        (r"\u0020", true),
        ("a", false),
        (r"\n a", false),
    ] {
        assert_eq!(Str::Literal(literal).is_blank(), blank, "{literal}");
    }
}

#[test]
fn numbers_keep_their_value_or_are_refused() {
    assert_eq!(Cursor::new("32000").u64(), Ok(32_000));
    assert_eq!(Cursor::new("3.0").u64(), Ok(3));
    assert_eq!(Cursor::new("1e3").i64(), Ok(1000));
    for text in ["-1", "1.5", "1e30", "\"1\""] {
        assert!(Cursor::new(text).u64().is_err(), "{text}");
    }
    assert!(Cursor::new("1e999").f64().is_err());
    let mut out = Vec::new();
    for n in [0, 7, 10, 1234, u64::MAX] {
        out::int(&mut out, n);
        out.push(b' ');
    }
    assert_eq!(String::from_utf8(out).unwrap(), format!("0 7 10 1234 {} ", u64::MAX));
}

#[test]
fn an_error_knows_its_path() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a,{b"},{"role":"user","content":7}]}"#;
    let at = body.find('7').unwrap();
    assert_eq!(path_at(body, at), "messages[1].content");
    assert_eq!(path_at(body, 0), "");
    let error = Raw::parse(r#"{"a":[1,{"b":tru}]}"#).unwrap_err();
    assert_eq!(path_at(r#"{"a":[1,{"b":tru}]}"#, error.at), "a[1].b");
}

#[test]
fn writers_place_commas_between_members() {
    let mut buffer = Vec::new();
    let mut object = Object::new(&mut buffer);
    object.text("a", "x\u{1}\"").int("b", 1).bool("c", true).null("d").float("e", 0.5);
    let mut list = object.array("f");
    assert!(list.is_empty());
    list.object().end();
    list.item().extend_from_slice(b"2");
    list.end();
    object.end();
    assert_eq!(
        String::from_utf8(buffer).unwrap(),
        r#"{"a":"x\u0001\"","b":1,"c":true,"d":null,"e":0.5,"f":[{},2]}"#
    );
}

proptest! {
    #[test]
    fn the_reader_agrees_with_serde_json(text in r#"[\[\]{}:,"\\a-f0-9eE+. \-tnrul]{0,24}"#) {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(accepts(&text), theirs, "{}", text);
    }

    #[test]
    fn plain_text_survives_writing_and_reading(text in any::<String>()) {
        let mut buffer = Vec::new();
        out::string(&mut buffer, &text);
        let json = String::from_utf8(buffer).unwrap();
        prop_assert_eq!(&serde_json::from_str::<String>(&json).unwrap(), &text);
        prop_assert_eq!(Cursor::new(&json).string().unwrap(), text);
    }
}
