// The official openai SDK for Node: Chat Completions and Responses.

import OpenAI from "openai";

import { BASE, claim, done, png, raises, that } from "./judge.mjs";

const client = new OpenAI({ baseURL: `${BASE}/v1`, apiKey: "unused", maxRetries: 0, timeout: 20_000 });
const chat = client.chat.completions;
const messages = [{ role: "user", content: "Say hello." }];
const weather = [{ role: "user", content: "What is the weather in Paris? Use the tool." }];
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];

await claim("chat: the stream adds up to the whole answer", async () => {
  const whole = await chat.create({ model: "demo/demo-chat", messages });
  const stream = chat.stream({ model: "demo-chat", messages });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  that(text === whole.choices[0].message.content, [text, whole]);
  that((await stream.finalChatCompletion()).choices[0].finish_reason === "stop");
});

await claim("chat: a tool round trip, streamed", async () => {
  const stream = chat.stream({ model: "demo-chat", messages: weather, tools });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  const call = message.tool_calls[0];
  that(call.function.name === "get_weather" && call.function.arguments.includes("city"), call);
  const result = { role: "tool", tool_call_id: call.id, content: "18 degrees, sunny" };
  const turn = { role: "assistant", content: message.content, tool_calls: [call] };
  delete turn.tool_calls[0].function.parsed_arguments;
  const answer = await chat.create({ model: "demo-chat", messages: [...weather, turn, result], tools });
  that(answer.choices[0].finish_reason === "stop", answer);
});

await claim("chat: a picture", async () => {
  const url = `data:image/png;base64,${png()}`;
  const content = [{ type: "text", text: "What is this?" }, { type: "image_url", image_url: { url } }];
  const answer = await chat.create({ model: "demo-chat", messages: [{ role: "user", content }] });
  that(/png/i.test(answer.choices[0].message.content), answer);
});

await claim("chat: errors are of the SDK's own classes", async () => {
  const ask = (model, more) => () => chat.create({ model, messages, ...more });
  const error = await raises(OpenAI.NotFoundError, ask("no-such-model"), 404);
  that(error.code === "model_not_found", error.code);
  await raises(OpenAI.RateLimitError, ask("demo-rate-limit-0"), 429);
  await raises(OpenAI.AuthenticationError, ask("demo-auth"), 401);
  await raises(OpenAI.BadRequestError, ask("demo-chat", { no_such_member: 1 }), 400);
});

await claim("chat: a stream that breaks raises", async () => {
  for (const model of ["demo-cut-4", "demo-reset-body-4", "demo-error-event-after"]) {
    await raises(Error, async () => {
      for await (const _ of await chat.create({ model, messages, stream: true })) {
        // Read to the end.
      }
    });
  }
});

await claim("chat: an aborted stream ends at once", async () => {
  const stream = await chat.create({ model: "demo-slow-50", messages, stream: true });
  for await (const _ of stream) break;
  that(stream.controller.signal.aborted, "not aborted");
});

await claim("responses: the stream adds up to the whole answer", async () => {
  const ask = { model: "demo-chat", input: "Say hello.", store: false };
  const whole = await client.responses.create(ask);
  const stream = client.responses.stream(ask);
  let text = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
  that(text === whole.output_text, [text, whole.output_text]);
  that((await stream.finalResponse()).status === "completed");
});

await claim("responses: a tool call, streamed", async () => {
  const tool = { type: "function", name: "get_weather", parameters, strict: true };
  const stream = client.responses.stream({ model: "demo-chat", input: weather, tools: [tool], store: false });
  const call = (await stream.finalResponse()).output.find((item) => item.type === "function_call");
  that(call.name === "get_weather" && call.arguments.includes("city"), call);
});

await claim("models, embeddings", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  that(names.includes("demo/demo-chat"), names);
  const answer = await client.embeddings.create({ model: "demo-embed", input: "one", encoding_format: "float" });
  that(answer.data[0].embedding.length === 64, answer);
});

done();
