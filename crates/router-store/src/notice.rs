//! What a store tells the operator.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Something that happened to a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A file could not be read and was renamed; a fresh one took its place.
    SetAside {
        /// The file.
        path: PathBuf,
        /// Its name from now on.
        to: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another process uses the state file; this one keeps its state in memory.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be used, and nothing is kept in it.
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Bucket counts of the older program were taken over.
    Imported {
        /// Its state file.
        from: PathBuf,
    },
    /// What is in memory could not be written; it is tried again.
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Writing works again.
    Written {
        /// The file.
        path: PathBuf,
    },
    /// Redis does not answer; counting goes on locally.
    RedisAway {
        /// What the client says, without the address.
        why: String,
    },
    /// Redis answers again, and what was counted locally has been added to its counts.
    RedisBack,
}

/// Takes notices, from any thread.
pub type Report = Arc<dyn Fn(&Notice) + Send + Sync>;

impl Notice {
    /// Whether the operator has reason to look.
    pub const fn is_warning(&self) -> bool {
        !matches!(self, Self::Imported { .. } | Self::Written { .. } | Self::RedisBack)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { path, to, why } => write!(
                f,
                "{} could not be read ({why}); it is now {}, and a fresh one was begun",
                path.display(),
                to.display()
            ),
            Self::InUse { path } => write!(
                f,
                "{} is in use by another process; this one counts by itself, in memory",
                path.display()
            ),
            Self::Unusable { path, why } => {
                write!(f, "{} cannot be used ({why}); nothing is kept in it", path.display())
            }
            Self::Imported { from } => {
                write!(f, "bucket counts were taken over from {}", from.display())
            }
            Self::NotWritten { path, why } => {
                write!(f, "{} could not be written ({why}); trying again", path.display())
            }
            Self::Written { path } => write!(f, "{} is written again", path.display()),
            Self::RedisAway { why } => {
                write!(f, "Redis does not answer ({why}); counting goes on locally")
            }
            Self::RedisBack => f.write_str("Redis answers again; local counts were added to its"),
        }
    }
}
