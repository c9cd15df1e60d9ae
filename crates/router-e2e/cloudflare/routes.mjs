// The endpoints.

import { randomBytes, randomUUID } from "node:crypto";

import { ApiError, Page, json } from "./envelope.mjs";
import { Script, checkBindings, readUpload, shown } from "./script.mjs";

const id = () => randomBytes(16).toString("hex");

/** `[method, pattern, handler]`; `:name` is one segment. */
const TABLE = [
  ["GET", "/user/tokens/verify", () => ({ id: id(), status: "active" })],
  ["GET", "/accounts/:account/tokens/verify", (c) => ({ id: id(), status: "active", account: account(c).id })],
  ["GET", "/user", () => ({ id: id(), email: "operator@example.com" })],
  ["GET", "/memberships", (c) => new Page(c.world.accounts.map((each) => ({ id: id(), status: "accepted", account: each })), c.query)],
  ["GET", "/accounts", (c) => new Page(c.world.accounts, c.query)],
  ["GET", "/zones", zones],
  ["GET", "/zones/:zone/workers/routes", (c) => zoneRoutes(c)],
  ["POST", "/zones/:zone/workers/routes", addRoute],
  ["PUT", "/zones/:zone/workers/routes/:route", changeRoute],
  ["DELETE", "/zones/:zone/workers/routes/:route", removeRoute],
  ["PUT", "/zones/:zone/rulesets/phases/:phase/entrypoint", putRules],
  ["GET", "/accounts/:account/workers/subdomain", accountSubdomain],
  ["GET", "/accounts/:account/workers/domains", listDomains],
  ["PUT", "/accounts/:account/workers/domains", putDomain],
  ["DELETE", "/accounts/:account/workers/domains/:domain", removeDomain],
  ["GET", "/accounts/:account/workers/scripts", (c) => scripts(c).map(listed)],
  ["GET", "/accounts/:account/workers/services/:name", service],
  ["PUT", "/accounts/:account/workers/scripts/:name", upload],
  ["DELETE", "/accounts/:account/workers/scripts/:name", removeScript],
  ["GET", "/accounts/:account/workers/scripts/:name/settings", settings],
  ["PATCH", "/accounts/:account/workers/scripts/:name/script-settings", changeSettings],
  ["GET", "/accounts/:account/workers/scripts/:name/subdomain", (c) => script(c).subdomain],
  ["POST", "/accounts/:account/workers/scripts/:name/subdomain", switchSubdomain],
  ["PUT", "/accounts/:account/workers/scripts/:name/routes", wranglerRoutes],
  ["PUT", "/accounts/:account/workers/scripts/:name/domains/records", wranglerDomains],
  ["GET", "/accounts/:account/workers/scripts/:name/secrets", listSecrets],
  ["PUT", "/accounts/:account/workers/scripts/:name/secrets", putSecret],
  ["GET", "/accounts/:account/workers/scripts/:name/deployments", (c) => ({ deployments: script(c).deployments })],
  ["POST", "/accounts/:account/workers/scripts/:name/deployments", deploy],
  ["GET", "/accounts/:account/workers/scripts/:name/versions", versions],
  ["POST", "/accounts/:account/workers/scripts/:name/versions", addVersion],
  ["GET", "/accounts/:account/workers/scripts/:name/versions/:version", version],
  ["POST", "/accounts/:account/workers/scripts/:name/tails", addTail],
  ["DELETE", "/accounts/:account/workers/scripts/:name/tails/:tail", removeTail],
  ["GET", "/accounts/:account/storage/kv/namespaces", (c) => new Page(namespaces(c).map(({ id, title }) => ({ id, title })), c.query, 1000)],
  ["POST", "/accounts/:account/storage/kv/namespaces", addNamespace],
  ["DELETE", "/accounts/:account/storage/kv/namespaces/:space", removeNamespace],
  ["PUT", "/accounts/:account/storage/kv/namespaces/:space/values/:key", putValue],
  ["GET", "/accounts/:account/storage/kv/namespaces/:space/values/:key", (c) => space(c).values.get(c.key) ?? missing()],
].map(([method, pattern, handler]) => [
  method,
  new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`),
  handler,
]);

export async function routes(world, request, path, query, bytes) {
  for (const [method, pattern, handler] of TABLE) {
    const match = method === request.method && pattern.exec(path);
    if (!match) continue;
    const names = Object.fromEntries(
      Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
    const context = { ...names, world, request, query, bytes };
    if (names.account) account(context);
    return handler(context);
  }
  throw new ApiError(404, 7003, `Could not route to ${request.method} ${path}`);
}

function missing() {
  throw new ApiError(404, 10009, "key not found");
}

function account(c) {
  const found = c.world.accounts.find((each) => each.id === c.account);
  if (!found) throw new ApiError(403, 10000, "Authentication error");
  return found;
}

function scripts(c) {
  return [...c.world.scripts.values()].filter((each) => each.account === c.account);
}

function script(c) {
  const found = c.world.scripts.get(c.name);
  if (!found || found.account !== c.account) {
    throw new ApiError(404, 10007, "This Worker does not exist on your account.");
  }
  return found;
}

function listed(each) {
  return { id: each.name, modified_on: each.modified, ...(each.migrationTag && { migration_tag: each.migrationTag }) };
}

// Zones, routes, domains

function zones(c) {
  const of = c.query.get("account.id");
  const name = c.query.get("name");
  const all = c.world.zones.filter((each) => (!of || each.account.id === of) && (!name || each.name === name));
  return new Page(all.map((each) => ({ ...each, status: "active" })), c.query);
}

function zone(c) {
  const found = c.world.zones.find((each) => each.id === c.zone);
  if (!found) throw new ApiError(403, 10000, "Authentication error");
  return found;
}

function zoneRoutes(c) {
  return c.world.routes.filter((each) => each.zone === zone(c).id).map(({ zone, ...rest }) => rest);
}

function checkPattern(c, pattern) {
  const host = pattern.split("/")[0];
  const name = zone(c).name;
  if (host !== name && !host.endsWith(`.${name}`)) throw new ApiError(400, 10022, `${pattern} is not in ${name}`);
}

function addRoute(c) {
  const { pattern, script: name } = json(c.request, c.bytes, ["pattern", "script"]);
  checkPattern(c, pattern);
  if (!c.world.scripts.has(name)) throw new ApiError(400, 10007, "This Worker does not exist on your account.");
  if (c.world.routes.some((each) => each.pattern === pattern)) {
    throw new ApiError(409, 10020, "A route with the same pattern already exists.");
  }
  const route = { id: id(), pattern, script: name, zone: c.zone };
  c.world.routes.push(route);
  return { id: route.id, pattern, script: name };
}

function changeRoute(c) {
  const { pattern, script: name } = json(c.request, c.bytes, ["pattern", "script"]);
  checkPattern(c, pattern);
  const route = c.world.routes.find((each) => each.id === c.route && each.zone === c.zone);
  if (!route) throw new ApiError(404, 10009, "route not found");
  Object.assign(route, { pattern, script: name });
  return { id: route.id, pattern, script: name };
}

function removeRoute(c) {
  const at = c.world.routes.findIndex((each) => each.id === c.route && each.zone === zone(c).id);
  if (at < 0) throw new ApiError(404, 10009, "route not found");
  c.world.routes.splice(at, 1);
  return { id: c.route };
}

function wranglerRoutes(c) {
  script(c);
  const wanted = JSON.parse(c.bytes);
  c.world.routes = c.world.routes.filter((each) => each.script !== c.name);
  for (const { pattern, zone_name: name } of wanted) {
    const host = pattern.split("/")[0];
    const owner = c.world.zones.find((each) => (name ? each.name === name : host.endsWith(each.name)));
    if (!owner) throw new ApiError(400, 10022, `no zone for ${pattern}`);
    c.world.routes.push({ id: id(), pattern, script: c.name, zone: owner.id });
  }
  return wanted.map(({ pattern }) => pattern);
}

function putRules(c) {
  zone(c);
  const limit = c.phase === "http_ratelimit";
  if (!limit && c.phase !== "http_request_firewall_custom") throw new ApiError(400, 20003, `phase ${c.phase}`);
  const { rules } = json(c.request, c.bytes, ["rules"]);
  for (const { action, expression, ratelimit } of rules) {
    const open = (expression?.match(/[({]/g) ?? []).length;
    if (action !== "block" || !open && !/ eq /.test(expression) || open !== (expression.match(/[)}]/g) ?? []).length) {
      throw new ApiError(400, 20120, `rule: ${expression}`);
    }
    const { characteristics, period, requests_per_period: requests, mitigation_timeout: timeout } = ratelimit ?? {};
    const good = characteristics?.includes("cf.colo.id") && [10, 60, 120, 300].includes(period) && requests > 0 && timeout > 0;
    if (limit !== Boolean(good)) throw new ApiError(400, 20120, "ratelimit");
    // What a plan counts by, and for how long: "Availability" in Cloudflare's documentation.
    const free = period === 10 && timeout === 10 && !/http\.(?!request\.uri\.path)/.test(expression);
    if (limit && c.world.plan === "free" && !free) throw new ApiError(400, 20120, "not on this plan");
  }
  return { id: id(), phase: c.phase, rules };
}

function accountSubdomain(c) {
  const subdomain = c.world.subdomains[c.account];
  if (!subdomain) throw new ApiError(404, 10007, "You do not have a workers.dev subdomain.");
  return { subdomain };
}

function listDomains(c) {
  const wanted = (each, name) => !c.query.get(name) || each[name] === c.query.get(name);
  return c.world.domains.filter((each) => wanted(each, "hostname") && wanted(each, "service"));
}

function setDomain(c, hostname, service, zoneId, zoneName) {
  const owner = c.world.zones.find((each) => each.id === zoneId || each.name === zoneName);
  if (!owner) throw new ApiError(400, 100114, `no zone for ${hostname}`);
  if (!c.world.scripts.has(service)) throw new ApiError(404, 10007, "This Worker does not exist on your account.");
  if (c.world.records.includes(hostname)) {
    throw new ApiError(409, 100117, `Hostname '${hostname}' already has externally managed DNS records (A, CNAME, etc).`);
  }
  c.world.domains = c.world.domains.filter((each) => each.hostname !== hostname);
  const domain = {
    id: id(), cert_id: randomUUID(), hostname, service, environment: "production", zone_id: owner.id, zone_name: owner.name,
  };
  c.world.domains.push(domain);
  return domain;
}

function putDomain(c) {
  const body = json(c.request, c.bytes, ["hostname", "service"], ["zone_id", "zone_name", "environment"]);
  return setDomain(c, body.hostname, body.service, body.zone_id, body.zone_name);
}

function wranglerDomains(c) {
  const { origins } = JSON.parse(c.bytes);
  return origins.map(({ hostname, zone_id: zoneId, zone_name: zoneName }) => {
    const fits = c.world.zones.find((each) => hostname.endsWith(each.name));
    return setDomain(c, hostname, c.name, zoneId ?? fits?.id, zoneName);
  });
}

function removeDomain(c) {
  const at = c.world.domains.findIndex((each) => each.id === c.domain);
  if (at < 0) throw new ApiError(404, 100120, "domain not found");
  c.world.domains.splice(at, 1);
  return null;
}

// Scripts

function service(c) {
  const found = script(c);
  return { default_environment: { environment: "production", script: { ...listed(found), last_deployed_from: "api", tags: [] } } };
}

async function upload(c) {
  const known = c.world.scripts.get(c.name);
  if (!known && !c.world.subdomains[c.account]) {
    throw new ApiError(403, 10063, "You need a workers.dev subdomain in order to proceed.");
  }
  const found = known ?? new Script(c.name, c.account);
  const strict = c.query.get("bindings_inherit") === "strict";
  const form = await readUpload(c.request, c.bytes, found, c.world.plan, strict);
  const startup = await c.world.edge.start(found, form);
  found.classes = form.classes;
  found.settings = settingsOf(form.metadata);
  if (form.metadata.migrations) found.migrationTag = form.metadata.migrations.new_tag;
  c.world.scripts.set(c.name, found);
  const made = found.addVersion(form, form.metadata.annotations?.["workers/message"]);
  return {
    id: c.name, etag: id(), deployment_id: made.id.replaceAll("-", ""), startup_time_ms: startup, has_modules: true,
    handlers: ["fetch"], modified_on: found.modified, ...listed(found),
  };
}

async function addVersion(c) {
  const found = script(c);
  const form = await readUpload(c.request, c.bytes, found, c.world.plan, true);
  if (form.metadata.migrations) throw new ApiError(400, 10211, "versions cannot carry migrations");
  const startup = await c.world.edge.start(found, form);
  const before = found.deployments[0];
  const made = found.addVersion(form);
  // A version is not deployed before it is told.
  found.deployments = [before, ...found.deployments.slice(2)];
  return { id: made.id, number: made.number, startup_time_ms: startup, metadata: {}, resources: { script: { etag: id() } } };
}

async function removeScript(c) {
  script(c);
  const bound = c.world.routes.some((each) => each.script === c.name);
  if (bound && c.query.get("force") !== "true") throw new ApiError(400, 10064, "the Worker has routes");
  c.world.scripts.delete(c.name);
  await c.world.edge.remove(c.name);
  return { id: c.name };
}

// Settings that belong to no version. An upload without them resets them.
const settingsOf = ({ observability = null, logpush = false, tail_consumers: consumers = null }) => ({
  observability,
  logpush,
  tail_consumers: consumers,
});

function changeSettings(c) {
  const found = script(c);
  const body = json(c.request, c.bytes, [], ["observability", "logpush", "tail_consumers", "tags"]);
  found.settings = settingsOf({ ...found.settings, ...body });
  return { ...found.settings, tags: found.tags };
}

function settings(c) {
  const { metadata, bindings } = script(c).current;
  return {
    bindings: bindings.map(shown),
    compatibility_date: metadata.compatibility_date,
    compatibility_flags: metadata.compatibility_flags ?? [],
    usage_model: "standard",
    ...script(c).settings,
    tags: script(c).tags,
  };
}

function switchSubdomain(c) {
  const body = json(c.request, c.bytes, ["enabled"], ["previews_enabled"]);
  if (body.enabled) accountSubdomain(c);
  script(c).subdomain = { enabled: body.enabled, previews_enabled: body.previews_enabled ?? body.enabled };
  return script(c).subdomain;
}

// Secrets and versions

function listSecrets(c) {
  return script(c).current.bindings.filter(({ type }) => type === "secret_text").map(shown);
}

async function putSecret(c) {
  const body = json(c.request, c.bytes, ["name", "text", "type"]);
  if (body.type !== "secret_text") throw new ApiError(400, 10021, `secret type ${body.type}`);
  const found = script(c);
  if (found.versions.at(-1).id !== found.current.id) {
    throw new ApiError(400, 10215, "Secret edit failed. The latest version isn't currently deployed.");
  }
  const bindings = found.current.bindings.filter((each) => each.name !== body.name).concat(body);
  checkBindings(bindings, 128);
  const changed = { ...found.current, bindings };
  await c.world.edge.start(found, changed);
  found.addVersion(changed, `secret ${body.name}`);
  return { name: body.name, type: body.type };
}

const secretsOf = (version) =>
  JSON.stringify(version.bindings.filter(({ type }) => type === "secret_text").map(({ name, text }) => [name, text]).sort());

async function deploy(c) {
  const body = json(c.request, c.bytes, ["strategy", "versions"], ["annotations"]);
  const found = script(c);
  const wanted = found.versions.find((each) => each.id === body.versions[0]?.version_id);
  if (body.strategy !== "percentage" || body.versions.length !== 1 || body.versions[0].percentage !== 100) {
    throw new ApiError(400, 10021, "percentages must add up to 100");
  }
  if (!wanted) throw new ApiError(400, 10208, "version not found");
  const isOlder = wanted.number < found.current.number;
  if (isOlder && c.query.get("force") !== "true" && secretsOf(wanted) !== secretsOf(found.current)) {
    throw new ApiError(400, 10220, "One or more secrets have changed since the target version was deployed");
  }
  await c.world.edge.start(found, wanted);
  return found.deploy(wanted.id, body.annotations?.["workers/message"]);
}

const versionView = (each) => ({
  id: each.id,
  number: each.number,
  metadata: { created_on: each.created, source: "api", author_email: "operator@example.com" },
  annotations: {},
  resources: { script: { etag: each.id, handlers: ["fetch"] }, script_runtime: {}, bindings: each.bindings.map(shown) },
});

function versions(c) {
  return { items: [...script(c).versions].reverse().map(versionView) };
}

function version(c) {
  const found = script(c).versions.find((each) => each.id === c.version);
  if (!found) throw new ApiError(404, 10208, "version not found");
  return versionView(found);
}

// Logs

function addTail(c) {
  script(c);
  if (c.bytes.length > 0) JSON.parse(c.bytes);
  const tail = { id: id(), script: c.name, sockets: new Set() };
  c.world.tails.set(tail.id, tail);
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  return { id: tail.id, url: `ws://${c.world.address}/tails/${tail.id}`, expires_at: expires };
}

function removeTail(c) {
  const tail = c.world.tails.get(c.tail);
  if (!tail) throw new ApiError(404, 10009, "tail not found");
  for (const socket of tail.sockets) socket.close();
  c.world.tails.delete(c.tail);
  return null;
}

// KV

function namespaces(c) {
  return c.world.namespaces.filter((each) => each.account === c.account);
}

function space(c) {
  const found = namespaces(c).find((each) => each.id === c.space);
  if (!found) throw new ApiError(404, 10013, "get namespace: namespace not found");
  return found;
}

function addNamespace(c) {
  const { title } = json(c.request, c.bytes, ["title"]);
  if (namespaces(c).some((each) => each.title === title)) {
    throw new ApiError(400, 10014, "create namespace: a namespace with this title already exists");
  }
  const made = { id: id(), title, account: c.account, values: new Map() };
  c.world.namespaces.push(made);
  return { id: made.id, title };
}

function removeNamespace(c) {
  const found = space(c);
  c.world.namespaces = c.world.namespaces.filter((each) => each !== found);
  return null;
}

async function putValue(c) {
  const found = space(c);
  if (c.bytes.length > 25 * 1024 * 1024) throw new ApiError(413, 10047, "value too large");
  found.values.set(c.key, c.bytes);
  await c.world.edge.putValue(found, c.key, c.bytes);
  return null;
}
