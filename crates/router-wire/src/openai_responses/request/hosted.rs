//! Items and tools of the vendor: what becomes of them elsewhere.
//!
//! The shell and patch tools are run by the client, so to another upstream they are functions of
//! a known schema, and its calls come back as the item the client waits for:
//!
//! ```text
//! tool `apply_patch`   function `apply_patch`   call item `apply_patch_call`   {"operation": input}
//! tool `shell`         function `shell`         call item `shell_call`         {"action": input}
//! tool `local_shell`   function `local_shell`   call item `local_shell_call`   {"action": {"type": "exec", input}}
//! ```

use std::borrow::Cow;

use crate::canonical::{Extra, Fallback, Function, Json, Opaque};
use crate::json::{Cursor, JsonError, Kind, Object, Raw, Str};

const PATCH_SCHEMA: &str = r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"],"description":"What to do with the file."},"path":{"type":"string","description":"Path of the file."},"diff":{"type":"string","description":"The change in V4A diff form; not for delete_file."}},"required":["type","path"]}"#;

const SHELL_SCHEMA: &str = r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"},"description":"Commands to run, each in a shell of its own."},"timeout_ms":{"type":"integer","description":"Longest time to wait, in milliseconds."},"max_output_length":{"type":"integer","description":"Most characters of output to return."}},"required":["commands"]}"#;

const LOCAL_SHELL_SCHEMA: &str = r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},"env":{"type":"object","additionalProperties":{"type":"string"},"description":"Environment variables to set."},"timeout_ms":{"type":"integer","description":"Longest time to wait, in milliseconds."},"user":{"type":"string","description":"User to run as."},"working_directory":{"type":"string","description":"Directory to run in."}},"required":["command"]}"#;

/// What becomes of a tool that the vendor defines; `extras` is what it has besides.
pub(super) fn tool_fallback<'a>(kind: &str, extras: Vec<Extra<'a>>) -> Fallback<'a> {
    let (name, what, schema) = match kind {
        "apply_patch" => ("apply_patch", "Creates, changes or deletes a file.", PATCH_SCHEMA),
        "shell" => ("shell", "Runs shell commands.", SHELL_SCHEMA),
        "local_shell" => ("local_shell", "Runs a program.", LOCAL_SHELL_SCHEMA),
        "tool_search" => return Fallback::Drop("all tools are sent up front"),
        "file_search"
        | "code_interpreter"
        | "image_generation"
        | "mcp"
        | "computer"
        | "computer_use"
        | "computer_use_preview"
        | "programmatic_tool_calling" => {
            return Fallback::Refuse("OpenAI runs this tool, no other vendor has it");
        }
        "namespace" => return Fallback::Refuse("a group of tools inside a group"),
        _ => return Fallback::Refuse("unknown type of tool"),
    };
    let mut function = Function::new(Str::plain(name));
    function.description = Some(Str::plain(what));
    function.parameters = Some(Json(Cow::Borrowed(schema)));
    function.extras = extras;
    Fallback::Function(Box::new(function))
}

/// The function that stands in for the tool of this item type.
pub(crate) fn function_name(item: &str) -> &'static str {
    match item {
        "shell_call" => "shell",
        "local_shell_call" => "local_shell",
        _ => "apply_patch",
    }
}

/// The function's arguments that say the same as a hosted call's action.
pub(crate) fn input<'a>(item: &str, action: Raw<'a>) -> Result<Json<'a>, JsonError> {
    if action.kind() != Kind::Object {
        return Err(JsonError::new(action.at(), "expected an object"));
    }
    if item != "local_shell_call" {
        return Ok(action.into());
    }
    let mut text = Vec::with_capacity(action.text().len());
    let mut object = Object::new(&mut text);
    let mut c = action.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let raw = c.raw()?;
        if key != "type" && raw.kind() != Kind::Null {
            object.raw(&key, raw.text());
        }
    }
    object.end();
    // Made of checked JSON, hence of UTF-8.
    Ok(Json(Cow::Owned(String::from_utf8(text).unwrap_or_default())))
}

/// Text and failure of a hosted call's result.
pub(super) fn output<'a>(
    output: Option<Raw<'a>>,
    status: Option<&str>,
) -> Result<(Str<'a>, bool), JsonError> {
    let mut failed = status == Some("failed");
    let text = match output {
        None => Str::plain(if failed { "failed" } else { "done" }),
        Some(raw) if raw.kind() == Kind::String => raw.cursor().str()?,
        Some(raw) if raw.kind() == Kind::Array => {
            let mut text = String::new();
            let mut c = raw.cursor();
            let mut items = c.array()?;
            while items.next(&mut c)?.is_some() {
                failed |= command_output(&mut c, &mut text)?;
            }
            text.into()
        }
        Some(raw) => Str::plain(raw.text()),
    };
    Ok((text, failed))
}

