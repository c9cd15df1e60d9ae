// A TLS origin that speaks HTTP/2 and ends streams and connections in the ways HTTP/2 has for it,
// by the model it is asked for. It ends with its standard input.

import fs from "node:fs";
import http2 from "node:http2";

const read = (name) => fs.readFileSync(new URL(name, import.meta.url));
const identity = { key: read("s.key"), cert: read("s.pem") };
const { NGHTTP2_INTERNAL_ERROR } = http2.constants;
const chunk = (delta, finish) =>
  `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta, finish_reason: finish ?? null }] })}\n\n`;

const server = http2.createSecureServer(identity);
server.on("sessionError", () => {});
server.on("stream", (stream) => {
  let body = "";
  stream.on("error", () => {});
  stream.on("data", (piece) => (body += piece));
  stream.on("end", () => {
    const { model } = JSON.parse(body);
    const { session } = stream;
    if (model === "reset") return stream.close(NGHTTP2_INTERNAL_ERROR);
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    stream.write(chunk({ role: "assistant", content: "Hello" }));
    const later = (end) => setTimeout(end, 50);
    if (model === "goaway") session.goaway();
    if (model === "reset-late") return later(() => stream.close(NGHTTP2_INTERNAL_ERROR));
    if (model === "destroy-late") return later(() => session.destroy());
    later(() => stream.end(`${chunk({ content: " world" })}${chunk({}, "stop")}data: [DONE]\n\n`));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
