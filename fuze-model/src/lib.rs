//! Real models over HTTP for fuze-agent.
