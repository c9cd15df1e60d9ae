use super::*;

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const CLAUDE: Dialect = Dialect::Anthropic;
const GEMINI: Dialect = Dialect::Gemini;

#[track_caller]
fn check_operation(base: &str, dialect: Dialect, operation: Operation, expect: Option<&str>) {
    let (base, _) = BaseUrl::parse(base, false).unwrap();
    assert_eq!(base.endpoint(dialect, operation, "m/1 x").as_deref(), expect);
}

#[track_caller]
fn check(base: &str, dialect: Dialect, expect: &str) {
    check_operation(base, dialect, Operation::Generate { stream: false }, Some(expect));
}

#[test]
fn a_version_is_added_where_the_root_has_none() {
    check("https://a.com", CHAT, "https://a.com/v1/chat/completions");
    check("https://a.com/", RESPONSES, "https://a.com/v1/responses");
    check("https://a.com/api/", CLAUDE, "https://a.com/api/v1/messages");
    check("https://a.com", GEMINI, "https://a.com/v1beta/models/m/1%20x:generateContent");
}

#[test]
fn d27_a_versioned_root_is_kept() {
    check("https://a.com/v1/", CHAT, "https://a.com/v1/chat/completions");
    check("https://a.com/api/paas/v4", CHAT, "https://a.com/api/paas/v4/chat/completions");
    check("https://a.com/V2.1", CLAUDE, "https://a.com/V2.1/messages");
    check("https://a.com/v1beta", CHAT, "https://a.com/v1beta/chat/completions");
    check(
        "https://a.com/v1alpha2",
        GEMINI,
        "https://a.com/v1alpha2/models/m/1%20x:generateContent",
    );
    check("https://a.com/v", CHAT, "https://a.com/v/v1/chat/completions");
    check("https://a.com/v1x", CHAT, "https://a.com/v1x/v1/chat/completions");
}

#[test]
fn d27_the_suffix_of_an_operation_is_removed() {
    check("https://a.com/v1/chat/completions", CHAT, "https://a.com/v1/chat/completions");
    check("https://a.com/v1/chat/completions", CLAUDE, "https://a.com/v1/messages");
    check("https://a.com/v1/messages", CHAT, "https://a.com/v1/chat/completions");
    check("https://a.com/own/chat/completions", CHAT, "https://a.com/own/chat/completions");
    check("https://a.com/own/chat/completions", RESPONSES, "https://a.com/own/responses");
    check("https://a.com/chat/completions", CLAUDE, "https://a.com/v1/messages");
    check("https://a.com/v1/models", CHAT, "https://a.com/v1/chat/completions");
    check(
        "https://a.com/v1beta/models/g:streamGenerateContent",
        GEMINI,
        "https://a.com/v1beta/models/m/1%20x:generateContent",
    );
}

#[test]
fn openai_roots_of_other_vendors_are_known() {
    let google = "https://generativelanguage.googleapis.com/v1beta";
    check(&format!("{google}/openai/"), CHAT, &format!("{google}/openai/chat/completions"));
    check(&format!("{google}/openai"), GEMINI, &format!("{google}/models/m/1%20x:generateContent"));
    check(
        "https://r.openai.azure.com/openai/deployments/d?api-version=1",
        CHAT,
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
    );
    check(
        "https://r.openai.azure.com/openai/deployments/{model}?api-version=1",
        CHAT,
        "https://r.openai.azure.com/openai/deployments/m/1%20x/chat/completions?api-version=1",
    );
}

#[test]
fn d27_a_query_survives_behind_the_path() {
    check("https://a.com/v1?y=1", CHAT, "https://a.com/v1/chat/completions?y=1");
    check("https://a.com?y=1", CLAUDE, "https://a.com/v1/messages?y=1");
    let stream = Operation::Generate { stream: true };
    let tail = "/models/m/1%20x:streamGenerateContent";
    let expect = format!("https://a.com/v1beta{tail}?y=1&alt=sse");
    check_operation("https://a.com/v1beta?y=1", GEMINI, stream, Some(&expect));
    let expect = format!("https://a.com/v1beta{tail}?alt=sse");
    check_operation("https://a.com/v1beta?alt=sse", GEMINI, stream, Some(&expect));
}

