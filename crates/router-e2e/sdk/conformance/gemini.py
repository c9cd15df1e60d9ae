"""The official google-genai SDK, generateContent."""

from google import genai
from google.genai import errors, types

import cells
from cells import HELLO, LONG, PARALLEL, RESULT, WEATHER, NotHere, fails, model, pdf, png

hooks = {"response": [lambda response: cells.note_loss(response.headers)]}
options = types.HttpOptions(base_url=cells.BASE, api_version="v1beta", timeout=20_000, client_args={"event_hooks": hooks}, retry_options=types.HttpRetryOptions(attempts=1))
client = genai.Client(api_key="unused", http_options=options)
TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(name="get_weather", description="The weather of a city.", parameters_json_schema=cells.TOOL_SCHEMA)])


class Whole:
    """An answer, however it came."""

    def __init__(self):
        self.text, self.parts, self.finish, self.usage = "", [], None, None

    def take(self, piece):
        self.usage = piece.usage_metadata or self.usage
        for candidate in piece.candidates or []:
            self.finish = candidate.finish_reason or self.finish
            for part in (candidate.content and candidate.content.parts) or []:
                self.parts.append(part)
                if part.text and not part.thought:
                    self.text += part.text
        return self


def ask(stream, contents, name="demo-chat", **config):
    answer = Whole()
    more = {"model": model(name), "contents": contents, "config": types.GenerateContentConfig(**config)}
    if stream:
        for piece in client.models.generate_content_stream(**more):
            answer.take(piece)
    else:
        answer.take(client.models.generate_content(**more))
    assert answer.finish, "no finish reason"
    assert answer.usage and answer.usage.prompt_token_count > 0, answer.usage
    return answer


def user(*parts):
    return types.Content(role="user", parts=[types.Part(text=part) if isinstance(part, str) else part for part in parts])


def text(stream):
    cells.text_is_right(ask(stream, HELLO, system_instruction="Be brief.").text)


def round_trip(stream, prompt, count, name="demo-chat", **config):
    config = {"tools": [TOOL], "automatic_function_calling": {"disable": True}, **config}
    first = ask(stream, [user(prompt)], name, **config)
    calls = [part.function_call for part in first.parts if part.function_call]
    assert len(calls) >= count and all("city" in call.args for call in calls), first.parts
    results = [types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": RESULT})) for call in calls]
    turns = [user(prompt), types.Content(role="model", parts=first.parts), user(*results)]
    second = ask(stream, turns, name, **config)
    assert second.finish.name == "STOP" and second.text, second.finish


def tools(stream):
    round_trip(stream, WEATHER, 1)


def parallel(stream):
    round_trip(stream, PARALLEL, 2)


def freeform(_):
    raise NotHere


def image(stream):
    part = types.Part.from_bytes(data=png(), mime_type="image/png")
    assert "png" in ask(stream, [user("What is this?", part)]).text.lower()


def document(stream):
    part = types.Part.from_bytes(data=pdf(), mime_type="application/pdf")
    assert "pdf" in ask(stream, [user("What is this?", part)]).text.lower()


def thinking(stream):
    round_trip(stream, WEATHER, 1, "demo-reasoner", thinking_config=types.ThinkingConfig(include_thoughts=True))


def structured(stream):
    form = {"response_mime_type": "application/json", "response_json_schema": cells.SCHEMA}
    cells.schema_is_met(ask(stream, "The weather as JSON.", **form).text)


def cache(stream):
    if cells.PROVIDER == "messages":
        raise NotHere  # Messages caches what is marked, and Gemini clients have no marks.
    for _ in range(2):
        answer = ask(stream, HELLO, system_instruction=LONG)
    assert (answer.usage.cached_content_token_count or 0) > 0, answer.usage


def stop(stream):
    word = ask(stream, HELLO).text.split()[4]
    answer = ask(stream, HELLO, stop_sequences=[word])
    assert word not in answer.text and answer.text, answer.text


def length(stream):
    answer = ask(stream, "Explain in 200 words.", max_output_tokens=20)
    assert answer.finish.name == "MAX_TOKENS", answer.finish


def refusal(stream):
    try:
        answer = ask(stream, HELLO, "demo-refuse")
    except AssertionError:
        return  # A blocked prompt has no candidate and so no finish reason.
    assert answer.finish.name not in ("STOP", "MAX_TOKENS"), answer.finish


def early_error(stream):
    fails(lambda: ask(stream, HELLO, "demo-overloaded"), errors.APIError, (503, 529))
    fails(lambda: ask(stream, HELLO, "demo-rate-limit-0"), errors.APIError, (429,))


def mid_error(stream):
    if not stream:
        raise NotHere
    fails(lambda: ask(stream, HELLO, "demo-error-event-after"), Exception)


def truncation(stream):
    fails(lambda: ask(stream, HELLO, "demo-cut"), Exception)


cells.run(
    dict(zip(cells.CASES, [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, early_error, mid_error, truncation], strict=True)),
    lambda error: isinstance(error, errors.ClientError) and error.code == 400,
)
