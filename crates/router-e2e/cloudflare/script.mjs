// A Worker: its versions, what is deployed of them, and its switches.

import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";

import { ApiError } from "./envelope.mjs";

const SECRET_BYTES_MAX = 5 * 1024;
const LIMITS = { free: { module: 3_000_000, bindings: 64 }, paid: { module: 10_000_000, bindings: 128 } };
const MODULE_TYPES = new Set([
  "application/javascript+module",
  "application/wasm",
  "application/octet-stream",
  "text/plain",
  "application/source-map",
]);
const METADATA = new Set([
  "main_module", "bindings", "compatibility_date", "compatibility_flags", "migrations",
  "annotations", "keep_bindings", "observability", "tags", "logpush", "placement", "usage_model",
  "keep_assets", "limits", "tail_consumers",
]);

export class Script {
  constructor(name, account) {
    Object.assign(this, {
      name,
      account,
      versions: [],
      deployments: [],
      subdomain: { enabled: false, previews_enabled: false },
      migrationTag: undefined,
      classes: new Set(),
      modified: new Date().toISOString(),
      tags: [],
      settings: {},
    });
  }

  get current() {
    const id = this.deployments[0]?.versions[0]?.version_id;
    return this.versions.find((version) => version.id === id);
  }

  /** What tests may see: names and sizes, and the values of plain variables. */
  view() {
    return {
      name: this.name,
      subdomain: this.subdomain,
      migrationTag: this.migrationTag,
      settings: this.settings,
      versions: this.versions.length,
      deployments: this.deployments.map((each) => each.versions[0].version_id),
      bindings: this.current?.bindings.map(shown) ?? [],
      parts: this.current?.modules.map(({ name, type }) => ({ name, type })) ?? [],
    };
  }

  addVersion(version, message, author = "operator@example.com") {
    const full = { ...version, id: randomUUID(), number: this.versions.length + 1, created: new Date().toISOString() };
    this.versions.push(full);
    this.deploy(full.id, message, author);
    return full;
  }

  deploy(versionId, message, author = "operator@example.com") {
    this.modified = new Date().toISOString();
    this.deployments.unshift({
      id: randomUUID(),
      source: "api",
      strategy: "percentage",
      author_email: author,
      created_on: this.modified,
      annotations: message ? { "workers/message": message } : {},
      versions: [{ version_id: versionId, percentage: 100 }],
    });
    return this.deployments[0];
  }
}

/** A binding as the API shows it: without the value of a secret. */
export function shown({ text, ...binding }) {
  return binding.type === "plain_text" ? { ...binding, text } : binding;
}

/** Reads the multipart form of an upload and checks it as the API does. */
export async function readUpload(request, bytes, script, plan, strict) {
  const type = request.headers["content-type"] ?? "";
  if (!/^multipart\/form-data; boundary=/.test(type)) {
    throw new ApiError(415, 10005, `Unsupported content type ${type}`);
  }
  let form;
  try {
    form = await new Response(bytes, { headers: { "content-type": type } }).formData();
  } catch (error) {
    throw new ApiError(400, 10021, `could not read the form: ${error.message}`);
  }
  const raw = form.get("metadata");
  if (raw === null) throw new ApiError(400, 10021, "could not read content for part metadata");
  if (typeof raw !== "string" && raw.type !== "application/json") {
    throw new ApiError(400, 10021, `metadata is ${raw.type}`);
  }
  const metadata = JSON.parse(typeof raw === "string" ? raw : await raw.text());
  const unknown = Object.keys(metadata).filter((name) => !METADATA.has(name));
  if (unknown.length > 0) throw new ApiError(400, 10021, `unknown metadata: ${unknown}`);
  const modules = [];
  for (const [name, file] of form) {
    if (name === "metadata") continue;
    if (typeof file === "string") throw new ApiError(400, 10021, `part ${name} is not a file`);
    if (file.name !== name) throw new ApiError(400, 10021, `part ${name} has the file name ${file.name}`);
    if (!MODULE_TYPES.has(file.type)) throw new ApiError(400, 10021, `part ${name} is ${file.type}`);
    modules.push({ name, type: file.type, content: Buffer.from(await file.arrayBuffer()) });
  }
  if (!modules.some((module) => module.name === metadata.main_module)) {
    throw new ApiError(400, 10021, `main_module ${metadata.main_module} is not among the parts`);
  }
  if (!/^\d{4}-\d{2}-\d{2}$/.test(metadata.compatibility_date ?? "")) {
    throw new ApiError(400, 10021, "compatibility_date is not a day");
  }
  const compressed = gzipSync(Buffer.concat(modules.map((module) => module.content))).length;
  if (compressed > LIMITS[plan].module) {
    throw new ApiError(413, 10027, "Your Worker exceeded the size limit");
  }
  const bindings = resolve(metadata, script, strict);
  checkBindings(bindings, LIMITS[plan].bindings);
  const classes = migrate(metadata.migrations, script);
  for (const binding of bindings) {
    if (binding.type === "durable_object_namespace" && !classes.has(binding.class_name)) {
      throw new ApiError(400, 10061, `Cannot create binding for class ${binding.class_name}: no migration made it`);
    }
  }
  return { metadata, modules, bindings, classes };
}

