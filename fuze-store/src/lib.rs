//! Durable runs on SQLite for fuze-agent.
