//! Checks a run's files against `docs/evidence-format.md`.
