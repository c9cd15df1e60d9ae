//! `LLM_ROUTER_*` variables, which override the document.

use crate::diagnostic::Severity;
use crate::read::{Context, Show};
use crate::schema::{Admin, Cors, File, SecretText, Server, Texts};
use crate::secret::Lookup;

/// Writes what the environment says over what the document says.
pub(crate) fn apply(file: &mut File, lookup: &dyn Lookup, cx: &mut Context<'_>) {
    let mut env = Env { lookup, cx };
    routing(file, &mut env);
    limits(file, &mut env);
    server(file.server.get_or_insert_default(), &mut env);
    if let Some(backend) = env.text("LLM_ROUTER_STATE_BACKEND") {
        file.state.get_or_insert_default().backend = Some(backend);
    }
    if let Some(path) = env.text("LLM_ROUTER_STATE_FILE_PATH") {
        file.state.get_or_insert_default().path = Some(path);
    }
    if let Some(key) = env.text("LLM_ROUTER_MASTER_KEY") {
        file.master_key = Some(SecretText(key));
    }
}

fn routing(file: &mut File, env: &mut Env<'_, '_>) {
    let routing = file.routing.get_or_insert_default();
    let retry = routing.retry.get_or_insert_default();
    if let Some(attempts) = env.number("LLM_ROUTER_ORIGIN_RETRY_ATTEMPTS", 1, 10) {
        retry.attempts = u32::try_from(attempts).ok();
    }
    env.millis("LLM_ROUTER_ORIGIN_RETRY_BASE_DELAY_MS", &mut retry.base_delay_ms);
    env.millis("LLM_ROUTER_ORIGIN_RETRY_MAX_DELAY_MS", &mut retry.max_delay_ms);
    if let (Some(base), Some(max)) = (retry.base_delay_ms, retry.max_delay_ms) {
        retry.max_delay_ms = Some(max.max(base));
    }
    let cooldown = routing.cooldown.get_or_insert_default();
    env.millis("LLM_ROUTER_ORIGIN_FALLBACK_COOLDOWN_MS", &mut cooldown.not_found_ms);
    env.millis("LLM_ROUTER_ORIGIN_RATE_LIMIT_COOLDOWN_MS", &mut cooldown.rate_limit_ms);
    env.millis("LLM_ROUTER_ORIGIN_BILLING_COOLDOWN_MS", &mut cooldown.billing_ms);
    env.millis("LLM_ROUTER_ORIGIN_AUTH_COOLDOWN_MS", &mut cooldown.auth_ms);
    env.flag("LLM_ROUTER_ALLOW_POLICY_FALLBACK", &mut cooldown.allow_policy_fallback);
    if env.text("LLM_ROUTER_ORIGIN_POLICY_COOLDOWN_MS").is_some() {
        let what = "refusals for policy reasons never cool anything down";
        env.warn("LLM_ROUTER_ORIGIN_POLICY_COOLDOWN_MS", what, "remove the variable");
    }
    let circuit = routing.circuit.get_or_insert_default();
    if let Some(failures) = env.number("LLM_ROUTER_FALLBACK_CIRCUIT_FAILURES", 0, u32::MAX.into()) {
        circuit.failures = u32::try_from(failures).ok();
    }
    if let Some(ms) = env.number("LLM_ROUTER_FALLBACK_CIRCUIT_COOLDOWN_MS", 0, u64::MAX) {
        circuit.cooldown_ms = Some(ms);
        // No time to stay open is how the older program turned circuits off.
        if ms == 0 {
            circuit.failures = Some(0);
        }
    }
    if let Some(ms) = env.number("LLM_ROUTER_UPSTREAM_TIMEOUT_MS", 1_000, 300_000) {
        let timeouts = routing.timeouts.get_or_insert_default();
        timeouts.first_byte_ms = Some(ms);
        timeouts.total_ms = Some(ms);
    }
}

