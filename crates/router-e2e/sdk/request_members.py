"""Every member of every request type of the official SDKs, as changes to small requests.

    request_members.py [--write]

compares `crates/router-wire/fixtures/DIALECT/sdk-members.jsonl` with the types, or writes it (`cargo x members`).
A line is an entry. An entry is a request (`body`) and what may be put into it (`adds`): the
member's path in the types, a JSON pointer, and a value. A pointer that ends in a number inserts an item.
`crates/router-wire/tests/silent.rs` proves with them that no member is lost silently.
"""

import copy
import json
import pathlib
import sys

from request_types import ROOTS

PNG = "iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
# Texts that must mean something, by the member's name: two each.
TEXTS = {
    "arguments": ("{}", '{"a":"b"}'),
    "content_type": ("image/png", "text/plain"),
    "data": (PNG, "aGVsbG8gd29ybGQ="),
    "encrypted_content": ("c2VhbGVk", "c2VhbGVkIHR3aWNl"),
    "fileUri": ("https://example.com/a.png", "https://example.com/b.png"),
    "file_data": ("data:application/pdf;base64,JVBERi0=", "data:application/pdf;base64,JVBERi0xLjQ="),
    "filename": ("a.pdf", "b.pdf"),
    "id": ("call_1", "call_2"),
    "image_url": (f"data:image/png;base64,{PNG}", "https://example.com/b.png"),
    "call_id": ("call_1", "call_2"),
    "media_type": ("application/pdf", "text/plain"),
    "mimeType": ("image/png", "image/jpeg"),
    "name": ("f", "g"),
    "role": ("user", "model"),
    "signature": ("c2lnbmF0dXJl", "c2lnbmF0dXJlIHR3bw=="),
    "thoughtSignature": ("c2lnbmF0dXJl", "c2lnbmF0dXJlIHR3bw=="),
    "tool_call_id": ("call_1", "call_2"),
    "tool_use_id": ("call_1", "call_2"),
    "url": ("https://example.com/a.png", "https://example.com/b.png"),
    "uri": ("https://example.com/a.png", "https://example.com/b.png"),
}
ANY = {
    "schema": SCHEMA,
    "input_schema": SCHEMA,
    "parameters": SCHEMA,
    "parametersJsonSchema": SCHEMA,
    "responseJsonSchema": SCHEMA,
}
WHOLES = {"budget_tokens": 1024, "max_tokens": 4096, "n": 2, "candidateCount": 2}
# Objects up to this deep (a part of a message) are entered wherever they stand, those below once.
WIDE = 3
# Objects of which the types require nothing, and what makes them ones.
MADE = {
    "types.Content": {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
    "Part": {"text": "hi"},
    "Tool": {"functionDeclarations": [{"name": "f"}]},
    "FunctionDeclaration": {"name": "f"},
    "FunctionCall": {"id": "call_1", "name": "f", "args": {"a": "b"}},
    "FunctionResponse": {"id": "call_1", "name": "f", "response": {"output": "done"}},
    "Blob": {"mimeType": "image/png", "data": PNG},
    "FileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"},
    "Schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    "FunctionResponseBlob": {"mimeType": "image/png", "data": PNG},
    "FunctionResponseFileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"},
    "FunctionResponsePart": {"inlineData": {"mimeType": "image/png", "data": PNG}},
    "File": {"type": "file", "file": {"filename": "a.pdf", "file_data": TEXTS["file_data"][0]}},
    "FileFile": {"filename": "a.pdf", "file_data": TEXTS["file_data"][0]},
    "JSONSchema": {"name": "f", "schema": SCHEMA},
    "ResponseInputFileParam": {"type": "input_file", "filename": "a.pdf", "file_data": TEXTS["file_data"][0]},
    "ResponseInputFileContentParam": {"type": "input_file", "filename": "a.pdf", "file_data": TEXTS["file_data"][0]},
    "ResponseInputImageParam": {"type": "input_image", "detail": "auto", "image_url": TEXTS["image_url"][0]},
    "ResponseInputImageContentParam": {"type": "input_image", "image_url": TEXTS["image_url"][0]},
    "FunctionCallOutput": {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    "ChatCompletionAllowedToolsParam": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    "ToolChoiceAllowedParam": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "ChatCompletionAssistantMessageParam": {"role": "assistant", "content": "yo"},
    "BetaSystemMessageParam": {"role": "system", "content": "be brief"},
}
# Of these members an object has one: with another one beside it, it would be a different request.
ONE_OF = {
    "Part": {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"},
    "FunctionResponsePart": {"inlineData", "fileData"},
    "FileFile": {"file_data", "file_id"},
    "ResponseInputFileParam": {"file_data", "file_id", "file_url"},
    "ResponseInputFileContentParam": {"file_data", "file_id", "file_url"},
    "ResponseInputImageParam": {"image_url", "file_id"},
    "ResponseInputImageContentParam": {"image_url", "file_id"},
}


def short(node):
    """The name of an object's type."""
    return node.name.rsplit(".", 1)[-1]


def made(node):
    """What stands in `MADE` for a type; Google's `Content` is not OpenAI's."""
    return MADE.get("types.Content" if node.name == "google.genai.types.Content" else short(node))


def samples(node, name, stack=()):
    """Values for a member called `name`; the first is the one to build on."""
    kind = node.kind
    if kind == "text":
        return list(TEXTS.get(name, (f"some {name}", f"other {name}")))
    if kind == "whole":
        return [WHOLES.get(name, 3)]
    if kind == "number":
        return [7 if name == "topK" else 0.5]
    if kind == "flag":
        return [True, False]
    if kind == "word":
        return list(node.words)
    if kind == "any":
        return [copy.deepcopy(ANY.get(name, {"a": "b"}))]
    if kind == "list":
        return [[one] for one in samples(node.of[0], name, stack)]
    if kind == "map":
        return [{"a": samples(node.of[0], "a", stack)[0]}]
    if kind == "either":
        return [one for each in node.of for one in samples(each, name, stack)]
    return [minimal(node, stack)]


def minimal(node, stack=()):
    """The smallest object of this type."""
    if made(node):
        return copy.deepcopy(made(node))
    if node.name in stack:
        return {}
    stack = (*stack, node.name)
    return {name: samples(member, name, stack)[0] for name, (member, required) in node.members().items() if required}


def objects(node):
    """The objects among the alternatives of a value, each with the lists and maps around it."""
    if node.kind == "object":
        return [((), node)]
    if node.kind in ("list", "map"):
        return [((node.kind, *around), inner) for around, inner in objects(node.of[0])]
    if node.kind == "either":
        return [one for each in node.of for one in objects(each)]
    return []


class Members:
    def __init__(self, surround):
        self.surround = surround
        self.entries = []
        self.deep = set()

    def walk(self, node, path, place, stack=()):
        """`place` puts an object of this type into a request, and says where."""
        if node.name in stack or (len(stack) >= WIDE and node.name in self.deep):
            return
        if len(stack) >= WIDE:
            self.deep.add(node.name)
        stack = (*stack, node.name)
        base = minimal(node)
        body, at = place(base)
        alternatives = ONE_OF.get(short(node), ())
        adds = []
        for name, (member, required) in node.members().items():
            values = samples(member, name)
            if required:
                values = values[1:] if member.kind in ("text", "word") else []
            if name not in alternatives:
                said = [value for value in values if value != base.get(name) and value != {} and value != [{}]]
                adds += [[f"{path}.{name}", f"{at}/{name}", value] for value in said]
        if adds:
            self.entries.append({"body": body, "adds": adds})
        for name, (member, _) in node.members().items():
            host = {key: value for key, value in base.items() if key not in alternatives} if name in alternatives else base
            for around, inner in objects(member):
                self.enter(around, inner, f"{path}.{name}", lambda value, host=host, name=name: below(place, host, name, value), stack)

    def enter(self, around, inner, path, place, stack):
        if not around:
            return self.walk(inner, path, place, stack)
        if around[0] == "map":
            return self.enter(around[1:], inner, f"{path}{{}}", lambda value: deeper(place({"a": value}), "a"), stack)
        path = f"{path}[{short(inner)}]"
        before, after = self.surround(path, inner)

        def item(value):
            return deeper(place([*before, value, *after]), len(before))

        if len(around) == 1 and inner.name not in stack:
            self.whole(inner, path, before, after, place)
        return self.enter(around[1:], inner, path, item, stack)

    def whole(self, inner, path, before, after, place):
        """The item as such: a list with it says more than one without it."""
        if not before and not after:
            return
        body, at = place([*before, *after])
        values = [minimal(inner)]
        if short(inner) in ONE_OF:
            rest = {name: value for name, value in values[0].items() if name not in ONE_OF[short(inner)]}
            values = [{**rest, name: samples(node, name)[0]} for name, (node, _) in inner.members().items() if name in ONE_OF[short(inner)]]
        self.entries.append({"body": body, "adds": [[path, f"{at}/{len(before)}", value] for value in values]})


def below(place, host, name, value):
    return deeper(place({**host, name: value}), name)


def deeper(placed, step):
    body, at = placed
    return body, f"{at}/{step}"


CHAT_USER = {"role": "user", "content": "hi"}
CHAT_CALL = {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
CHAT_TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
MESSAGES_TOOL = {"name": "f", "input_schema": SCHEMA}


def chat_around(path, inner):
    if path.startswith(".messages[") and path.count("[") == 1:
        if "Tool" in short(inner):
            return [CHAT_USER, CHAT_CALL], []
        if "FunctionMessage" in short(inner):
            return [CHAT_USER, {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}], []
        return [CHAT_USER], [] if "Assistant" not in short(inner) else [CHAT_USER]
    if ".content[" in path:
        return [{"type": "text", "text": "hi"}], []
    return [], []


def responses_around(path, inner):
    if path.startswith(".input[") and path.count("[") == 1:
        before = [{"role": "user", "content": "hi"}]
        kinds = {"FunctionCallOutput": ("function_call", {"name": "f", "arguments": "{}"}), "ResponseCustomToolCallOutputParam": ("custom_tool_call", {"name": "f", "input": "x"})}
        if short(inner) in kinds:
            kind, more = kinds[short(inner)]
            before.append({"type": kind, "call_id": "call_1", **more})
        # Reasoning belongs to what follows it.
        reasons = "ReasoningItem" in short(inner)
        return before, [{"role": "assistant", "content": "yo"}, {"role": "user", "content": "go on"}] if reasons else []
    if ".content[" in path:
        kind = "output_text" if "Output" in path else "input_text"
        return [{"type": kind, "text": "hi", **({"annotations": []} if kind == "output_text" else {})}], []
    if ".output[" in path:
        return [{"type": "input_text", "text": "hi"}], []
    if path.startswith(".tools[") and path.count("[") == 1:
        return [{"type": "function", "name": "g", "parameters": SCHEMA}], []
    return [], []


def messages_around(path, inner):
    if path.startswith(".messages[") and path.count("[") == 1:
        return ([{"role": "user", "content": "hi"}], []) if "User" not in short(inner) else ([], [])
    if path.startswith(".messages[") and path.count("[") == 2 and ".content[" in path:
        return [{"type": "text", "text": "hi"}], []
    if ".content[" in path:
        return [{"type": "text", "text": "hi"}], []
    if path.startswith(".system["):
        return [{"type": "text", "text": "hi"}], []
    if path.startswith(".tools[") and path.count("[") == 1:
        return [{"name": "g", "input_schema": SCHEMA}], []
    return [], []


def gemini_around(path, inner):
    if path.endswith(".parts[Part]"):
        return [{"text": "hi"}], []
    if path == ".tools[Tool]":
        return [{"functionDeclarations": [{"name": "g"}]}], []
    return [], []


SURROUND = {"openai-chat": chat_around, "openai-responses": responses_around, "anthropic": messages_around, "gemini": gemini_around}
BASES = {
    "openai-chat": {"model": "m", "messages": [CHAT_USER], "tools": [CHAT_TOOL]},
    "openai-responses": {"model": "m", "input": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}], "max_output_tokens": 4096},
    "anthropic": {"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}], "tools": [MESSAGES_TOOL]},
    "gemini": {"contents": [MADE["types.Content"]], "tools": [MADE["Tool"]], "generationConfig": {"maxOutputTokens": 4096}},
}


def entries(dialect):
    root = ROOTS[dialect]
    MADE[short(root)] = BASES[dialect]
    members = Members(SURROUND[dialect])
    members.walk(root, "", lambda value: (value, ""))
    return members.entries


FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "router-wire" / "fixtures"

if __name__ == "__main__":
    for dialect in ROOTS:
        path = FIXTURES / dialect / "sdk-members.jsonl"
        fresh = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries(dialect))
        if "--write" in sys.argv:
            path.write_text(fresh)
        elif path.read_text() != fresh:
            sys.exit(f"{path.name} of {dialect} is stale; run `cargo x members`")