/// One command's output as text; whether the command failed.
fn command_output(c: &mut Cursor<'_>, text: &mut String) -> Result<bool, JsonError> {
    let mut failed = false;
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match key.as_ref() {
            "stdout" | "stderr" => {
                let part = c.opt(Cursor::string)?.unwrap_or_default();
                if !part.is_empty() && !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&part);
            }
            "outcome" => {
                let mut members = c.object()?;
                while let Some(key) = members.next(c)? {
                    match key.as_ref() {
                        "type" if c.kind()? == Kind::String && c.string()? == "timeout" => {
                            text.push_str("\n[timed out]");
                            failed = true;
                        }
                        "exit_code" => {
                            let code = c.opt(Cursor::i64)?.unwrap_or(0);
                            if code != 0 {
                                text.push_str("\n[exit code ");
                                text.push_str(&code.to_string());
                                text.push(']');
                                failed = true;
                            }
                        }
                        "type" => {}
                        _ => c.skip()?,
                    }
                }
            }
            _ => c.skip()?,
        }
    }
    Ok(failed)
}

/// What becomes of an item that only this dialect has.
pub(super) fn fallback<'a>(kind: &str, raw: Raw<'a>) -> Fallback<'a> {
    match kind {
        "web_search_call"
        | "file_search_call"
        | "code_interpreter_call"
        | "mcp_list_tools"
        | "mcp_call" => Fallback::Text(summary(kind, raw).into()),
        "tool_search_call" => Fallback::Drop("all tools are sent up front"),
        "image_generation_call" => Fallback::Drop("the image is not part of the item"),
        "item_reference" => Fallback::Refuse("the router keeps no items; send the item itself"),
        "compaction" | "compaction_summary" | "compaction_trigger" => {
            Fallback::Refuse("only OpenAI can read a compacted conversation")
        }
        "computer_call"
        | "computer_call_output"
        | "mcp_approval_request"
        | "mcp_approval_response"
        | "program"
        | "program_output" => {
            Fallback::Refuse("this kind of item exists in the Responses API only")
        }
        _ => Fallback::Refuse("unknown kind of item"),
    }
}

/// Most characters of one member in a summary.
const SUMMARY_MEMBER_MAX: usize = 4_000;

/// What a call of the vendor's tools did, in words for another model.
fn summary(kind: &str, raw: Raw<'_>) -> String {
    let mut text = format!("[{}", kind.replace('_', " "));
    // The item was checked as a whole, so nothing fails here; what is not an object stays short.
    let _ = members(raw, &mut text);
    text.push(']');
    text
}

fn members(raw: Raw<'_>, text: &mut String) -> Result<(), JsonError> {
    let mut c = raw.cursor();
    let mut members = c.object()?;
    while let Some(key) = members.next(&mut c)? {
        let value = c.raw()?;
        let telling = matches!(
            key.as_ref(),
            "action"
                | "queries"
                | "results"
                | "code"
                | "outputs"
                | "name"
                | "server_label"
                | "arguments"
                | "output"
                | "error"
                | "tools"
        );
        if !telling || value.kind() == Kind::Null {
            continue;
        }
        text.push('\n');
        text.push_str(&key);
        text.push_str(": ");
        let shown = match value.kind() {
            Kind::String => value.cursor().string()?,
            _ => Cow::Borrowed(value.text()),
        };
        text.extend(shown.chars().take(SUMMARY_MEMBER_MAX));
    }
    Ok(())
}

/// Marks withheld thinking in the family's name: the dialect has no other place that clients keep.
const REDACTED: &str = "_redacted";

/// The state without the mark, and whether it was there.
pub(super) fn unmark(opaque: Opaque<'_>) -> (Opaque<'_>, bool) {
    let Some(family) = opaque.family.as_deref().and_then(|family| family.strip_suffix(REDACTED))
    else {
        return (opaque, false);
    };
    let family = (!family.is_empty()).then(|| Cow::Owned(family.to_owned()));
    (Opaque { family, ..opaque }, true)
}

/// The members of a hosted call item, but `id` and `status`. `input` are the function's arguments
/// as JSON text.
pub(crate) fn write_hosted_call(item: &mut Object<'_>, kind: &str, call_id: &Str<'_>, input: &str) {
    item.text("type", kind).str("call_id", call_id);
    match kind {
        "apply_patch_call" => drop(item.raw("operation", input)),
        "local_shell_call" => {
            let buffer = item.key("action");
            buffer.extend_from_slice(br#"{"type":"exec""#);
            // The client's type has `env` always.
            if !input.contains("\"env\"") {
                buffer.extend_from_slice(br#","env":{}"#);
            }
            let rest = input.trim_ascii_start().strip_prefix('{').unwrap_or("}");
            if !rest.trim_ascii_start().starts_with('}') {
                buffer.push(b',');
            }
            buffer.extend_from_slice(rest.as_bytes());
        }
        _ => drop(item.raw("action", input)),
    }
}
/// The state with the mark of withheld thinking, for `unmark` to find.
pub(crate) fn mark_redacted<'a>(opaque: &Opaque<'a>) -> Opaque<'a> {
    let family = opaque.family.as_deref().unwrap_or_default();
    Opaque { family: Some(Cow::Owned(format!("{family}{REDACTED}"))), ..opaque.clone() }
}
