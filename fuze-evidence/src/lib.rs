//! Records that a stranger can check: canonical form, chain, commitments, redaction, signatures.
