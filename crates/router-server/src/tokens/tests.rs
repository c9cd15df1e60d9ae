use super::*;

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

fn count(body: &str) -> u64 {
    input_tokens(&read_count(Dialect::Anthropic, body.as_bytes(), &extra("m")).unwrap())
}

fn message(content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#)
}

fn tokens_of(text: &str) -> u64 {
    count(&message(text)) - count(&message(""))
}

#[test]
fn texts_count_as_the_vocabulary_has_them() {
    // Figures of OpenAI's own tokenizer for `o200k_base`.
    for (text, tokens) in [
        ("", 0),
        ("hello world", 2),
        ("tiktoken is great!", 6),
        ("2 + 2 = 4", 7),
        ("antidisestablishmentarianism", 6),
        ("<|endoftext|>", 7),
        ("\u{304a}\u{8a95}\u{751f}\u{65e5}\u{304a}\u{3081}\u{3067}\u{3068}\u{3046}", 8),
    ] {
        assert_eq!(tokens_of(text), tokens, "{text}");
    }
}

#[test]
fn escaped_text_counts_as_what_it_means() {
    let escaped = r#"{"messages":[{"role":"user","content":"\u0068\u0065llo world"}]}"#;
    assert_eq!(count(escaped), count(&message("hello world")));
}

#[test]
fn cutting_long_texts_hardly_changes_their_count() {
    let line = "the quick brown fox jumps over 12 lazy dogs. ";
    let whole = tiktoken_rs::o200k_base_singleton().count_ordinary(&line.repeat(4_500));
    let cut = tokens_of(&line.repeat(4_500));
    assert!(cut.abs_diff(wide(whole)) * 500 < cut, "{cut} is not {whole}");
}

#[test]
fn hostile_texts_are_counted_in_bounded_time() {
    for letter in [" ", "\n", "a", "!", "\u{e9}", "\u{65e5}", " \u{301}"] {
        let text = letter.repeat(200_000);
        let tokens = tokens_of(&text);
        assert!(tokens > 0 && tokens <= wide(text.len()), "{letter:?}: {tokens}");
    }
    let far = "x ".repeat(EXACT_BYTES_MAX);
    assert!(tokens_of(&far) >= wide(EXACT_BYTES_MAX / 4));
}

#[test]
fn pieces_end_at_blanks_and_never_inside_a_letter() {
    assert_eq!(piece_end("short"), 5);
    let words = "word ".repeat(2_000);
    let end = piece_end(&words);
    assert!(end <= PIECE_BYTES_MAX && words.as_bytes()[end] == b' ');
    let blankless = "\u{65e5}".repeat(2_000);
    assert!(blankless.is_char_boundary(piece_end(&blankless)));
}

#[test]
fn what_is_no_text_counts_by_the_documented_constants() {
    let check = |content: &str, tokens: usize| {
        let with = format!(r#"{{"messages":[{{"role":"user","content":[{content}]}}]}}"#);
        let without = r#"{"messages":[{"role":"user","content":[]}]}"#;
        assert_eq!(count(&with) - count(without), wide(tokens), "{content}");
    };
    let image = |data: &str| {
        format!(
            r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}"#
        )
    };
    check(&image("AAAA"), IMAGE_TOKENS);
    check(&image(&"A".repeat(40_000)), IMAGE_TOKENS);
    let pdf = "A".repeat(400);
    check(
        &format!(
            r#"{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{pdf}"}}}}"#
        ),
        10,
    );
    check(
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello world"}}"#,
        2,
    );
}

#[test]
fn tools_calls_and_results_count_with_their_texts() {
    let plain = count(&message("hi"));
    let tool = r#"{"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"hello world","input_schema":{}}]}"#;
    assert_eq!(count(tool) - plain, wide(TOOL_TOKENS + 2) + tokens_of("{}"));
    let round = r#"{"messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"hello","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"hello world"}]}]}"#;
    let around = wide(2 * TURN_TOKENS + 2 * CALL_TOKENS);
    assert_eq!(count(round) - plain, around + 1 + tokens_of("{}") + 2);
}

#[tokio::test]
async fn a_body_is_counted_in_every_form_of_its_dialect() {
    let count = |dialect, body: &str| super::count(dialect, "m".to_owned(), body.to_owned().into());
    assert_eq!(count(Dialect::Anthropic, &message("hello world")).await, Ok(9));
    let bare = r#"{"contents":[{"parts":[{"text":"hello world"}]}]}"#;
    let nested = format!(r#"{{"generateContentRequest":{bare}}}"#);
    for body in [bare, &nested] {
        assert_eq!(count(Dialect::Gemini, body).await, Ok(9));
    }
    for (dialect, body) in [
        (Dialect::Anthropic, r#"{"messages":[{"role":"user","content":7}]}"#),
        (Dialect::Gemini, "{}"),
        (Dialect::Gemini, r#"{"contents":7}"#),
    ] {
        let error = count(dialect, body).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{body}");
    }
}
