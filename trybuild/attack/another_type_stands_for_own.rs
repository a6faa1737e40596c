// rule 17 · AI Act Art. 12 · a type that stands for one's own in the record
use fuze_agent::tool::AsJson;

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Pretty;
pub struct Mine;

impl AsJson<Mine> for Pretty {
    fn of(_: &Mine) -> &Self {
        &Pretty
    }
    fn into_value(self) -> Mine {
        Mine
    }
}

fn main() {}
