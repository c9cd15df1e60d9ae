use proptest::prelude::*;

use super::{End, Tap, finish_reason_of_body, usage_of_body};
use crate::Dialect::{self, Anthropic, Gemini, OpenaiChat, OpenaiResponses};
use crate::Usage;

/// Pushes each event on its own. `.` stands for one that is still start-up, `m` for one after
/// which output was seen, `t` for terminal, `e` for error.
#[track_caller]
fn check(dialect: Dialect, events: &[(&str, &str)], end: End) -> Tap {
    let mut tap = Tap::new(dialect);
    for (data, expect) in events {
        let data = data.replace('\'', "\"");
        let seen = tap.push(format!("data: {data}\n\n").as_bytes());
        let got = match (seen.error, seen.terminal, seen.meaningful) {
            (true, ..) => "e",
            (_, true, _) => "t",
            (_, _, true) => "m",
            _ => ".",
        };
        assert_eq!(got, *expect, "after {data}");
    }
    assert_eq!(tap.finish(), end);
    tap
}

#[test]
fn a_chat_stream_of_two_choices_ends_when_both_have() {
    let finish =
        |index: u8| format!("{{\"choices\":[{{\"index\":{index},\"finish_reason\":\"stop\"}}]}}");
    for (choices, finished, end) in [(1, 1, End::Clean), (2, 1, End::Truncated), (2, 2, End::Clean)]
    {
        let mut tap = Tap::new(OpenaiChat).with_choices(choices);
        for index in 0..finished {
            tap.push(format!("data: {}\n\n", finish(index)).as_bytes());
        }
        assert_eq!(tap.finish(), end, "{finished} of {choices}");
    }
}

const MESSAGE_START: &str = "{'type':'message_start','message':{'id':'x','content':[],'usage':\
    {'input_tokens':10,'cache_read_input_tokens':5,'cache_creation_input_tokens':3,'output_tokens':1}}}";

#[test]
fn a_messages_stream_is_understood() {
    let tap = check(
        Anthropic,
        &[
            (MESSAGE_START, "."),
            ("{'type':'ping'}", "."),
            (
                "{'type':'content_block_start','index':0,'content_block':{'type':'thinking','thinking':'','signature':''}}",
                ".",
            ),
            (
                "{'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}",
                ".",
            ),
            (
                "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':''}}",
                ".",
            ),
            (
                "{'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'Hi'}}",
                "m",
            ),
            ("{'type':'content_block_stop','index':0}", "m"),
            (
                "{'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{'output_tokens':20,'output_tokens_details':{'thinking_tokens':4}}}",
                "m",
            ),
            ("{'type':'message_stop'}", "t"),
        ],
        End::Clean,
    );
    assert_eq!(tap.finish_reason(), Some("end_turn"));
    let expect = Usage {
        input_uncached: Some(10),
        cache_read: Some(5),
        cache_write: Some(3),
        output: Some(20),
        reasoning: Some(4),
        ..Usage::default()
    };
    assert_eq!(tap.usage(), expect);
    let tool = "{'type':'content_block_start','content_block':{'type':'tool_use','id':'t','name':'n','input':{}}}";
    check(Anthropic, &[(MESSAGE_START, "."), (tool, "m")], End::Truncated);
    let empty = "{'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{}}";
    check(Anthropic, &[(MESSAGE_START, "."), (empty, "m")], End::Truncated);
    let error = "{'type':'error','error':{'type':'overloaded_error','message':'busy'}}";
    let tap = check(Anthropic, &[(MESSAGE_START, "."), (error, "e")], End::Failed);
    assert!(!tap.seen().meaningful, "an error is no output");
    let error = tap.error().unwrap();
    assert_eq!((error.message.as_str(), error.implied_status()), ("busy", 529));
}

#[test]
fn a_chat_stream_is_understood() {
    let role = "{'id':'c','choices':[{'index':0,'delta':{'role':'assistant','content':''},'finish_reason':null}],'usage':null}";
    let text = "{'choices':[{'index':0,'delta':{'content':'finish_reason'},'finish_reason':null}]}";
    let usage = "{'choices':[],'usage':{'prompt_tokens':100,'completion_tokens':7,\
        'prompt_tokens_details':{'cached_tokens':60},'completion_tokens_details':{'reasoning_tokens':2}}}";
    let tap = check(
        OpenaiChat,
        &[
            (role, "."),
            ("{'choices':[],'prompt_filter_results':[]}", "."),
            (text, "m"),
            ("{'choices':[{'index':0,'delta':{},'finish_reason':'stop'}]}", "t"),
            (usage, "t"),
            ("[DONE]", "t"),
        ],
        End::Clean,
    );
    assert_eq!(tap.finish_reason(), Some("stop"));
    assert_eq!((tap.usage().input_uncached, tap.usage().cache_read), (Some(40), Some(60)));
    assert_eq!((tap.usage().output, tap.usage().reasoning), (Some(7), Some(2)));
    check(OpenaiChat, &[(role, "."), (text, "m")], End::Truncated);
    check(OpenaiChat, &[(role, "."), ("[DONE]", "t")], End::Clean);
    for delta in ["'reasoning_content':'x'", "'tool_calls':[{'index':0}]", "'refusal':'no'"] {
        let event = format!("{{'choices':[{{'delta':{{'role':'assistant',{delta}}}}}]}}");
        check(OpenaiChat, &[(&event, "m")], End::Truncated);
    }
    check(
        OpenaiChat,
        &[("{'choices':[{'text':''}]}", "."), ("{'choices':[{'text':'x'}]}", "m")],
        End::Truncated,
    );
    let tap = check(
        OpenaiChat,
        &[(role, "."), ("{'error':{'message':'x','code':429}}", "e")],
        End::Failed,
    );
    assert_eq!(tap.error().unwrap().implied_status(), 429);
    check(
        OpenaiChat,
        &[("{'choices':[{'delta':{'content':'x'}}],'error':null}", "m")],
        End::Truncated,
    );
}

