// The official @anthropic-ai/sdk for Node, Messages.

import Anthropic from "@anthropic-ai/sdk";

import * as cells from "./cells.mjs";
import { HELLO, LONG, PARALLEL, PDF, RESULT, WEATHER, NotHere, fails, model, noting, png, that } from "./cells.mjs";

const client = new Anthropic({ baseURL: cells.BASE, apiKey: "unused", maxRetries: 0, timeout: 20_000, fetch: noting });
const TOOL = { name: "get_weather", description: "The weather of a city.", input_schema: cells.TOOL_SCHEMA };

const user = (content) => ({ role: "user", content });
const words = (answer) => answer.content.filter((block) => block.type === "text").map((block) => block.text).join("");

async function ask(stream, messages, name, more = {}) {
  const request = { model: model(name), messages, max_tokens: 2048, ...more };
  const answer = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
  that(answer.stop_reason, answer);
  that(answer.usage.input_tokens !== undefined && answer.usage.output_tokens > 0, answer.usage);
  return answer;
}

const text = async (stream) => cells.textIsRight(words(await ask(stream, [user(HELLO)], undefined, { system: "Be brief." })));

async function roundTrip(stream, prompt, count, name, more = {}) {
  const first = await ask(stream, [user(prompt)], name, { tools: [TOOL], ...more });
  that(first.stop_reason === "tool_use", first);
  const calls = first.content.filter((block) => block.type === "tool_use");
  that(calls.length >= count && new Set(calls.map((call) => call.id)).size === calls.length, calls);
  that(calls.every((call) => "city" in call.input), calls);
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: RESULT }));
  const turns = [user(prompt), { role: "assistant", content: first.content }, user(results)];
  const second = await ask(stream, turns, name, { tools: [TOOL], ...more });
  that(second.stop_reason === "end_turn" && words(second), second);
}

const tools = (stream) => roundTrip(stream, WEATHER, 1);
const parallel = (stream) => roundTrip(stream, PARALLEL, 2);

async function freeform() {
  throw new NotHere();
}

async function image(stream) {
  const source = { type: "base64", media_type: "image/png", data: png() };
  const answer = await ask(stream, [user([{ type: "image", source }, { type: "text", text: "What is this?" }])]);
  that(words(answer).toLowerCase().includes("png"), answer);
}

async function document(stream) {
  const source = { type: "base64", media_type: "application/pdf", data: PDF };
  const answer = await ask(stream, [user([{ type: "document", source }, { type: "text", text: "What is this?" }])]);
  that(words(answer).toLowerCase().includes("pdf"), answer);
}

async function thinking(stream) {
  await roundTrip(stream, WEATHER, 1, "demo-reasoner", { thinking: { type: "adaptive" }, output_config: { effort: "high" } });
}

async function structured(stream) {
  const output_config = { format: { type: "json_schema", schema: cells.SCHEMA } };
  cells.schemaIsMet(words(await ask(stream, [user("The weather as JSON.")], undefined, { output_config })));
}

async function cache(stream) {
  const system = [{ type: "text", text: LONG, cache_control: { type: "ephemeral" } }];
  await ask(stream, [user(HELLO)], undefined, { system });
  const { usage } = await ask(stream, [user(HELLO)], undefined, { system });
  that(usage.cache_read_input_tokens > 0 && usage.input_tokens < 1000, usage);
}

async function stop(stream) {
  const word = words(await ask(stream, [user(HELLO)])).split(" ")[4];
  const answer = await ask(stream, [user(HELLO)], undefined, { stop_sequences: [word] });
  that(words(answer) && !words(answer).includes(word), answer);
  that(["stop_sequence", "end_turn"].includes(answer.stop_reason), answer.stop_reason);
}

async function length(stream) {
  const answer = await ask(stream, [user("Explain in 200 words.")], undefined, { max_tokens: 20 });
  that(answer.stop_reason === "max_tokens" && words(answer), answer);
}

async function refusal(stream) {
  const answer = await ask(stream, [user(HELLO)], "demo-refuse");
  that(answer.stop_reason === "refusal", answer);
}

async function earlyError(stream) {
  await fails(() => ask(stream, [user(HELLO)], "demo-overloaded"), Anthropic.APIError, [503, 529]);
  await fails(() => ask(stream, [user(HELLO)], "demo-rate-limit-0"), Anthropic.RateLimitError, [429]);
}

async function midError(stream) {
  if (!stream) throw new NotHere();
  await fails(() => ask(stream, [user(HELLO)], "demo-error-event-after"), Anthropic.AnthropicError);
}

const truncation = (stream) => fails(() => ask(stream, [user(HELLO)], "demo-cut"), Anthropic.AnthropicError);

await cells.run(
  [text, tools, parallel, freeform, image, document, thinking, structured, cache, stop, length, refusal, earlyError, midError, truncation],
  (error) => error instanceof Anthropic.BadRequestError,
);