/** Bindings with those that are kept from the version before. */
function resolve(metadata, script, strict) {
  const before = script.current?.bindings ?? [];
  const bindings = [];
  for (const binding of metadata.bindings ?? []) {
    if (binding.type !== "inherit") {
      bindings.push(binding);
      continue;
    }
    const kept = before.find((each) => each.name === binding.name);
    if (kept) bindings.push(kept);
    else if (strict) throw new ApiError(400, 10057, `cannot inherit ${binding.name}`);
  }
  const keep = new Set(metadata.keep_bindings ?? []);
  const names = new Set(bindings.map((binding) => binding.name));
  return bindings.concat(before.filter((each) => keep.has(each.type) && !names.has(each.name)));
}

export function checkBindings(bindings, most) {
  const names = new Set();
  for (const { name, type, text } of bindings) {
    if (!/^[A-Za-z_$][\w$]*$/.test(name ?? "")) throw new ApiError(400, 10021, `binding name ${name}`);
    if (names.has(name)) throw new ApiError(400, 10053, `binding ${name} already in use`);
    names.add(name);
    if (type === "secret_text" || type === "plain_text") {
      if (typeof text !== "string") throw new ApiError(400, 10021, `binding ${name} has no text`);
      if (Buffer.byteLength(text) > SECRET_BYTES_MAX) {
        throw new ApiError(400, 10054, `binding ${name} exceeds ${SECRET_BYTES_MAX} bytes`);
      }
    } else if (!["durable_object_namespace", "kv_namespace"].includes(type)) {
      throw new ApiError(400, 10021, `binding type ${type}`);
    }
  }
  if (bindings.length > most) throw new ApiError(400, 10055, `more than ${most} variables`);
}

/** The Durable Object classes after the migrations; nothing is changed yet. */
function migrate(migrations, script) {
  const classes = new Set(script.classes);
  if (!migrations) return classes;
  if ((migrations.old_tag ?? undefined) !== script.migrationTag) {
    throw new ApiError(
      412,
      10079,
      `Actor migration tag precondition failed; expected: ${migrations.old_tag}, got: ${script.migrationTag}`,
    );
  }
  if (!migrations.new_tag) throw new ApiError(400, 10021, "migrations without new_tag");
  for (const step of migrations.steps ?? [migrations]) {
    for (const name of step.new_sqlite_classes ?? []) {
      if (classes.has(name)) throw new ApiError(400, 10074, `Cannot apply new class migration: ${name} exists`);
      classes.add(name);
    }
    if (step.new_classes?.length > 0) throw new ApiError(400, 10097, "the free plan needs new_sqlite_classes");
  }
  return classes;
}
