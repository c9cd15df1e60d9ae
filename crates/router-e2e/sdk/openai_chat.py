"""The official openai SDK for Python, Chat Completions."""

import openai

from judge import BASE, claim, done, png, raises

client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", max_retries=0, timeout=20)
chat = client.chat.completions
HELLO = [{"role": "user", "content": "Say hello."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def as_sent(call):
    """A call as it came over the wire, without what the SDK's helpers add."""
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"id": call.id, "type": "function", "function": function}


WEATHER = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]


@claim("text")
def _():
    answer = chat.create(model="demo/demo-chat", messages=HELLO)
    assert answer.choices[0].message.content, answer
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0, answer
    assert answer._request_id, "no x-request-id"


@claim("a bare model name that is unique")
def _():
    assert chat.create(model="demo-chat", messages=HELLO).choices[0].message.content


@claim("the stream adds up to the whole answer")
def _():
    whole = chat.create(model="demo-chat", messages=HELLO).choices[0].message.content
    text, finish, usage = "", None, None
    options = {"include_usage": True}
    for chunk in chat.create(model="demo-chat", messages=HELLO, stream=True, stream_options=options):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert text == whole, (text, whole)
    assert finish == "stop" and usage.completion_tokens > 0, (finish, usage)


@claim("usage is not forced on a stream that did not ask for it")
def _():
    chunks = list(chat.create(model="demo-chat", messages=HELLO, stream=True))
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


@claim("a tool round trip, whole and streamed")
def _():
    for streamed in (False, True):
        if streamed:
            with chat.stream(model="demo-chat", messages=WEATHER, tools=[TOOL]) as stream:
                for _ in stream:
                    pass
                message = stream.get_final_completion().choices[0].message
        else:
            message = chat.create(model="demo-chat", messages=WEATHER, tools=[TOOL]).choices[0].message
        call = message.tool_calls[0]
        assert call.function.name == "get_weather" and "city" in call.function.arguments, call
        turns = WEATHER + [
            {"role": "assistant", "content": message.content, "tool_calls": [as_sent(call)]},
            {"role": "tool", "tool_call_id": call.id, "content": "18 degrees, sunny"},
        ]
        answer = chat.create(model="demo-chat", messages=turns, tools=[TOOL])
        assert answer.choices[0].finish_reason == "stop", answer
        assert answer.choices[0].message.content, answer


@claim("a picture")
def _():
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}},
    ]
    answer = chat.create(model="demo-chat", messages=[{"role": "user", "content": parts}])
    assert "png" in answer.choices[0].message.content.lower(), answer


@claim("errors are of the SDK's own classes")
def _():
    def ask(model, **more):
        return lambda: chat.create(model=model, messages=HELLO, **more)

    error = raises(openai.NotFoundError, ask("no-such-model"), 404, "no-such-model")
    assert error.code == "model_not_found", error.body
    raises(openai.RateLimitError, ask("demo-rate-limit-0"), 429)
    raises(openai.AuthenticationError, ask("demo-auth"), 401)
    raises(openai.BadRequestError, ask("demo-chat", temperature=9), 400, "temperature")
    raises(openai.BadRequestError, ask("demo-chat", extra_body={"no_such_member": 1}), 400)
    raises(openai.InternalServerError, ask("demo-error-500"))


@claim("a stream that breaks raises, and does not just end")
def _():
    def read(model):
        return lambda: list(chat.create(model=model, messages=HELLO, stream=True))

    for model in ("demo-cut-4", "demo-reset-body-4", "demo-no-terminal", "demo-error-event-after"):
        raises(openai.APIError, read(model))


@claim("models, one and all")
def _():
    names = {model.id for model in client.models.list()}
    assert "demo/demo-chat" in names, names
    assert client.models.retrieve("demo/demo-chat").id == "demo/demo-chat"
    raises(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"), 404)


@claim("embeddings and legacy completions pass through")
def _():
    answer = client.embeddings.create(model="demo-embed", input=["one", "two"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) == 64, answer
    assert client.completions.create(model="demo-instruct", prompt="Once").choices[0].text


done()
