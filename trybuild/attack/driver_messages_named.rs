// rule 11 · AI Act Art. 12, 14 · the messages to the driver named

use fuze_agent::ctx::FromTool;

pub fn ask() -> Option<FromTool> {
    None
}

fn main() {}
