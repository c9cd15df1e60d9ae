// The Node side of `cells.py`: one client dialect against the upstreams named on the command line. Runs every case
// in both modes, and prints the same lines of JSON.

import * as zlib from "node:zlib";

export const BASE = process.argv[2].replace(/\/+$/, "");
const PROVIDERS = process.argv.slice(3);
// The one that is asked now.
let provider = "";

const CASES = [
  "text",
  "tools",
  "parallel tools",
  "freeform tool",
  "image",
  "PDF",
  "thinking round trip",
  "structured output",
  "cache",
  "stop sequence",
  "length stop",
  "refusal",
  "error before output",
  "error in mid-stream",
  "truncation",
];

// What the conversation is about, in every dialect.
export const HELLO = "Say hello.";
export const WEATHER = "What is the weather in Paris? Use the tool.";
export const PARALLEL = "Call the tool for Paris and for Rome in parallel.";
export const PATCH = "Apply the patch with the tool.";
export const RESULT = "18 degrees, sunny";
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
export const TOOL_SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
// Long enough for every vendor's smallest cacheable prefix.
export const LONG = Array.from({ length: 400 }, (_, n) => `Rule ${n}: answer question number ${n} with care and in full sentences.`).join(" ");

let losses = [];

/** A `fetch` that sees what the router reports as lost. */
export async function noting(url, init) {
  const answer = await fetch(url, init);
  const loss = answer.headers.get("x-llm-router-loss");
  if (loss) losses.push(loss);
  return answer;
}

export const model = (name = "demo-chat") => `${provider}/${name}`;

/** The case does not exist in this client's dialect. */
export class NotHere extends Error {}

/** Throws unless `condition` holds. */
export function that(condition, shown) {
  if (!condition) throw new Error(`not so: ${JSON.stringify(shown)}`);
}

export function textIsRight(text) {
  that(text && text.toLowerCase().includes("hello"), text);
}

export function schemaIsMet(text) {
  const value = JSON.parse(text);
  that(typeof value.city === "string" && Number.isInteger(value.degrees), value);
  that(Object.keys(value).length === 2, value);
}

/** `ask` has to throw an error of `kind`. */
export async function fails(ask, kind, status) {
  let value;
  try {
    value = await ask();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    that(!status || status.includes(error.status), `status ${error.status}: ${error.message}`);
    return;
  }
  throw new Error(`ended as if all were well: ${JSON.stringify(value)}`);
}

/** A small picture, in base64. */
export function png(width = 2, height = 3) {
  const crc = (bytes) => {
    let sum = 0xffffffff;
    for (const byte of bytes) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    }
    return ~sum >>> 0;
  };
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [size, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc(body));
    return Buffer.concat([size, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc((1 + width * 3) * height);
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [magic, chunk("IHDR", head), chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat(parts).toString("base64");
}

export const PDF = Buffer.from(
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
).toString("base64");

/** Runs `cases`, functions of whether to stream, in the order of the table. */
export async function run(cases, isRefusal) {
  for (provider of PROVIDERS) {
    for (const [index, name] of CASES.entries()) {
      for (const mode of ["whole", "stream"]) {
        const [result, say] = await cell(cases[index], mode, isRefusal);
        console.log(JSON.stringify({ upstream: provider, case: name, mode, result, say }));
      }
    }
  }
}

async function cell(ask, mode, isRefusal) {
  losses = [];
  try {
    await ask(mode === "stream");
  } catch (error) {
    if (error instanceof NotHere) return ["none", ""];
    if (isRefusal(error)) return ["refused", error.message];
    return ["fail", error?.stack ?? String(error)];
  }
  return losses.length > 0 ? ["loss", losses[0]] : ["pass", ""];
}