#[test]
fn hosts_ports_and_user_names_are_normalised() {
    check("HTTPS://A.Com:443/v1", CHAT, "https://a.com/v1/chat/completions");
    check("http://a.com:80", CHAT, "http://a.com/v1/chat/completions");
    check("http://[::1]:8080/v1", CHAT, "http://[::1]:8080/v1/chat/completions");
    let (base, dropped) = BaseUrl::parse("https://u:p@a.com/v1#top", false).unwrap();
    assert_eq!(base.written(), "https://a.com/v1");
    assert_eq!(dropped, [Dropped::Fragment, Dropped::UserInfo]);
}

#[test]
fn other_operations_have_their_own_addresses() {
    let base = "https://a.com/v1";
    for (dialect, operation, expect) in [
        (CLAUDE, Operation::CountTokens, Some("https://a.com/v1/messages/count_tokens")),
        (RESPONSES, Operation::CountTokens, Some("https://a.com/v1/responses/input_tokens")),
        (CHAT, Operation::CountTokens, None),
        (GEMINI, Operation::CountTokens, Some("https://a.com/v1/models/m/1%20x:countTokens")),
        (CHAT, Operation::Models, Some("https://a.com/v1/models")),
        (CLAUDE, Operation::Models, Some("https://a.com/v1/models")),
        (CHAT, Operation::Embeddings, Some("https://a.com/v1/embeddings")),
        (CLAUDE, Operation::Embeddings, None),
        (GEMINI, Operation::Embeddings, Some("https://a.com/v1/models/m/1%20x:embedContent")),
        (RESPONSES, Operation::Completions, Some("https://a.com/v1/completions")),
        (GEMINI, Operation::Completions, None),
    ] {
        check_operation(base, dialect, operation, expect);
    }
}

#[test]
fn d27_an_exact_address_is_used_as_it_is() {
    let endpoint = |text: &str, operation| {
        BaseUrl::parse(text, true).unwrap().0.endpoint(CHAT, operation, "m")
    };
    let generate = Operation::Generate { stream: true };
    let own = "https://a.com/llm/{model}/invoke?k=1";
    assert_eq!(endpoint(own, generate).unwrap(), "https://a.com/llm/m/invoke?k=1");
    assert_eq!(endpoint(own, Operation::Models), None, "the root is not known");
    let usual = "https://a.com/x/chat/completions?k=1";
    assert_eq!(endpoint(usual, generate).unwrap(), usual);
    assert_eq!(endpoint(usual, Operation::Models).unwrap(), "https://a.com/x/models?k=1");
}

#[test]
fn alternatives_stay_on_the_origin_and_below_what_was_given() {
    for (given, dialect, expect) in [
        ("https://a.com", CHAT, vec!["https://a.com/chat/completions", "https://a.com/openai"]),
        ("https://a.com/x", RESPONSES, vec!["https://a.com/x/responses", "https://a.com/x/openai"]),
        ("https://a.com/v1", CHAT, vec!["https://a.com/openai"]),
        ("https://a.com/openai/v1", CHAT, vec![]),
        ("https://a.com/v1", CLAUDE, vec!["https://a.com/anthropic"]),
        ("https://a.com/anthropic", CLAUDE, vec!["https://a.com/anthropic/messages"]),
        ("https://a.com/openai/v1", CLAUDE, vec!["https://a.com/anthropic"]),
        ("https://a.com/v1", GEMINI, vec!["https://a.com"]),
        ("https://a.com", GEMINI, vec![]),
        ("https://a.com/v1/messages", CHAT, vec![]),
        ("https://a.com?k=v", CLAUDE, vec![]),
    ] {
        let found = BaseUrl::new(given).unwrap().alternatives(dialect);
        let found: Vec<_> = found.iter().map(BaseUrl::reveal).collect();
        assert_eq!(found, expect, "{given} {dialect}");
    }
}

#[test]
fn an_address_is_revealed_as_it_can_be_read_again() {
    for text in ["https://a.com", "http://a.com:8080/x/v1", "https://a.com/v1?api-version=2"] {
        assert_eq!(BaseUrl::new(text).unwrap().reveal(), text);
    }
    assert_eq!(BaseUrl::new("https://a.com/v1?key=s").unwrap().written(), "https://a.com/v1");
}

#[test]
fn what_is_not_an_address_is_refused() {
    for text in [
        "",
        "a.com",
        "ftp://a.com",
        "https://",
        "https:///v1",
        "https://a b",
        "http://a:99999",
        "http://a:/x",
    ] {
        assert!(BaseUrl::parse(text, false).is_err(), "{text:?}");
    }
}
