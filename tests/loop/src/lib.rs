//! Tests of the loop: what happens to a run, seen from outside.
