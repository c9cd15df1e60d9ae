"""The official openai SDK, Responses."""

import httpx2
import openai

import cells
from cells import HELLO, LONG, PARALLEL, RESULT, WEATHER, NotHere, b64, fails, model, pdf, png

hooks = {"response": [lambda response: cells.note_loss(response.headers)]}
http = httpx2.Client(event_hooks=hooks, timeout=20)
client = openai.OpenAI(base_url=f"{cells.BASE}/v1", api_key="unused", max_retries=0, http_client=http)
TOOL = {"type": "function", "name": "get_weather", "description": "The weather of a city.", "parameters": cells.TOOL_SCHEMA, "strict": True}
FREEFORM = {"type": "custom", "name": "apply_patch", "description": "Applies a patch, written as plain text."}


class Failed(Exception):
    """The response says itself that it failed."""


def ask(stream, turns, name="demo-chat", **more):
    more = {"model": model(name), "input": turns, "store": False, **more}
    if not stream:
        answer = client.responses.create(**more)
    else:
        answer, text, number = None, "", -1
        for event in client.responses.create(stream=True, **more):
            assert event.sequence_number > number, event
            number = event.sequence_number
            if event.type == "error":
                raise Failed(event.message)
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type in ("response.completed", "response.incomplete", "response.failed"):
                answer = event.response
        assert answer, "no terminal event"
        if answer.status != "failed":
            assert answer.output_text == text, (answer.output_text, text)
    if answer.status == "failed":
        raise Failed(answer.error.message)
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage
    return answer


def user(content):
    return {"role": "user", "content": content}


def text(stream):
    cells.text_is_right(ask(stream, HELLO, instructions="Be brief.").output_text)


def round_trip(stream, prompt, count, kind="function_call", name="demo-chat", **more):
    first = ask(stream, [user(prompt)], name, **more)
    calls = [item for item in first.output if item.type == kind]
    assert len(calls) >= count and len({call.call_id for call in calls}) == len(calls), first.output
    items = [item.to_dict() for item in first.output]
    results = [{"type": f"{kind}_output", "call_id": call.call_id, "output": RESULT} for call in calls]
    second = ask(stream, [user(prompt), *items, *results], name, **more)
    assert second.status == "completed" and second.output_text, second
    return calls


def tools(stream):
    assert "city" in round_trip(stream, WEATHER, 1, tools=[TOOL])[0].arguments


def parallel(stream):
    round_trip(stream, PARALLEL, 2, tools=[TOOL], parallel_tool_calls=True)


def freeform(stream):
    calls = round_trip(stream, "Apply the patch with the tool.", 1, "custom_tool_call", tools=[FREEFORM])
    assert calls[0].input, calls


def image(stream):
    url = f"data:image/png;base64,{b64(png())}"
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
    assert "png" in ask(stream, [user(parts)]).output_text.lower()


def document(stream):
    data = f"data:application/pdf;base64,{b64(pdf())}"
    parts = [{"type": "input_text", "text": "What is this?"}, {"type": "input_file", "filename": "a.pdf", "file_data": data}]
    assert "pdf" in ask(stream, [user(parts)]).output_text.lower()


def thinking(stream):
    more = {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    round_trip(stream, WEATHER, 1, name="demo-reasoner", tools=[TOOL], **more)


def structured(stream):
    form = {"format": {"type": "json_schema", "name": "weather", "schema": cells.SCHEMA, "strict": True}}
    cells.schema_is_met(ask(stream, "The weather as JSON.", text=form).output_text)


def cache(stream):
    for _ in range(2):
        answer = ask(stream, [user(HELLO)], instructions=LONG, prompt_cache_key="session-1")
    assert answer.usage.input_tokens_details.cached_tokens > 0, answer.usage


def stop(_):
    raise NotHere


def length(stream):
    answer = ask(stream, "Explain in 200 words.", max_output_tokens=20)
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens", answer


def refusal(stream):
    answer = ask(stream, HELLO, "demo-refuse")
    parts = [part.type for item in answer.output if item.type == "message" for part in item.content]
    filtered = answer.incomplete_details and answer.incomplete_details.reason == "content_filter"
    assert "refusal" in parts or filtered, answer


def early_error(stream):
    fails(lambda: ask(stream, HELLO, "demo-overloaded"), openai.APIStatusError, (503, 529))
    fails(lambda: ask(stream, HELLO, "demo-rate-limit-0"), openai.RateLimitError, (429,))


def mid_error(stream):
    if not stream:
        raise NotHere
    fails(lambda: ask(stream, HELLO, "demo-error-event-after"), (openai.APIError, Failed))


def truncation(stream):
    fails(lambda: ask(stream, HELLO, "demo-cut"), (openai.APIError, Failed))


cells.run(
    dict(zip(cells.CASES, [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, early_error, mid_error, truncation], strict=True)),
    lambda error: isinstance(error, openai.BadRequestError),
)
