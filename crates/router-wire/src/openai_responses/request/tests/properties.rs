use proptest::prelude::*;

use crate::Dialect;
use crate::translate::RequestExtra;

proptest! {
    /// Whatever text stands in a message comes out as it went in.
    #[test]
    fn text_survives(text in "\\PC{0,40}") {
        let quoted = serde_json::to_string(&text).expect("JSON");
        let body = format!(r#"{{"input":[{{"role":"user","content":{quoted}}}]}}"#);
        let value = super::rewrite(&body);
        prop_assert_eq!(value["input"][0]["content"][0]["text"].as_str(), Some(text.as_str()));
    }

    /// A damaged body is an error or a request, never a panic; what is read can be written as JSON
    /// or is refused.
    #[test]
    fn damage_is_answered(at in 0_usize..4000, byte in any::<u8>()) {
        let body =
            include_str!("../../../../fixtures/openai-responses/request/every-setting.json");
        let mut bytes = body.as_bytes().to_vec();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(request) = super::read(text, &RequestExtra::default())
            && let Ok((written, _)) = super::render(&request, "gpt-5.6", Dialect::OpenaiResponses)
        {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&written).is_ok());
        }
    }
}
