//! A scripted, strict LLM provider for demos and tests.
