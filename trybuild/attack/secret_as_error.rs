// rule 12 · GDPR Art. 32 · a secret as the message of an error
use fuze_agent::ToolError;
use fuze_agent::secret::Secret;

pub fn fail(secret: &Secret) -> ToolError {
    ToolError::new(secret)
}

fn main() {}
