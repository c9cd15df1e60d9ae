// The smallest Worker that keeps to the contract between `llm-router deploy` and the Worker: where
// its config is, what its key is, what `env:` in the config means. It passes requests on to the
// first provider. For tests of deploying only.

export { Counter } from "./counter.js";

async function config(env) {
  if (env.LLM_ROUTER_CONFIG_KV) {
    return JSON.parse(await env.LLM_ROUTER_CONFIG_KV.get(env.LLM_ROUTER_CONFIG_KV_KEY));
  }
  let text = env.LLM_ROUTER_CONFIG_JSON ?? "";
  for (let number = 1; !env.LLM_ROUTER_CONFIG_JSON && env[`LLM_ROUTER_CONFIG_JSON_${number}`]; number += 1) {
    text += env[`LLM_ROUTER_CONFIG_JSON_${number}`];
  }
  return JSON.parse(text || "{}");
}

function secret(text, env) {
  return text?.startsWith("env:") ? env[text.slice(4)] : text;
}

function error(status, message) {
  return Response.json({ error: { message, type: "error", code: null, param: null } }, { status });
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    console.log(`saw ${request.method} ${pathname}`);
    if (pathname === "/health") return Response.json({ status: "ok" });
    const { providers = [], masterKey } = await config(env);
    const key = env.LLM_ROUTER_MASTER_KEY ?? secret(masterKey, env);
    const shown = request.headers.get("authorization")?.slice(7) ?? request.headers.get("x-api-key");
    if (!key) return error(503, "no key is configured");
    if (shown !== key) return error(401, "the key is not accepted");
    const provider = providers.find((each) => each.enabled !== false);
    const names = providers.flatMap(({ id, models }) => models.map((model) => `${id}/${model.id ?? model}`));
    if (pathname === "/v1/models") {
      const count = await env.COUNTER.get(env.COUNTER.idFromName("all")).next();
      const data = names.map((id) => ({ id, object: "model", created: 0, owned_by: "router" }));
      return Response.json({ object: "list", data }, { headers: { "x-count": String(count) } });
    }
    const body = await request.json();
    body.model = body.model.split("/").at(-1);
    const onward = { "content-type": "application/json" };
    const credential = secret(provider.apiKey ?? (provider.apiKeyEnv && `env:${provider.apiKeyEnv}`), env);
    if (pathname === "/v1/messages") {
      onward["x-api-key"] = credential;
      onward["anthropic-version"] = "2023-06-01";
    } else {
      onward.authorization = `Bearer ${credential}`;
    }
    const base = provider.baseUrl.replace(/\/v1\/?$/, "");
    return fetch(`${base}${pathname}`, { method: "POST", headers: onward, body: JSON.stringify(body) });
  },
};
