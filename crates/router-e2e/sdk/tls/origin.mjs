// A TLS origin that says by which version of HTTP it was asked; it ends with its standard input.
// The key and the certificates beside it are for this test alone.

import fs from "node:fs";
import http2 from "node:http2";
import https from "node:https";

const read = (name) => fs.readFileSync(new URL(name, import.meta.url));
const identity = { key: read("s.key"), cert: read("s.pem") };
const answer = (request, response) => {
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "x", choices: [], via: request.httpVersion }));
  });
};
const servers = [http2.createSecureServer(identity, answer), https.createServer(identity, answer)];
for (const server of servers) await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
console.log(servers.map((server) => server.address().port).join(" "));
process.stdin.resume().on("end", () => process.exit());
