//! Chores of the project.

pub mod es6;
pub mod proof;
