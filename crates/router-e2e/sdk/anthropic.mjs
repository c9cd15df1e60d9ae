// The official Anthropic SDK for Node: Messages.

import Anthropic from "@anthropic-ai/sdk";

import { BASE, claim, done, png, raises, that } from "./judge.mjs";

const client = new Anthropic({ baseURL: BASE, apiKey: "unused", maxRetries: 0, timeout: 20_000 });
const messages = [{ role: "user", content: "Say hello." }];
const weather = [{ role: "user", content: "What is the weather in Paris? Use the tool." }];
const tools = [
  {
    name: "get_weather",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];
const ask = (model, more) => client.messages.create({ model, messages, max_tokens: 1024, ...more });

await claim("the stream adds up to the whole answer", async () => {
  const whole = await ask("demo/demo-chat");
  const final = await client.messages.stream({ model: "demo-chat", messages, max_tokens: 1024 }).finalMessage();
  that(final.content[0].text === whole.content[0].text, [final, whole]);
  that(final.stop_reason === "end_turn" && final.usage.output_tokens > 0, final);
});

await claim("a tool round trip, streamed", async () => {
  const body = { model: "demo-chat", messages: weather, tools, max_tokens: 1024 };
  const first = await client.messages.stream(body).finalMessage();
  that(first.stop_reason === "tool_use", first);
  const call = first.content.find((block) => block.type === "tool_use");
  that(call.name === "get_weather" && "city" in call.input, call);
  const result = { type: "tool_result", tool_use_id: call.id, content: "18 degrees, sunny" };
  const turns = [...weather, { role: "assistant", content: first.content }, { role: "user", content: [result] }];
  const answer = await ask("demo-chat", { messages: turns, tools });
  that(answer.stop_reason === "end_turn", answer);
});

await claim("a picture", async () => {
  const source = { type: "base64", media_type: "image/png", data: png() };
  const content = [{ type: "image", source }, { type: "text", text: "What is this?" }];
  const answer = await ask("demo-chat", { messages: [{ role: "user", content }] });
  that(/png/i.test(answer.content[0].text), answer);
});

await claim("errors are of the SDK's own classes", async () => {
  await raises(Anthropic.NotFoundError, () => ask("no-such-model"), 404);
  await raises(Anthropic.RateLimitError, () => ask("demo-rate-limit-0"), 429);
  await raises(Anthropic.AuthenticationError, () => ask("demo-auth"), 401);
  await raises(Anthropic.BadRequestError, () => ask("demo-chat", { no_such_member: 1 }), 400);
  await raises(Anthropic.InternalServerError, () => ask("demo-overloaded"), 529);
});

await claim("a stream that breaks raises", async () => {
  for (const model of ["demo-cut-5", "demo-reset-body-5", "demo-no-terminal", "demo-error-event-after"]) {
    await raises(Error, () => client.messages.stream({ model, messages, max_tokens: 64 }).finalMessage());
  }
});

await claim("tokens are counted, models are listed", async () => {
  const count = await client.messages.countTokens({ model: "demo-chat", messages });
  that(count.input_tokens > 0, count);
  const names = [];
  for await (const model of client.models.list({ limit: 1000 })) names.push(model.id);
  that(names.includes("demo/demo-chat"), names);
});

done();
