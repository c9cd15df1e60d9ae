//! The scripted provider inside the test's own process.

use std::net::SocketAddr;

use anyhow::Result;
use router_demo::{Demo, Options};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The credential the provider insists on.
pub const KEY: &str = "provider-secret";

/// A provider and the threads it runs on.
#[derive(Debug)]
pub struct Provider {
    demo: Demo,
    // Dropped after the provider that runs on it.
    _runtime: Runtime,
}

impl Provider {
    /// Starts a strict provider on a free port.
    pub fn start() -> Result<Self> {
        Self::start_with(Options { key: Some(KEY.to_owned()), ..Options::default() })
    }

    /// Starts a provider on a free port.
    pub fn start_with(options: Options) -> Result<Self> {
        let runtime = Runtime::new()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let demo = runtime.block_on(Demo::start(address, options))?;
        Ok(Self { demo, _runtime: runtime })
    }

    /// The provider itself, to script it and to see what it was asked.
    pub fn demo(&self) -> &Demo {
        &self.demo
    }

    /// A router config with this provider as `demo`, all its models, and `models` besides.
    pub fn config(&self, models: &[&str]) -> Result<Value> {
        let text = router_demo::demo_config_json(&self.demo.url(), KEY);
        let mut config: Value = serde_json::from_str(&text)?;
        if let Some(list) = config.pointer_mut("/providers/0/models").and_then(Value::as_array_mut)
        {
            list.extend(models.iter().map(|model| json!({ "id": model })));
        }
        Ok(config)
    }
}
