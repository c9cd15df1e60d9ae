// The official openai SDK for Node, Chat Completions.

import OpenAI from "openai";

import * as cells from "./cells.mjs";
import { HELLO, LONG, PARALLEL, PATCH, PDF, RESULT, WEATHER, NotHere, fails, model, noting, png, that } from "./cells.mjs";

const client = new OpenAI({ baseURL: `${cells.BASE}/v1`, apiKey: "unused", maxRetries: 0, timeout: 20_000, fetch: noting });
const TOOL = {
  type: "function",
  function: { name: "get_weather", description: "The weather of a city.", parameters: cells.TOOL_SCHEMA, strict: true },
};
const FREEFORM = { type: "custom", custom: { name: "apply_patch", description: "Applies a patch, written as plain text." } };

const user = (content) => ({ role: "user", content });

/** The answer, however it came: the SDK itself puts a stream together. */
async function ask(stream, messages, name, more = {}) {
  const request = { model: model(name), messages, ...more };
  let got;
  if (stream) {
    const events = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
    got = await events.finalChatCompletion();
  } else {
    got = await client.chat.completions.create(request);
  }
  const { message, finish_reason: finish } = got.choices[0];
  that(finish, got);
  that(got.usage?.prompt_tokens > 0, got.usage);
  return { message, finish, usage: got.usage, text: message.content ?? "", calls: message.tool_calls ?? [] };
}

const text = async (stream) => cells.textIsRight((await ask(stream, [{ role: "system", content: "Be brief." }, user(HELLO)])).text);

async function roundTrip(stream, prompt, count, name, tools = [TOOL], more = {}) {
  const first = await askForCalls(stream, [user(prompt)], name, { tools, ...more });
  that(first.finish === "tool_calls", first.finish);
  that(first.calls.length >= count && new Set(first.calls.map((call) => call.id)).size === first.calls.length, first.calls);
  const results = first.calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: RESULT }));
  const second = await ask(stream, [user(prompt), first.message, ...results], name, { tools, ...more });
  that(second.finish === "stop" && second.text, second);
  return first;
}

/** The SDK's helper for streams knows function tools only, so calls are put together here. */
async function askForCalls(stream, messages, name, more) {
  if (!stream) return ask(false, messages, name, more);
  const message = { role: "assistant", content: null };
  const calls = [];
  let finish;
  for await (const chunk of await client.chat.completions.create({ model: model(name), messages, stream: true, ...more })) {
    for (const { delta, finish_reason: end } of chunk.choices) {
      finish = end ?? finish;
      for (const member of ["content", "reasoning_content"]) {
        if (delta[member]) message[member] = (message[member] ?? "") + delta[member];
      }
      for (const call of delta.tool_calls ?? []) addCall(calls, call);
    }
  }
  if (calls.length > 0) message.tool_calls = calls;
  return { message, finish, calls };
}

function addCall(calls, delta) {
  const [kind, field] = delta.custom ? ["custom", "input"] : ["function", "arguments"];
  calls[delta.index] ??= { id: delta.id, type: delta.type, [kind]: { name: "", [field]: "" } };
  const body = calls[delta.index][kind];
  body.name += delta[kind]?.name ?? "";
  body[field] += delta[kind]?.[field] ?? "";
}

async function tools(stream) {
  const first = await roundTrip(stream, WEATHER, 1);
  that("city" in JSON.parse(first.calls[0].function.arguments), first.calls);
}

const parallel = (stream) => roundTrip(stream, PARALLEL, 2);

async function freeform(stream) {
  const [call] = (await roundTrip(stream, PATCH, 1, undefined, [FREEFORM])).calls;
  that(call.type === "custom" && call.custom.input, call);
}

async function image(stream) {
  const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${png()}` } };
  that((await ask(stream, [user([{ type: "text", text: "What is this?" }, picture])])).text.toLowerCase().includes("png"));
}

async function document(stream) {
  const file = { type: "file", file: { filename: "a.pdf", file_data: `data:application/pdf;base64,${PDF}` } };
  that((await ask(stream, [user([{ type: "text", text: "What is this?" }, file])])).text.toLowerCase().includes("pdf"));
}

const thinking = (stream) => roundTrip(stream, WEATHER, 1, "demo-reasoner");

async function structured(stream) {
  const json_schema = { name: "weather", schema: cells.SCHEMA, strict: true };
  const answer = await ask(stream, [user("The weather as JSON.")], undefined, { response_format: { type: "json_schema", json_schema } });
  cells.schemaIsMet(answer.text);
}

async function cache(stream) {
  const messages = [{ role: "system", content: LONG }, user(HELLO)];
  await ask(stream, messages, undefined, { prompt_cache_key: "session-1" });
  const { usage } = await ask(stream, messages, undefined, { prompt_cache_key: "session-1" });
  that(usage.prompt_tokens_details.cached_tokens > 0 && usage.prompt_tokens >= usage.prompt_tokens_details.cached_tokens, usage);
}

async function stop(stream) {
  const word = (await ask(stream, [user(HELLO)])).text.split(" ")[4];
  const answer = await ask(stream, [user(HELLO)], undefined, { stop: [word] });
  that(answer.finish === "stop" && answer.text && !answer.text.includes(word), answer);
}

async function length(stream) {
  // The SDK's helper throws when an answer is cut, so the plain call has to say it.
  const request = { model: model(), messages: [user("Explain in 200 words.")], max_completion_tokens: 20 };
  let [finish, said] = [undefined, ""];
  if (stream) {
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      finish = chunk.choices[0]?.finish_reason ?? finish;
      said += chunk.choices[0]?.delta.content ?? "";
    }
  } else {
    ({ finish, text: said } = await ask(false, request.messages, undefined, { max_completion_tokens: 20 }));
  }
  that(finish === "length" && said, { finish, said });
}

async function refusal(stream) {
  const request = { model: model("demo-refuse"), messages: [user(HELLO)] };
  let [finish, refused] = [undefined, ""];
  if (stream) {
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      finish = chunk.choices[0]?.finish_reason ?? finish;
      refused += chunk.choices[0]?.delta.refusal ?? "";
    }
  } else {
    const answer = await ask(false, request.messages, "demo-refuse");
    [finish, refused] = [answer.finish, answer.message.refusal];
  }
  that(refused || finish === "content_filter", { finish, refused });
}

async function earlyError(stream) {
  await fails(() => ask(stream, [user(HELLO)], "demo-overloaded"), OpenAI.APIError, [503, 529]);
  await fails(() => ask(stream, [user(HELLO)], "demo-rate-limit-0"), OpenAI.RateLimitError, [429]);
}

async function midError(stream) {
  if (!stream) throw new NotHere();
  await fails(() => ask(stream, [user(HELLO)], "demo-error-event-after"), OpenAI.OpenAIError);
}

const truncation = (stream) => fails(() => ask(stream, [user(HELLO)], "demo-cut"), OpenAI.OpenAIError);

await cells.run(
  [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, earlyError, midError, truncation],
  (error) => error instanceof OpenAI.BadRequestError,
);
