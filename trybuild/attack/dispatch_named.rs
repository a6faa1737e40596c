// rule 11 · AI Act Art. 12, 14 · the erased form of a tool named

use fuze_agent::dispatch::Dispatch;

pub fn name(tool: &dyn Dispatch<()>) -> &'static str {
    tool.name(fuze_agent::sealed::Internal)
}

fn main() {}
