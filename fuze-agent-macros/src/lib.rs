//! The macros of fuze-agent: `#[tool]` and `define_agent!`.
