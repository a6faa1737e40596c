//! The policy gate: engines decide, the gate is the only mint of permits.
