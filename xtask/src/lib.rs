//! Chores of the project.

pub mod proof;
