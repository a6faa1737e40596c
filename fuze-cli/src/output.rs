//! What is printed, and where: data to standard output, talk to standard error; JSON with a schema's name, or text.
//!
//! Text from evidence may hold anything a model or a stranger wrote; [`crate::text::plain`] takes its control characters away.

use std::io::Write as _;

use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde_json::{Value, json};

use crate::outcome::{Ended, Problem, Result};
use crate::{audit, key};

/// What a command prints with `--json`: an object whose member `schema` is this name.
pub(crate) trait Document: Serialize + JsonSchema {
    /// For instance `fuze.audit.verify/1`. A change that breaks readers takes the next number.
    const SCHEMA: &'static str;
}

/// Where and how to print.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints `document`: as JSON, or as the text that `text` makes.
    pub(crate) fn data<D: Document>(&self, document: &D, text: impl FnOnce() -> String) -> Result<()> {
        if !self.json {
            return self.raw(&text());
        }
        let mut value = serde_json::to_value(document).map_err(Problem::io)?;
        if let Value::Object(members) = &mut value {
            members.insert("schema".to_owned(), json!(D::SCHEMA));
        }
        self.raw(&format!("{value}\n"))
    }

    /// Prints to standard output. Colours are taken away where nobody sees them (no terminal, `NO_COLOR`).
    pub(crate) fn raw(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever closes the pipe has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Problem::io(format_args!("cannot print: {error}"))),
        }
    }

    /// Says something to the person who called.
    pub(crate) fn say(&self, text: &str) {
        // There is nobody to tell that nothing can be told.
        drop(writeln!(anstream::stderr().lock(), "{text}"));
    }

    /// Says why nothing came of it; as JSON on standard output too, so that a reader of JSON always finds one object.
    pub(crate) fn problem(&self, problem: &Problem) {
        if self.json {
            let said = json!({"schema": "fuze.problem/1", "result": problem.ended().word(), "message": problem.to_string()});
            drop(self.raw(&format!("{said}\n")));
        }
        let red = anstyle::AnsiColor::Red.on_default().bold();
        self.say(&format!("{red}fuze:{red:#} {problem}"));
    }
}

fn schema<D: Document>() -> (&'static str, Value) {
    let mut schema = schema_for!(D).to_value();
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.insert("schema".to_owned(), json!({"const": D::SCHEMA}));
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.push(json!("schema"));
    }
    (D::SCHEMA, schema)
}

/// Prints one command's schema, or the names of all.
pub(crate) fn schemas(command: Option<&str>, output: &Output) -> Result {
    let all = [schema::<audit::verify::Verified>(), schema::<key::Made>(), schema::<key::Shown>()];
    let Some(command) = command else {
        let names: String = all.iter().map(|(name, _)| format!("{name}\n")).collect();
        output.raw(&names)?;
        return Ok(Ended::Well);
    };
    let wanted = |name: &str| {
        name == command
            || name
                .strip_prefix("fuze.")
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(n, _)| n == command)
    };
    let Some((_, schema)) = all.iter().find(|(name, _)| wanted(name)) else {
        return Err(Problem::usage(format_args!(
            "no command `{command}` prints JSON; `fuze schema` lists those that do"
        )));
    };
    output.raw(&format!("{schema:#}\n"))?;
    Ok(Ended::Well)
}
