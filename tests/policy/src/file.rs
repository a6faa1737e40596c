//! How a generated policy is written down: as JSON in a `.json` or `.yaml` file, or in the lines of YAML.

use serde_json::Value;

/// A policy's file: its name with an ending, and its text. Which of the three it is follows from the name.
pub fn of(name: &str, policy: &Value) -> (String, String) {
    match name.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 3 {
        0 => (format!("{name}.json"), policy.to_string()),
        1 => (format!("{name}.yaml"), policy.to_string()),
        _ => {
            let mut text = String::new();
            block(policy, 0, &mut text);
            (format!("{name}.yaml"), text)
        }
    }
}

fn block(value: &Value, indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, inner) in members {
                *text += &format!("{margin}{}:", Value::from(name.as_str()));
                within(inner, indent + 2, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                *text += &format!("{margin}-");
                within(item, indent + 2, text);
            }
        }
        plain => *text += &format!("{margin}{plain}\n"),
    }
}

/// What follows `name:` or `-`.
fn within(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            block(value, indent, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent, text);
        }
        plain => *text += &format!(" {plain}\n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_written_in_three_ways() {
        let policy = json!({"a": [1, {"b: c": "d\"e"}, [], {}, [null]], "f": {"g": true}});
        let mut written: Vec<_> = ["a", "b", "c"].map(|name| of(name, &policy)).into();
        written.sort();
        let endings: Vec<_> = written.iter().map(|(name, _)| name.split_once('.').unwrap().1).collect();
        assert_eq!(endings.iter().filter(|ending| **ending == "json").count(), 1, "{endings:?}");
        let lines = "\"a\":\n  - 1\n  -\n    \"b: c\": \"d\\\"e\"\n  - []\n  - {}\n  -\n    - null\n\"f\":\n  \"g\": true\n";
        assert_eq!(written.iter().filter(|(_, text)| text == lines).count(), 1, "{written:?}");
    }
}
