//! The router on Cloudflare Workers.
//!
//! ```text
//! config file --payload--> secrets ----+
//! wrangler.toml --project--> hints --+ |
//! command line --target------------+ | |
//! module folder --module---------+ | | |
//!                                v v v v
//!             survey (reads) --> plan --show--> apply (writes) --> check (the live Worker)
//! ```
//!
//! A plan is made of the very calls that applying it sends, so what is shown is what happens; a
//! dry run is a plan over a survey that asked nobody. Code, secrets and Durable Object migrations
//! go up in one call, so a Worker never runs new code with an old config or the reverse.
//!
//! Nothing here prints, asks or reads the command line.

mod account;
mod api;
mod apply;
mod check;
mod export;
mod limits;
mod manage;
mod marker;
mod module;
mod multipart;
mod payload;
mod plan;
mod project;
mod random;
mod survey;
mod tail;
mod target;

pub use account::{Account, Zone, choose_account, find_zone};
pub use api::{API_URL, Api};
pub use apply::{Applied, apply};
pub use check::{Check, CheckRequest, KeyCheck, Outcome, check, check_keys};
pub use export::{Exported, export_payload, export_project, write_private};
pub use limits::{Limit, over_limits};
pub use manage::{
    Deployment, Difference, Removal, Status, delete, deployments, diff, plan_delete, put_key,
    rollback, status,
};
pub use marker::Marker;
pub use module::{Module, Part};
pub use payload::{Payload, SecretValue, Store};
pub use plan::{KeySource, Plan, Request, Step, plan};
pub use project::Project;
pub use survey::{Existing, Survey, survey};
pub use tail::{Tail, TailEvent};
pub use target::{Place, Target, TargetFlags, choose_target, route_pattern};
