// The Worker in workerd, by Miniflare. Reads one line of JSON that says how, prints where it
// listens and what it logs, and ends when its standard input does. Each further line is an object
// of values to put into KV.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { Log, LogLevel, Miniflare } from "miniflare";

const TYPES = { "application/javascript+module": "ESModule", "application/wasm": "CompiledWasm" };

const input = readline.createInterface({ input: process.stdin });
const first = await new Promise((resolve) => input.once("line", resolve));
const { module, bindings, objects, kv, persist } = JSON.parse(first);
const manifest = JSON.parse(fs.readFileSync(path.join(module, "manifest.json"), "utf8"));

const modules = manifest.modules.map(({ name, contentType }) => ({
  type: TYPES[contentType],
  path: path.join(module, name),
}));
// The main module has to be the first.
modules.sort((a, b) => b.path.endsWith(manifest.mainModule) - a.path.endsWith(manifest.mainModule));

const bound = manifest.durableObjects.map(({ binding, className }) => [
  binding,
  { className, useSQLite: true },
]);
const begin = performance.now();
const edge = new Miniflare({
  modules,
  modulesRoot: module,
  compatibilityDate: manifest.compatibilityDate,
  compatibilityFlags: manifest.compatibilityFlags,
  bindings,
  durableObjects: objects ? Object.fromEntries(bound) : {},
  durableObjectsPersist: persist ?? false,
  kvNamespaces: kv ? ["LLM_ROUTER_CONFIG_KV"] : [],
  host: "127.0.0.1",
  port: 0,
  cf: false,
  log: new Log(LogLevel.NONE),
  handleRuntimeStdio: (out, err) => {
    for (const stream of [out, err]) {
      readline.createInterface({ input: stream }).on("line", (line) => console.log(line));
    }
  },
});
const url = await edge.ready;
const put = async (values) => {
  const namespace = await edge.getKVNamespace("LLM_ROUTER_CONFIG_KV");
  for (const [key, value] of Object.entries(values)) await namespace.put(key, value);
};
if (kv) await put(kv);
input.on("line", async (line) => {
  await put(JSON.parse(line));
  console.log("put into KV");
});
console.log(`started in ${Math.round(performance.now() - begin)} ms`);
console.log(`listening on http://${url.host}`);
input.once("close", async () => {
  await edge.dispose();
  process.exit(0);
});
