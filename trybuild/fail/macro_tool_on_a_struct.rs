// rule 18 · AI Act Art. 12, 13 · `#[tool]` on what is no function
#![allow(unused_imports)]

use fuze_agent::prelude::*;
use fuze_agent_proof::tools::*;
use fuze_agent_proof::*;

#[tool(classification = public, retention = HIRING, threat_boundary(egress = none))]
pub struct Lookup;

fn main() {}
