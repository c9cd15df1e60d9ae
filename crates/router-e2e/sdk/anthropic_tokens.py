"""The official anthropic SDK for Python counts tokens for a model that no upstream counts for."""

import anthropic

from judge import BASE, claim, done, raises

client = anthropic.Anthropic(base_url=BASE, api_key="unused", max_retries=0, timeout=20)
HELLO = [{"role": "user", "content": "Say hello."}]
TOOL = {"name": "get_weather", "description": "The weather.", "input_schema": {"type": "object"}}


def count(messages=HELLO, **more):
    return client.messages.count_tokens(model="demo-chat", messages=messages, **more).input_tokens


@claim("an estimate is a count to the SDK, and says what it is")
def _():
    raw = client.messages.with_raw_response.count_tokens(model="demo-chat", messages=HELLO)
    assert raw.headers["x-llm-router-estimate"] == "true", raw.headers
    assert 3 < raw.parse().input_tokens < 30, raw.parse()


@claim("instructions and tools count")
def _():
    assert count(system="Be brief.") > count(), count()
    assert count(tools=[TOOL]) > count() + 8, count()


@claim("a bad request is the SDK's own error")
def _():
    wrong = [{"role": "user", "content": 7}]
    raises(anthropic.BadRequestError, lambda: count(wrong), 400, "messages")


done()