fn limits(file: &mut File, env: &mut Env<'_, '_>) {
    if let Some(bytes) = env.number("LLM_ROUTER_MAX_REQUEST_BODY_BYTES", 4_096, 20_971_520) {
        file.server.get_or_insert_default().max_body_bytes = Some(bytes);
    }
    if let Some(ms) = env.number("LLM_ROUTER_CANDIDATE_STATE_TTL_MS", 0, u64::MAX) {
        file.state.get_or_insert_default().ttl_ms = Some(ms);
    }
    if let Some(ms) = env.number("LLM_ROUTER_CONFIG_RELOAD_DEBOUNCE_MS", 0, 5_000) {
        file.server.get_or_insert_default().reload_debounce_ms = Some(ms);
    }
}

fn server(server: &mut Server, env: &mut Env<'_, '_>) {
    if let Some(host) = env.text("LLM_ROUTER_HOST") {
        server.host = Some(host);
    }
    if let Some(port) = env.number("LLM_ROUTER_PORT", 0, u16::MAX.into()) {
        server.port = u16::try_from(port).ok();
    }
    env.flag("LLM_ROUTER_REQUIRE_AUTH", &mut server.require_auth);
    env.flag("LLM_ROUTER_WATCH_CONFIG", &mut server.watch_config);
    env.flag("LLM_ROUTER_DEBUG", &mut server.debug);
    env.flag("LLM_ROUTER_DEBUG_ROUTING", &mut server.debug);
    let cors = server.cors.get_or_insert_with(Cors::default);
    env.flag("LLM_ROUTER_CORS_ALLOW_ALL", &mut cors.allow_all);
    env.list(
        ["LLM_ROUTER_CORS_ALLOWED_ORIGINS", "LLM_ROUTER_ALLOWED_ORIGINS"],
        &mut cors.allowed_origins,
    );
    env.list(["LLM_ROUTER_ALLOWED_IPS", "LLM_ROUTER_IP_ALLOWLIST"], &mut server.allowed_ips);
    if let Some(key) = env.text("LLM_ROUTER_ADMIN_KEY") {
        server.admin.get_or_insert_with(Admin::default).key = Some(SecretText(key));
    }
}

struct Env<'a, 's> {
    lookup: &'a dyn Lookup,
    cx: &'a mut Context<'s>,
}

impl Env<'_, '_> {
    /// A variable that is set and not blank.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.lookup.var(name)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn warn(&mut self, name: &str, what: &str, hint: &str) {
        let message = format!("environment variable `{name}`: {what}");
        self.cx.report(Severity::Warning, &format!("${name}"), Show::Place, message, Some(hint));
    }

    /// The leading digits of a variable, within bounds.
    fn number(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        let text = self.text(name)?;
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse::<u64>() else {
            self.warn(name, "not a number of 0 or more, and ignored", "set a whole number");
            return None;
        };
        let bounded = number.clamp(min, max);
        if bounded != number {
            let what = format!("out of bounds; {bounded} is used");
            self.warn(name, &what, &format!("set a number from {min} to {max}"));
        }
        Some(bounded)
    }

    fn millis(&mut self, name: &str, slot: &mut Option<u64>) {
        if let Some(number) = self.number(name, 0, u64::MAX) {
            *slot = Some(number);
        }
    }

    fn flag(&mut self, name: &str, slot: &mut Option<bool>) {
        let Some(text) = self.text(name) else { return };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => *slot = Some(true),
            "0" | "false" | "no" | "n" | "off" => *slot = Some(false),
            _ => self.warn(name, "neither true nor false, and ignored", "set `true` or `false`"),
        }
    }

    /// A list with commas, from the first of two variables that is set at all.
    fn list(&mut self, names: [&str; 2], slot: &mut Option<Texts>) {
        let Some(text) = names.iter().find_map(|name| self.lookup.var(name)) else { return };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        *slot = Some(Texts(parts.map(str::to_owned).enumerate().collect()));
    }
}
