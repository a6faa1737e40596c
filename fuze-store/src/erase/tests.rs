//! Erasure from a store: nothing is left in any file, all that is left verifies, and a crash changes neither.

mod cut_off;
mod desk;
mod gone;
mod guess;
mod orders;
mod refused;
mod room;
