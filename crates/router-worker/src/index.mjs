// What the platform loads: it starts the WebAssembly module and hands requests to it.
//
// A bug that traps leaves the module's memory in an unknown state, so the module is then started
// anew; the request that met the bug gets an error, and the isolate goes on serving.
import { DurableObject } from "cloudflare:workers";
import module from "./index_bg.wasm";
import * as router from "./index_bg.js";

// Each turn of a task of the module is one of these. The platform's own goes through its host and
// costs many times a promise's.
const resolved = Promise.resolve();
globalThis.queueMicrotask = (task) => void resolved.then(task);

router.initSync({ module });

let generation = 0;

function restart(error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (error instanceof WebAssembly.RuntimeError) {
    generation += 1;
    router.__wbg_reset_state();
  }
}

function failed() {
  const message = "the router failed; its log says why";
  const body = JSON.stringify({ error: { message, type: "server_error", code: "internal_error" } });
  return new Response(body, { status: 500, headers: { "content-type": "application/json" } });
}

export default {
  async fetch(request, env, context) {
    try {
      return await router.fetch(request, env, context);
    } catch (error) {
      restart(error);
      return failed();
    }
  },
};

/** The owner of one provider's limits, cooldowns, circuits and sessions. */
export class ProviderState extends DurableObject {
  start() {
    this.generation = generation;
    this.owner = new router.ProviderState(this.ctx, this.env);
  }

  async ask(question) {
    if (this.generation !== generation) this.start();
    try {
      return await this.owner.ask(question);
    } catch (error) {
      restart(error);
      throw error;
    }
  }
}
