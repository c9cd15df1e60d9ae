// A stand-in for the parts of Cloudflare's API that deploying uses. Strict: what the real API
// refuses is refused, with its codes. What is uploaded runs in workerd.
//
//   node fake.mjs '{"token": "…", "accounts": […], "zones": […]}'
//
// prints one line of JSON with the addresses of the API and of the edge, and ends when standard
// input does.

import http from "node:http";
import { WebSocketServer } from "ws";

import { Edge } from "./edge.mjs";
import { routes } from "./routes.mjs";
import { ApiError, envelope, failure } from "./envelope.mjs";

const options = JSON.parse(process.argv[2] ?? "{}");

const world = {
  token: options.token ?? "test-token",
  plan: options.plan ?? "free",
  accounts: options.accounts ?? [{ id: "a".repeat(32), name: "Example" }],
  zones: options.zones ?? [],
  // A token that may change a zone's rules and nothing else, as a token for Workers may not.
  rulesToken: options.rulesToken ?? "test-rules-token",
  // Hosts that have DNS records of somebody's.
  records: options.records ?? [],
  subdomains: options.subdomains ?? { ["a".repeat(32)]: "example" },
  scripts: new Map(),
  routes: [],
  domains: [],
  namespaces: [],
  tails: new Map(),
  // Faults to come: { method, path, status, code, message, times }; with `drop` the connection is
  // cut instead, and with `after` that happens when the call has been carried out.
  faults: [],
  calls: [],
};
world.edge = new Edge(world);

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function authenticate(request, path) {
  const header = request.headers.authorization;
  if (!header) throw new ApiError(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
  if (!/^Bearer [\x21-\x7e]+$/.test(header)) {
    throw new ApiError(400, 6003, "Invalid request headers");
  }
  const ofRules = header === `Bearer ${world.rulesToken}`;
  if (!ofRules && header !== `Bearer ${world.token}`) throw new ApiError(401, 1000, "Invalid API Token");
  const rules = /^\/zones\/[^/]+\/rulesets\//.test(path);
  if (rules !== ofRules) throw new ApiError(403, 10000, "Authentication error");
}

async function control(request, path, bytes) {
  if (path === "/__fake__/faults") {
    world.faults.push(...JSON.parse(bytes));
    return {};
  }
  if (path === "/__fake__/calls") return world.calls;
  if (path === "/__fake__/state") {
    return {
      scripts: [...world.scripts.values()].map((script) => script.view()),
      routes: world.routes,
      domains: world.domains,
      namespaces: world.namespaces.map(({ values, ...rest }) => ({ ...rest, keys: [...values.keys()] })),
      tails: world.tails.size,
    };
  }
  throw new ApiError(404, 7003, "no such control");
}

function fault(method, path) {
  const found = world.faults.find(
    (each) => each.times > 0 && each.method === method && new RegExp(each.path).test(path),
  );
  if (found) found.times -= 1;
  return found;
}

async function answer(request, response) {
  const url = new URL(request.url, "http://fake");
  const bytes = await body(request);
  let status = 200;
  let text;
  let mime = "application/json";
  const path = url.pathname.replace(/^\/client\/v4/, "");
  try {
    if (path.startsWith("/__fake__/")) {
      text = JSON.stringify(await control(request, path, bytes));
    } else {
      if (!url.pathname.startsWith("/client/v4/")) throw new ApiError(404, 7003, "Could not route");
      authenticate(request, path);
      const planned = fault(request.method, path);
      if (planned?.drop) {
        if (planned.after) await routes(world, request, path, url.searchParams, bytes);
        world.calls.push({ method: request.method, path: path + url.search, status: 0 });
        request.socket.destroy();
        return;
      }
      if (planned) throw new ApiError(planned.status, planned.code, planned.message);
      const result = await routes(world, request, path, url.searchParams, bytes);
      if (result instanceof Buffer) {
        [text, mime] = [result, "application/octet-stream"];
      } else {
        text = JSON.stringify(envelope(result));
      }
    }
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    const known = error instanceof ApiError ? error : new ApiError(500, 10013, String(error));
    status = known.status;
    text = JSON.stringify(failure(known));
  }
  if (!path.startsWith("/__fake__/")) {
    world.calls.push({ method: request.method, path: path + url.search, status });
  }
  response.writeHead(status, { "content-type": mime, "cf-ray": "0-FAKE" });
  response.end(text);
}

const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "trace-v1" });
const api = http.createServer((request, response) => void answer(request, response));
api.on("upgrade", (request, socket, head) => {
  const tail = world.tails.get(request.url.split("/").pop());
  if (!tail || request.headers["sec-websocket-protocol"] !== "trace-v1") return socket.destroy();
  sockets.handleUpgrade(request, socket, head, (ws) => {
    tail.sockets.add(ws);
    ws.on("message", () => world.calls.push({ method: "WS", path: `/tails/${tail.id}`, status: 101 }));
    ws.on("close", () => tail.sockets.delete(ws));
  });
});

const listen = (server) =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
const edge = http.createServer((request, response) => void world.edge.serve(request, response));
const apiPort = await listen(api);
const edgePort = await listen(edge);
world.address = `127.0.0.1:${apiPort}`;
console.log(
  JSON.stringify({
    api: `http://127.0.0.1:${apiPort}/client/v4`,
    control: `http://127.0.0.1:${apiPort}/__fake__`,
    edge: `http://127.0.0.1:${edgePort}`,
  }),
);

process.stdin.resume();
process.stdin.on("end", async () => {
  await world.edge.stop();
  process.exit(0);
});
