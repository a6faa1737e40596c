//! AI agents under the GDPR and the EU AI Act: what breaks the rules does not compile; what ran has proof.
