//! Every row of the bug museum, by theme. `rows` says which rows there must be, and fails when one is missing.

mod approval;
mod arguments;
mod durability;
mod evidence;
mod nesting;
mod policy;
mod rows;
mod time;
