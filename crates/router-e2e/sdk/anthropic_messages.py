"""The official anthropic SDK for Python, Messages."""

import anthropic

from judge import BASE, claim, done, png, raises

client = anthropic.Anthropic(base_url=BASE, api_key="unused", max_retries=0, timeout=20)
HELLO = [{"role": "user", "content": "Say hello."}]
TOOL = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
WEATHER = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]


def create(model="demo-chat", messages=HELLO, **more):
    return client.messages.create(model=model, messages=messages, max_tokens=1024, **more)


@claim("text")
def _():
    answer = create(model="demo/demo-chat")
    assert answer.content[0].text and answer.stop_reason == "end_turn", answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer
    assert answer._request_id, "no request-id"


@claim("both of the older prefixes and the address without a version")
def _():
    for base in (f"{BASE}/anthropic", f"{BASE}/anthropic/"):
        other = client.with_options(base_url=base)
        assert other.messages.create(model="demo-chat", messages=HELLO, max_tokens=64).content


@claim("the stream adds up to the whole answer")
def _():
    whole = create().content[0].text
    with client.messages.stream(model="demo-chat", messages=HELLO, max_tokens=1024) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole == final.content[0].text, (text, whole)
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final


@claim("a tool round trip, streamed")
def _():
    with client.messages.stream(
        model="demo-chat", messages=WEATHER, tools=[TOOL], max_tokens=1024
    ) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use", first
    call = next(block for block in first.content if block.type == "tool_use")
    assert call.name == "get_weather" and "city" in call.input, call
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees, sunny"}
    content = [block.to_dict() for block in first.content]
    turns = WEATHER + [
        {"role": "assistant", "content": content},
        {"role": "user", "content": [result]},
    ]
    answer = create(messages=turns, tools=[TOOL])
    assert answer.stop_reason == "end_turn", answer


@claim("a picture")
def _():
    source = {"type": "base64", "media_type": "image/png", "data": png()}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    answer = create(messages=[{"role": "user", "content": parts}])
    assert "png" in answer.content[0].text.lower(), answer


@claim("tokens are counted upstream")
def _():
    count = client.messages.count_tokens(model="demo-chat", messages=HELLO)
    assert count.input_tokens > 0, count


@claim("errors are of the SDK's own classes")
def _():
    raises(anthropic.NotFoundError, lambda: create(model="no-such-model"), 404, "no-such-model")
    raises(anthropic.RateLimitError, lambda: create(model="demo-rate-limit-0"), 429)
    raises(anthropic.AuthenticationError, lambda: create(model="demo-auth"), 401)
    raises(anthropic.BadRequestError, lambda: create(extra_body={"no_such_member": 1}), 400)
    error = raises(anthropic.InternalServerError, lambda: create(model="demo-overloaded"), 529)
    assert error.body["error"]["type"] == "overloaded_error", error.body


@claim("a stream that breaks raises, and does not just end")
def _():
    def read(model):
        def run():
            with client.messages.stream(model=model, messages=HELLO, max_tokens=64) as stream:
                stream.get_final_message()

        return run

    for model in ("demo-cut-5", "demo-reset-body-5", "demo-no-terminal", "demo-error-event-after"):
        raises(anthropic.APIError, read(model))


@claim("models, one and all")
def _():
    names = {model.id for model in client.models.list(limit=1000)}
    assert "demo/demo-chat" in names, names
    assert client.models.retrieve("demo/demo-chat").display_name


done()
