// rule 17 · AI Act Art. 14 · a list of tools of one's own: nothing personal, always approved
use fuze_agent::agent::ToolList;
use fuze_agent::logic::{No, Yes};

pub struct Pretty;

impl ToolList for Pretty {
    type Personal = No;
    type Approval = Yes;
    const NAMES: &'static [&'static str] = &[];
    const CHECKED: () = ();
}

fn main() {}