#[test]
fn a_responses_stream_is_understood() {
    let created = "{'type':'response.created','sequence_number':0,'response':{'id':'resp_1','created_at':7,'error':null,'usage':null}}";
    let tap = check(
        OpenaiResponses,
        &[
            (created, "."),
            ("{'type':'response.in_progress','sequence_number':1,'response':{'id':'resp_1'}}", "."),
            (
                "{'type':'response.output_item.added','item':{'type':'reasoning'},'sequence_number':2}",
                ".",
            ),
            ("{'type':'response.reasoning_summary_part.added','sequence_number':3}", "."),
            ("{'type':'response.output_text.delta','delta':'','sequence_number':4}", "."),
            ("{'type':'response.output_text.delta','delta':'Hi','sequence_number':5}", "m"),
            (
                "{'type':'response.completed','sequence_number':6,'response':{'id':'resp_1','status':'completed','incomplete_details':null,\
              'usage':{'input_tokens':9,'input_tokens_details':{'cached_tokens':4},'output_tokens':3,'output_tokens_details':{'reasoning_tokens':1}}}}",
                "t",
            ),
        ],
        End::Clean,
    );
    let place = tap.place("req", "m");
    assert_eq!((place.response_id, place.created_s, place.sequence_number), ("resp_1", 7, 7));
    assert_eq!(tap.finish_reason(), Some("completed"));
    assert_eq!((tap.usage().input_uncached, tap.usage().cache_read), (Some(5), Some(4)));
    let call = "{'type':'response.output_item.added','item':{'type':'function_call','name':'f'}}";
    check(OpenaiResponses, &[(created, "."), (call, "m"), ("[DONE]", "m")], End::Truncated);
    let failed = "{'type':'response.failed','response':{'status':'failed','error':{'code':'server_error','message':'x'}}}";
    let tap = check(OpenaiResponses, &[(created, "."), (failed, "e")], End::Failed);
    assert_eq!(tap.error().unwrap().message, "x");
    let done = "{'type':'response.done','response':{'status':'completed'}}";
    check(OpenaiResponses, &[(created, "."), (call, "m"), (done, "t")], End::Clean);
    let failed = failed.replace("'response.failed'", "'response.done'");
    let tap = check(OpenaiResponses, &[(created, "."), (&failed, "e")], End::Failed);
    assert_eq!(tap.error().unwrap().message, "x");
    let error =
        "{'type':'error','code':'rate_limit_exceeded','message':'slow','sequence_number':1}";
    let tap = check(OpenaiResponses, &[(created, "."), (error, "e")], End::Failed);
    assert_eq!((tap.error().unwrap().implied_status(), tap.seen().meaningful), (429, false));
    let cut = "{'type':'response.incomplete','response':{'status':'incomplete','incomplete_details':{'reason':'max_output_tokens'}}}";
    let tap = check(OpenaiResponses, &[(cut, "t")], End::Clean);
    assert_eq!(tap.finish_reason(), Some("max_output_tokens"));
}

#[test]
fn a_gemini_stream_is_understood() {
    let usage = "'usageMetadata':{'promptTokenCount':10,'toolUsePromptTokenCount':2,'cachedContentTokenCount':4,'candidatesTokenCount':5,'thoughtsTokenCount':3}";
    let last = format!(
        "{{'candidates':[{{'content':{{'parts':[{{'text':''}}]}},'finishReason':'STOP'}}],{usage}}}"
    );
    let tap = check(
        Gemini,
        &[
            ("{'candidates':[{'content':{'role':'model'}}]}", "."),
            ("{'candidates':[{'content':{'parts':[{'text':'','thought':true}]}}]}", "."),
            ("{'candidates':[{'content':{'parts':[{'text':'Hi'}]}}]}", "m"),
            (&last, "t"),
        ],
        End::Clean,
    );
    let usage = tap.usage();
    assert_eq!((usage.input_uncached, usage.cache_read), (Some(8), Some(4)));
    assert_eq!((usage.output, usage.reasoning), (Some(8), Some(3)));
    assert_eq!(tap.finish_reason(), Some("STOP"));
    let tap = check(Gemini, &[("{'promptFeedback':{'blockReason':'SAFETY'}}", "t")], End::Clean);
    assert_eq!(tap.finish_reason(), Some("SAFETY"));
    check(
        Gemini,
        &[("{'error':{'code':503,'message':'x','status':'UNAVAILABLE'}}", "e")],
        End::Failed,
    );
}

