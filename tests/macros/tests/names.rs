//! A tool's name is its author's business: it may be any that the macros or the derives could have wanted for themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

use fuze_agent::{Retention, Tool, ToolError, tool};
use serde_json::{Value, json};

const DAYS: Retention = Retention::days("names", 1, 1, 184);

macro_rules! named {
    ($($name:ident)*) => {
        $(
            /// Gives back what it is given.
            #[tool(classification = public, retention = DAYS, threat_boundary(egress = none), effect = read)]
            fn $name(number: i64, text: String) -> Result<i64, ToolError> {
                let twice = number * 2;
                Ok(twice + i64::try_from(text.len()).unwrap_or_default())
            }
        )*

        fn each() -> Vec<(&'static str, Value, Value)> {
            fn of<T: Tool<Args: serde::de::DeserializeOwned + serde::Serialize + schemars::JsonSchema>>() -> (&'static str, Value, Value) {
                let given: T::Args = serde_json::from_value(json!({"number": 1, "text": "a"})).unwrap();
                (T::NAME, serde_json::to_value(given).unwrap(), schemars::schema_for!(T::Args).to_value())
            }
            vec![$(of::<$name>()),*]
        }
    };
}

named! { read written serializer deserializer limits value args call this body result output error formatter map }

#[test]
fn a_tool_may_have_any_name() {
    for (name, arguments, schema) in each() {
        assert_eq!(arguments, json!({"number": 1, "text": "a"}), "{name}");
        assert_eq!(schema["required"], json!(["number", "text"]), "{name}");
        assert_eq!(schema["title"], json!(name));
    }
}
