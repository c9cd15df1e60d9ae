// The official openai SDK for Node, Responses.

import OpenAI from "openai";

import * as cells from "./cells.mjs";
import { HELLO, LONG, PARALLEL, PATCH, PDF, RESULT, WEATHER, NotHere, fails, model, noting, png, that } from "./cells.mjs";

const client = new OpenAI({ baseURL: `${cells.BASE}/v1`, apiKey: "unused", maxRetries: 0, timeout: 20_000, fetch: noting });
const TOOL = { type: "function", name: "get_weather", description: "The weather of a city.", parameters: cells.TOOL_SCHEMA, strict: true };
const FREEFORM = { type: "custom", name: "apply_patch", description: "Applies a patch, written as plain text." };

/** The response says itself that it failed. */
class Failed extends Error {}

const user = (content) => ({ role: "user", content });

async function ask(stream, input, name, more = {}) {
  const request = { model: model(name), input, store: false, ...more };
  const answer = stream ? await streamed(request) : await client.responses.create(request);
  if (answer.status === "failed") throw new Failed(answer.error.message);
  that(answer.usage?.input_tokens > 0 && answer.usage.output_tokens > 0, answer.usage);
  return answer;
}

async function streamed(request) {
  let [answer, text, number] = [undefined, "", -1];
  // The SDK's helper checks that every event fits what came before it.
  const events = client.responses.stream(request);
  for await (const event of events) {
    that(event.sequence_number > number, event);
    number = event.sequence_number;
    if (event.type === "error") throw new Failed(event.message);
    if (event.type === "response.output_text.delta") text += event.delta;
    if (["response.completed", "response.incomplete", "response.failed"].includes(event.type)) answer = event.response;
  }
  that(answer, "no terminal event");
  if (answer.status === "failed") return answer;
  const whole = answer.output.flatMap((item) => (item.type === "message" ? item.content : [])).map((part) => part.text ?? "").join("");
  that(whole === text, { whole, text });
  return { ...answer, output_text: text };
}

const text = async (stream) => cells.textIsRight((await ask(stream, HELLO, undefined, { instructions: "Be brief." })).output_text);

async function roundTrip(stream, prompt, count, more, kind = "function_call", name) {
  const first = await ask(stream, [user(prompt)], name, more);
  const calls = first.output.filter((item) => item.type === kind);
  that(calls.length >= count && new Set(calls.map((call) => call.call_id)).size === calls.length, first.output);
  const results = calls.map((call) => ({ type: `${kind}_output`, call_id: call.call_id, output: RESULT }));
  const second = await ask(stream, [user(prompt), ...first.output.map(sent), ...results], name, more);
  that(second.status === "completed" && second.output_text, second);
  return calls;
}

/** An item without what the SDK itself has added. */
function sent({ parsed_arguments: _, ...item }) {
  return item.type === "message" ? { ...item, content: item.content.map(({ parsed: _, ...part }) => part) } : item;
}

async function tools(stream) {
  const [call] = await roundTrip(stream, WEATHER, 1, { tools: [TOOL] });
  that("city" in JSON.parse(call.arguments), call);
}

const parallel = (stream) => roundTrip(stream, PARALLEL, 2, { tools: [TOOL], parallel_tool_calls: true });

async function freeform(stream) {
  const [call] = await roundTrip(stream, PATCH, 1, { tools: [FREEFORM] }, "custom_tool_call");
  that(call.input, call);
}

async function image(stream) {
  const picture = { type: "input_image", image_url: `data:image/png;base64,${png()}`, detail: "auto" };
  const answer = await ask(stream, [user([{ type: "input_text", text: "What is this?" }, picture])]);
  that(answer.output_text.toLowerCase().includes("png"), answer);
}

async function document(stream) {
  const file = { type: "input_file", filename: "a.pdf", file_data: `data:application/pdf;base64,${PDF}` };
  const answer = await ask(stream, [user([{ type: "input_text", text: "What is this?" }, file])]);
  that(answer.output_text.toLowerCase().includes("pdf"), answer);
}

async function thinking(stream) {
  const more = { reasoning: { effort: "high", summary: "auto" }, include: ["reasoning.encrypted_content"], tools: [TOOL] };
  await roundTrip(stream, WEATHER, 1, more, "function_call", "demo-reasoner");
}

async function structured(stream) {
  const format = { type: "json_schema", name: "weather", schema: cells.SCHEMA, strict: true };
  cells.schemaIsMet((await ask(stream, "The weather as JSON.", undefined, { text: { format } })).output_text);
}

async function cache(stream) {
  const more = { instructions: LONG, prompt_cache_key: "session-1" };
  await ask(stream, [user(HELLO)], undefined, more);
  const { usage } = await ask(stream, [user(HELLO)], undefined, more);
  that(usage.input_tokens_details.cached_tokens > 0, usage);
}

async function stop() {
  throw new NotHere();
}

async function length(stream) {
  const answer = await ask(stream, "Explain in 200 words.", undefined, { max_output_tokens: 20 });
  that(answer.status === "incomplete" && answer.incomplete_details.reason === "max_output_tokens", answer);
}

async function refusal(stream) {
  const answer = await ask(stream, HELLO, "demo-refuse");
  const parts = answer.output.flatMap((item) => (item.type === "message" ? item.content : [])).map((part) => part.type);
  that(parts.includes("refusal") || answer.incomplete_details?.reason === "content_filter", answer);
}

async function earlyError(stream) {
  await fails(() => ask(stream, HELLO, "demo-overloaded"), OpenAI.APIError, [503, 529]);
  await fails(() => ask(stream, HELLO, "demo-rate-limit-0"), OpenAI.RateLimitError, [429]);
}

const failure = (error) => [OpenAI.OpenAIError, Failed].some((kind) => error instanceof kind);

async function breaks(ask) {
  try {
    await ask();
  } catch (error) {
    that(failure(error), error?.stack);
    return;
  }
  throw new Error("ended as if all were well");
}

async function midError(stream) {
  if (!stream) throw new NotHere();
  await breaks(() => ask(stream, HELLO, "demo-error-event-after"));
}

const truncation = (stream) => breaks(() => ask(stream, HELLO, "demo-cut"));

await cells.run(
  [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, earlyError, midError, truncation],
  (error) => error instanceof OpenAI.BadRequestError,
);
