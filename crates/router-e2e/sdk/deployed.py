"""The official SDKs against a deployed Worker: base address, key and model are arguments."""

import sys

import anthropic
import openai

from judge import BASE, claim, done, raises

KEY, MODEL = sys.argv[2:4]
HELLO = [{"role": "user", "content": "Say hello."}]
chat = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0, timeout=20).chat.completions
stranger = openai.OpenAI(base_url=f"{BASE}/v1", api_key="not-the-key", max_retries=0, timeout=20)
claude = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)


@claim("openai: text")
def _():
    assert chat.create(model=MODEL, messages=HELLO).choices[0].message.content


@claim("openai: stream")
def _():
    parts = [
        chunk.choices[0].delta.content or ""
        for chunk in chat.create(model=MODEL, messages=HELLO, stream=True)
        if chunk.choices
    ]
    assert len(parts) > 2 and "".join(parts), parts


@claim("openai: a stranger is refused")
def _():
    raises(openai.AuthenticationError, lambda: stranger.models.list(), 401)


@claim("anthropic: text")
def _():
    answer = claude.messages.create(model=MODEL, messages=HELLO, max_tokens=64)
    assert answer.content[0].text, answer


@claim("anthropic: stream")
def _():
    with claude.messages.stream(model=MODEL, messages=HELLO, max_tokens=64) as stream:
        assert "".join(stream.text_stream)
        assert stream.get_final_message().stop_reason == "end_turn"


done()