#[test]
fn names_of_events_stand_in_for_a_missing_type() {
    let mut tap = Tap::new(Anthropic);
    tap.push(b"event: error\ndata: {\"message\":\"x\"}\n\n");
    assert!(tap.seen().error);
    let mut tap = Tap::new(Anthropic);
    tap.push(b"event: message_stop\ndata: {}");
    assert_eq!(tap.finish(), End::Clean);
}

#[test]
fn what_is_no_stream_is_not_taken_for_one() {
    let end = |bytes: &[u8]| {
        let mut tap = Tap::with_event_bytes_max(OpenaiChat, 50);
        tap.push(bytes);
        (tap.seen().malformed_count, tap.finish())
    };
    assert_eq!(end(b""), (0, End::NoEvents));
    assert_eq!(end(b": only a comment\n\n"), (0, End::NoEvents));
    assert_eq!(end(b"{\"choices\":[]}"), (0, End::NoEvents));
    assert_eq!(end(b"data: <html>\n\n"), (1, End::Truncated));
    assert_eq!(end(b"data: {\"choices\":[\n\n"), (1, End::Truncated));
    assert_eq!(end(&[b'x'; 51]), (0, End::Unwatched));
}

#[test]
fn whole_answers_tell_their_figures() {
    let body = br#"{"content":[{"text":"usage"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4,"cache_creation":{"ephemeral_1h_input_tokens":2}}}"#;
    let usage = usage_of_body(Anthropic, body);
    assert_eq!(
        (usage.input_uncached, usage.output, usage.cache_write_1h),
        (Some(3), Some(4), Some(2))
    );
    assert_eq!(finish_reason_of_body(Anthropic, body).as_deref(), Some("end_turn"));
    let body = br#"{"choices":[{"finish_reason":"length"}],"usage":{"prompt_tokens":5,"prompt_cache_hit_tokens":2,"completion_tokens":1}}"#;
    assert_eq!(usage_of_body(OpenaiChat, body).input_uncached, Some(3));
    assert_eq!(finish_reason_of_body(OpenaiChat, body).as_deref(), Some("length"));
    let body = br#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":5}}"#;
    assert_eq!(usage_of_body(OpenaiResponses, body).input_uncached, Some(5));
    assert_eq!(finish_reason_of_body(OpenaiResponses, body).as_deref(), Some("max_output_tokens"));
    assert!(usage_of_body(Gemini, b"garbage").is_empty());
}

proptest! {
    /// Where the network cuts a stream changes nothing that is known at its end.
    #[test]
    fn chunking_is_invisible(size in 1usize..40, dialect in 0usize..4, seed in 0usize..3) {
        let streams = [
            "event: a\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\r\n\r\ndata: {\"type\":\"message_stop\"}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"é😀\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"é\"}]}}],\"usageMetadata\":{\"promptTokenCount\":2}}\r\rdata: {\"error\":{\"message\":\"x\"}}\n\n",
        ];
        let run = |size: usize| {
            let mut tap = Tap::new(Dialect::ALL[dialect]);
            for piece in streams[seed].as_bytes().chunks(size) {
                tap.push(piece);
            }
            let end = tap.finish();
            (end, tap.seen(), tap.usage(), tap.finish_reason().map(str::to_owned), tap.error().cloned())
        };
        prop_assert_eq!(run(size), run(1_000));
    }

    /// No bytes make it panic.
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64), json in "(\\{|\\}|\\[|\\]|\"choices\"|\"delta\"|\"type\"|:|,|1|\"x\"){0,12}") {
        for dialect in Dialect::ALL {
            let mut tap = Tap::new(dialect);
            tap.push(&bytes);
            tap.push(format!("\n\ndata: {json}\n\n").as_bytes());
            let _ = (tap.finish(), usage_of_body(dialect, &bytes), finish_reason_of_body(dialect, json.as_bytes()));
        }
    }
}

#[test]
fn a_finish_is_found_however_it_is_written() {
    let text = "{'choices':[{'delta':{'content':'x'},'finish_reason':null}]}";
    for finish in [
        "{'choices':[{'delta':{},'finish_reason' : 'stop'}]}",
        "{'choices':[{'finish_reason':null},{'finish_reason':\n'stop'}]}",
        "{'choices':[{'delta':{'content':'finish_reason'},'finish_reason':'stop'}]}",
    ] {
        let tap = check(OpenaiChat, &[(text, "m"), (&finish.replace('\n', ""), "t")], End::Clean);
        assert_eq!(tap.finish_reason(), Some("stop"));
    }
    let said = r#"{"choices":[{"delta":{"content":"\"finish_reason\":\"stop\""}}]}"#;
    check(OpenaiChat, &[(text, "m"), (said, "m")], End::Truncated);
}
