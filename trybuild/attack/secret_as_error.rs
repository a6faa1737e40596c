// rule 12 · GDPR Art. 32 · a secret as the message of an error
use fuze_agent::{Secret, ToolError};

pub fn fail(secret: &Secret) -> ToolError {
    ToolError::new(secret)
}

fn main() {}
