"""The official openai SDK for Python, Responses."""

import openai

from judge import BASE, claim, done, png, raises

client = openai.OpenAI(base_url=f"{BASE}/v1", api_key="unused", max_retries=0, timeout=20)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
WEATHER = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]


@claim("text")
def _():
    answer = client.responses.create(model="demo/demo-chat", input="Say hello.", store=False)
    assert answer.output_text and answer.status == "completed", answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer


@claim("the stream adds up to the whole answer")
def _():
    whole = client.responses.create(model="demo-chat", input="Say hello.", store=False).output_text
    with client.responses.stream(model="demo-chat", input="Say hello.", store=False) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert text == whole == final.output_text, (text, whole)
    assert final.status == "completed", final


@claim("a tool round trip, streamed")
def _():
    with client.responses.stream(model="demo-chat", input=WEATHER, tools=[TOOL], store=False) as stream:
        for _ in stream:
            pass
        first = stream.get_final_response()
    call = next(item for item in first.output if item.type == "function_call")
    assert call.name == "get_weather" and "city" in call.arguments, call
    turns = WEATHER + [
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees, sunny"},
    ]
    answer = client.responses.create(model="demo-chat", input=turns, tools=[TOOL], store=False)
    assert answer.output_text, answer


@claim("a picture")
def _():
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{png()}", "detail": "auto"},
    ]
    turns = [{"role": "user", "content": parts}]
    answer = client.responses.create(model="demo-chat", input=turns, store=False)
    assert "png" in answer.output_text.lower(), answer


@claim("errors are of the SDK's own classes")
def _():
    def ask(model, **more):
        return lambda: client.responses.create(model=model, input="Hi", store=False, **more)

    raises(openai.NotFoundError, ask("no-such-model"), 404, "no-such-model")
    raises(openai.RateLimitError, ask("demo-rate-limit-0"), 429)
    raises(openai.BadRequestError, ask("demo-chat", extra_body={"no_such_member": 1}), 400)


@claim("a stream that breaks does not just end")
def _():
    for model in ("demo-cut-6", "demo-no-terminal"):
        kinds, failed = [], False
        try:
            for event in client.responses.create(model=model, input="Hi", store=False, stream=True):
                kinds.append(event.type)
        except openai.APIError:
            failed = True
        assert failed or kinds[-1] in ("response.failed", "error"), kinds
        assert "response.completed" not in kinds, kinds


done()
