// rule 15 · AI Act Art. 12, 19 · the place where a recorder stands changed

pub fn reopen(state: &mut fuze_evidence::chain::RecorderState) {
    state.next = 0;
}

fn main() {}
