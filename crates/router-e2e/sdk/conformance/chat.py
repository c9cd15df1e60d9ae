"""The official openai SDK, Chat Completions."""

import httpx2
import openai

import cells
from cells import HELLO, LONG, PARALLEL, RESULT, WEATHER, NotHere, b64, fails, model, pdf, png

hooks = {"response": [lambda response: cells.note_loss(response.headers)]}
http = httpx2.Client(event_hooks=hooks, timeout=20)
client = openai.OpenAI(base_url=f"{cells.BASE}/v1", api_key="unused", max_retries=0, http_client=http)
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": cells.TOOL_SCHEMA, "strict": True}}
FREEFORM = {"type": "custom", "custom": {"name": "apply_patch", "description": "Applies a patch, written as plain text."}}


class Whole:
    """An answer, however it came."""

    def __init__(self):
        self.text, self.reasoning, self.refusal = "", "", ""
        self.finish, self.usage, self.calls = None, None, {}


def ask(stream, messages, name="demo-chat", **more):
    answer = Whole()
    if not stream:
        got = client.chat.completions.create(model=model(name), messages=messages, **more)
        choice = got.choices[0]
        answer.text, answer.finish, answer.usage = choice.message.content or "", choice.finish_reason, got.usage
        answer.refusal = choice.message.refusal or ""
        answer.reasoning = getattr(choice.message, "reasoning_content", None) or ""
        answer.calls = {n: call.to_dict() for n, call in enumerate(choice.message.tool_calls or [])}
        return answer
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=model(name), messages=messages, stream=True, stream_options=options, **more):
        answer.usage = chunk.usage or answer.usage
        for choice in chunk.choices:
            assert choice.index == 0
            answer.finish = choice.finish_reason or answer.finish
            answer.text += choice.delta.content or ""
            answer.refusal += choice.delta.refusal or ""
            answer.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for call in choice.delta.tool_calls or []:
                add_call(answer.calls, call)
    assert answer.finish, "no finish reason"
    assert answer.usage and answer.usage.prompt_tokens > 0, answer.usage
    return answer


def add_call(calls, delta):
    call = calls.setdefault(delta.index, {"id": delta.id, "type": delta.type})
    delta = delta.to_dict()
    kind, field = ("custom", "input") if "custom" in delta else ("function", "arguments")
    part = delta.get(kind) or {}
    body = call.setdefault(kind, {"name": "", field: ""})
    body["name"] += part.get("name") or ""
    body[field] += part.get(field) or ""


def user(content):
    return {"role": "user", "content": content}


def text(stream):
    cells.text_is_right(ask(stream, [{"role": "system", "content": "Be brief."}, user(HELLO)]).text)


def round_trip(stream, prompt, count, name="demo-chat", tools=(TOOL,), **more):
    first = ask(stream, [user(prompt)], name, tools=list(tools), **more)
    assert first.finish == "tool_calls", first.finish
    calls = [first.calls[n] for n in sorted(first.calls)]
    assert len(calls) >= count and len({call["id"] for call in calls}) == len(calls), calls
    turn = {"role": "assistant", "content": first.text or None, "tool_calls": calls}
    if first.reasoning:
        turn["reasoning_content"] = first.reasoning
    results = [{"role": "tool", "tool_call_id": call["id"], "content": RESULT} for call in calls]
    second = ask(stream, [user(prompt), turn, *results], name, tools=list(tools), **more)
    assert second.finish == "stop" and second.text, second.finish
    return first, second


def tools(stream):
    first, _ = round_trip(stream, WEATHER, 1)
    assert "city" in first.calls[0]["function"]["arguments"], first.calls


def parallel(stream):
    round_trip(stream, PARALLEL, 2)


def freeform(stream):
    first, _ = round_trip(stream, "Apply the patch with the tool.", 1, tools=[FREEFORM])
    assert first.calls[0]["type"] == "custom" and first.calls[0]["custom"]["input"], first.calls


def image(stream):
    url = f"data:image/png;base64,{b64(png())}"
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert "png" in ask(stream, [user(parts)]).text.lower()


def document(stream):
    data = f"data:application/pdf;base64,{b64(pdf())}"
    parts = [{"type": "text", "text": "What is this?"}, {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]
    assert "pdf" in ask(stream, [user(parts)]).text.lower()


def thinking(stream):
    round_trip(stream, WEATHER, 1, "demo-reasoner")


def structured(stream):
    schema = {"name": "weather", "schema": cells.SCHEMA, "strict": True}
    answer = ask(stream, [user("The weather as JSON.")], response_format={"type": "json_schema", "json_schema": schema})
    cells.schema_is_met(answer.text)


def cache(stream):
    messages = [{"role": "system", "content": LONG}, user(HELLO)]
    for _ in range(2):
        answer = ask(stream, messages, prompt_cache_key="session-1")
    usage = answer.usage
    assert usage.prompt_tokens_details.cached_tokens > 0, usage
    assert usage.prompt_tokens >= usage.prompt_tokens_details.cached_tokens, usage


def stop(stream):
    full = ask(stream, [user(HELLO)]).text
    word = full.split()[4]
    answer = ask(stream, [user(HELLO)], stop=[word])
    assert answer.finish == "stop" and word not in answer.text and answer.text, answer.text


def length(stream):
    answer = ask(stream, [user("Explain in 200 words.")], max_completion_tokens=20)
    assert answer.finish == "length" and answer.text, answer.finish


def refusal(stream):
    answer = ask(stream, [user(HELLO)], "demo-refuse")
    assert answer.refusal or answer.finish == "content_filter", (answer.finish, answer.text)


def early_error(stream):
    fails(lambda: ask(stream, [user(HELLO)], "demo-overloaded"), openai.APIStatusError, (503, 529))
    fails(lambda: ask(stream, [user(HELLO)], "demo-rate-limit-0"), openai.RateLimitError, (429,))


def mid_error(stream):
    if not stream:
        raise NotHere
    fails(lambda: ask(stream, [user(HELLO)], "demo-error-event-after"), openai.APIError)


def truncation(stream):
    fails(lambda: ask(stream, [user(HELLO)], "demo-cut"), openai.APIError)


cells.run(
    dict(zip(cells.CASES, [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, early_error, mid_error, truncation], strict=True)),
    lambda error: isinstance(error, openai.BadRequestError),
)
