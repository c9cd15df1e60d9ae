//! The config file: schema, diagnostics, migration, edits.
