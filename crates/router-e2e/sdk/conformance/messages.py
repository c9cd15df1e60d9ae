"""The official anthropic SDK, Messages."""

import anthropic
import httpx2

import cells
from cells import HELLO, LONG, PARALLEL, RESULT, WEATHER, NotHere, b64, fails, model, pdf, png

hooks = {"response": [lambda response: cells.note_loss(response.headers)]}
http = httpx2.Client(event_hooks=hooks, timeout=20)
client = anthropic.Anthropic(base_url=cells.BASE, api_key="unused", max_retries=0, http_client=http)
TOOL = {"name": "get_weather", "description": "The weather of a city.", "input_schema": cells.TOOL_SCHEMA}


def ask(stream, messages, name="demo-chat", max_tokens=2048, **more):
    more = {"model": model(name), "messages": messages, "max_tokens": max_tokens, **more}
    if not stream:
        answer = client.messages.create(**more)
    else:
        with client.messages.stream(**more) as got:
            answer = got.get_final_message()
    assert answer.stop_reason, "no stop reason"
    assert answer.usage.input_tokens is not None and answer.usage.output_tokens > 0, answer.usage
    return answer


def words(answer):
    return "".join(block.text for block in answer.content if block.type == "text")


def user(content):
    return {"role": "user", "content": content}


def text(stream):
    cells.text_is_right(words(ask(stream, [user(HELLO)], system="Be brief.")))


def round_trip(stream, prompt, count, name="demo-chat", **more):
    first = ask(stream, [user(prompt)], name, tools=[TOOL], **more)
    assert first.stop_reason == "tool_use", first.stop_reason
    calls = [block for block in first.content if block.type == "tool_use"]
    assert len(calls) >= count and len({call.id for call in calls}) == len(calls), calls
    assert all("city" in call.input for call in calls), calls
    content = [block.to_dict() for block in first.content]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT} for call in calls]
    turns = [user(prompt), {"role": "assistant", "content": content}, user(results)]
    second = ask(stream, turns, name, tools=[TOOL], **more)
    assert second.stop_reason == "end_turn" and words(second), second
    return first, second


def tools(stream):
    round_trip(stream, WEATHER, 1)


def parallel(stream):
    round_trip(stream, PARALLEL, 2)


def freeform(_):
    raise NotHere


def image(stream):
    source = {"type": "base64", "media_type": "image/png", "data": b64(png())}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    assert "png" in words(ask(stream, [user(parts)])).lower()


def document(stream):
    source = {"type": "base64", "media_type": "application/pdf", "data": b64(pdf())}
    parts = [{"type": "document", "source": source}, {"type": "text", "text": "What is this?"}]
    assert "pdf" in words(ask(stream, [user(parts)])).lower()


def thinking(stream):
    more = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    round_trip(stream, WEATHER, 1, "demo-reasoner", **more)


def structured(stream):
    form = {"format": {"type": "json_schema", "schema": cells.SCHEMA}}
    cells.schema_is_met(words(ask(stream, [user("The weather as JSON.")], output_config=form)))


def cache(stream):
    system = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    for _ in range(2):
        answer = ask(stream, [user(HELLO)], system=system)
    assert answer.usage.cache_read_input_tokens > 0, answer.usage
    assert answer.usage.input_tokens < 1000, answer.usage


def stop(stream):
    word = words(ask(stream, [user(HELLO)])).split()[4]
    answer = ask(stream, [user(HELLO)], stop_sequences=[word])
    assert word not in words(answer) and words(answer), words(answer)
    assert answer.stop_reason in ("stop_sequence", "end_turn"), answer.stop_reason


def length(stream):
    answer = ask(stream, [user("Explain in 200 words.")], max_tokens=20)
    assert answer.stop_reason == "max_tokens" and words(answer), answer.stop_reason


def refusal(stream):
    answer = ask(stream, [user(HELLO)], "demo-refuse")
    assert answer.stop_reason == "refusal", answer.stop_reason


def early_error(stream):
    fails(lambda: ask(stream, [user(HELLO)], "demo-overloaded"), anthropic.APIStatusError, (503, 529))
    fails(lambda: ask(stream, [user(HELLO)], "demo-rate-limit-0"), anthropic.RateLimitError, (429,))


def mid_error(stream):
    if not stream:
        raise NotHere
    fails(lambda: ask(stream, [user(HELLO)], "demo-error-event-after"), anthropic.APIError)


def truncation(stream):
    fails(lambda: ask(stream, [user(HELLO)], "demo-cut"), anthropic.APIError)


cells.run(
    dict(zip(cells.CASES, [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, early_error, mid_error, truncation], strict=True)),
    lambda error: isinstance(error, anthropic.BadRequestError),
)
