"""One client dialect against the upstreams named on the command line: runs every case in both modes, and prints a
line of JSON for each cell: {"upstream", "case", "mode", "result": "pass" | "loss" | "refused" | "fail", "say"}.
"""

import base64
import json
import struct
import sys
import traceback
import zlib

BASE = sys.argv[1].rstrip("/")
PROVIDERS = sys.argv[2:]
# The one that is asked now.
PROVIDER = ""

CASES = [
    "text",
    "tools",
    "parallel tools",
    "freeform tool",
    "image",
    "PDF",
    "thinking round trip",
    "structured output",
    "cache",
    "stop sequence",
    "length stop",
    "refusal",
    "error before output",
    "error in mid-stream",
    "truncation",
]

# What the conversation is about, in every dialect.
HELLO = "Say hello."
WEATHER = "What is the weather in Paris? Use the tool."
PARALLEL = "Call the tool for Paris and for Rome in parallel."
RESULT = "18 degrees, sunny"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
# Long enough for every vendor's smallest cacheable prefix.
LONG = " ".join(f"Rule {n}: answer question number {n} with care and in full sentences." for n in range(400))

LOSSES = []


def model(name="demo-chat"):
    return f"{PROVIDER}/{name}"


def note_loss(headers):
    loss = headers.get("x-llm-router-loss")
    if loss:
        LOSSES.append(loss)


class NotHere(Exception):
    """The case does not exist in this client's dialect."""


def png(width=2, height=3):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pdf():
    return b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def b64(data):
    return base64.b64encode(data).decode()


def text_is_right(text):
    assert text and "hello" in text.lower(), f"text: {text!r}"


def schema_is_met(text):
    value = json.loads(text)
    assert isinstance(value["city"], str) and isinstance(value["degrees"], int), value
    assert set(value) == {"city", "degrees"}, value


def fails(run, errors, status=None):
    """The error that `run` has to raise."""
    try:
        value = run()
    except errors as error:
        code = getattr(error, "status_code", None) or getattr(error, "code", None)
        assert status is None or code in status, f"status {code}: {error}"
        return error
    raise AssertionError(f"ended as if all were well: {value!r}")


def run(cases, is_refusal):
    """Runs `cases`: name to a function of the mode (`whole` or `stream`)."""
    global PROVIDER
    for PROVIDER in PROVIDERS:
        for case in CASES:
            for mode in ("whole", "stream"):
                result, say = cell(cases[case], mode, is_refusal)
                print(json.dumps({"upstream": PROVIDER, "case": case, "mode": mode, "result": result, "say": say}), flush=True)


def cell(case, mode, is_refusal):
    LOSSES.clear()
    try:
        case(mode == "stream")
    except NotHere:
        return "none", ""
    except Exception as error:  # noqa: BLE001 - any way of failing is a failed cell
        if is_refusal(error):
            return "refused", str(error)
        return "fail", traceback.format_exc(limit=-3)
    return ("loss", LOSSES[0]) if LOSSES else ("pass", "")
