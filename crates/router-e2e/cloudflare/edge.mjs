// Cloudflare's edge on this machine: each Worker runs in workerd, by Miniflare.

import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { Log, LogLevel, Miniflare } from "miniflare";

import { ApiError } from "./envelope.mjs";

const MODULES = {
  "application/javascript+module": "ESModule",
  "application/wasm": "CompiledWasm",
  "application/octet-stream": "Data",
  "text/plain": "Text",
};

export class Edge {
  constructor(world) {
    this.world = world;
    this.running = new Map();
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "llm-router-edge-"));
  }

  /** Puts a version in force; gives the milliseconds its module took to start. */
  async start(script, version) {
    const lines = [];
    const options = {
      name: script.name,
      rootPath: "/",
      modulesRoot: "/",
      modules: order(version).map(({ name, type, content }) => ({
        type: MODULES[type],
        path: `/${name}`,
        contents: type === "application/wasm" || type === "application/octet-stream" ? new Uint8Array(content) : content.toString(),
      })),
      compatibilityDate: version.metadata.compatibility_date,
      compatibilityFlags: version.metadata.compatibility_flags ?? [],
      bindings: {},
      durableObjects: {},
      kvNamespaces: {},
      port: 0,
      cf: false,
      log: new Log(LogLevel.NONE),
      durableObjectsPersist: path.join(this.folder, script.name, "do"),
      kvPersist: path.join(this.folder, "kv"),
      handleRuntimeStdio: (out, err) => {
        for (const stream of [out, err]) {
          readline.createInterface({ input: stream }).on("line", (line) => lines.push(line));
        }
      },
    };
    for (const binding of version.bindings) {
      if (binding.type === "durable_object_namespace") {
        options.durableObjects[binding.name] = { className: binding.class_name, useSQLite: true };
      } else if (binding.type === "kv_namespace") {
        options.kvNamespaces[binding.name] = binding.namespace_id;
      } else {
        options.bindings[binding.name] = binding.text;
      }
    }
    const begin = performance.now();
    const next = new Miniflare(options);
    let url;
    try {
      url = await next.ready;
    } catch (error) {
      await next.dispose().catch(() => {});
      throw new ApiError(400, 10021, `Script startup failed: ${[error.message, ...lines].join("\n")}`);
    }
    for (const { name, namespace_id: id } of version.bindings) {
      const space = id && this.world.namespaces.find((each) => each.id === id);
      if (!space) continue;
      const namespace = await next.getKVNamespace(name);
      for (const [key, value] of space.values) await namespace.put(key, value.toString());
    }
    const before = this.running.get(script.name);
    this.running.set(script.name, { miniflare: next, url, lines });
    await before?.miniflare.dispose();
    return Math.round(performance.now() - begin);
  }

  /** Makes a value of KV known to the Workers that have its namespace. */
  async putValue(space, key, value) {
    for (const [name, { miniflare }] of this.running) {
      const bindings = this.world.scripts.get(name)?.current?.bindings ?? [];
      const bound = bindings.find((each) => each.namespace_id === space.id);
      if (!bound) continue;
      const namespace = await miniflare.getKVNamespace(bound.name);
      await namespace.put(key, value.toString());
    }
  }

  async remove(name) {
    await this.running.get(name)?.miniflare.dispose();
    this.running.delete(name);
  }

  async stop() {
    for (const name of [...this.running.keys()]) await this.remove(name);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  /** The Worker that an address leads to. A bare loopback address stands for the only one. */
  find(host, pathname) {
    const domain = this.world.domains.find((each) => each.hostname === host);
    if (domain) return domain.service;
    for (const { pattern, script } of this.world.routes) {
      const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
      if (new RegExp(`^${escaped}$`).test(`${host}${pathname}`)) return script;
    }
    const open = [...this.world.scripts.values()].filter((each) => each.subdomain.enabled);
    const named = open.find((each) => host === `${each.name}.${this.world.subdomains[each.account]}.workers.dev`);
    if (named) return named.name;
    if (host !== "127.0.0.1") return undefined;
    const led = new Set([...open.map((each) => each.name), ...this.world.routes.map((r) => r.script), ...this.world.domains.map((d) => d.service)]);
    return led.size === 1 ? [...led][0] : undefined;
  }

  async serve(request, response) {
    const host = (request.headers["x-edge-host"] ?? request.headers.host ?? "").split(":")[0];
    const name = this.find(host, request.url.split("?")[0]);
    const running = this.running.get(name);
    if (!running) {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end("error code: 1042");
      return;
    }
    const before = running.lines.length;
    const { hostname, port } = running.url;
    const headers = { ...request.headers, "cf-connecting-ip": "192.0.2.1" };
    const onward = http.request({ hostname, port, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      answer.on("end", () => this.report(name, request, answer.statusCode, running.lines.slice(before)));
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  report(name, request, status, lines) {
    const trace = JSON.stringify({
      outcome: "ok",
      scriptName: name,
      exceptions: [],
      logs: lines.map((line) => ({ level: "log", message: [line], timestamp: Date.now() })),
      eventTimestamp: Date.now(),
      event: {
        request: { url: `https://${name}.example${request.url}`, method: request.method, headers: { authorization: "REDACTED" } },
        response: { status },
      },
    });
    for (const tail of this.world.tails.values()) {
      if (tail.script === name) for (const socket of tail.sockets) socket.send(Buffer.from(trace));
    }
  }
}

/** The main module comes first. */
function order({ metadata, modules }) {
  const code = modules.filter((module) => MODULES[module.type]);
  return [...code].sort((a, b) => (b.name === metadata.main_module) - (a.name === metadata.main_module));
}
