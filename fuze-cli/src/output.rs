//! What is printed, and where: data to standard output, talk to standard error; JSON with a schema's name, or text.
//!
//! Text from evidence may hold anything a model or a stranger wrote; [`crate::text::plain`] takes its control characters away where it is
//! quoted, and [`crate::text::printable`] whatever of them is left where it is printed.

use std::io::Write as _;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};

use crate::mend::Mend;
use crate::outcome::{Ended, Problem, Result};
use crate::text::{BAD, escaped, plain, printable};
use crate::{audit, key, log, policy};

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
        self.raw(&format!("{}\n", escaped(&value.to_string())))
    }

    /// Prints to standard output. Colours are taken away where nobody sees them (no terminal, `NO_COLOR`).
    fn raw(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        match out.write_all(printable(text).as_bytes()).and_then(|()| out.flush()) {
            // Whoever closes the pipe has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Problem::io(format_args!("cannot print: {error}"))),
        }
    }

    /// Says something to the person who called, in one line.
    pub(crate) fn say(&self, text: &str) {
        self.tell(&plain(text));
    }

    fn tell(&self, text: &str) {
        // There is nobody to tell that nothing can be told.
        drop(writeln!(anstream::stderr().lock(), "{}", printable(text)));
    }

    /// Says why nothing came of it; as JSON on standard output too, so that a reader of JSON always finds one object.
    pub(crate) fn problem(&self, problem: &Problem) {
        self.document(problem);
        self.tell(&format!("{BAD}fuze:{BAD:#} {problem}"));
    }

    /// The same, of arguments that cannot be read: in the words of whoever read them.
    pub(crate) fn refused(&self, problem: &Problem) {
        self.document(problem);
        self.tell(&format!("{BAD}error:{BAD:#} {problem}"));
    }
}

impl Output {
    /// The document of a problem, where JSON is wanted.
    pub(crate) fn document(&self, problem: &Problem) {
        if self.json {
            let said = Said {
                result: problem.ended().word(),
                message: problem.to_string(),
                directory: problem.directory().map(str::to_owned),
                problems: problem.mends().to_vec(),
            };
            drop(self.data(&said, String::new));
        }
    }
}

/// What `fuze schema` prints with `--json`.
#[derive(Debug, Serialize, JsonSchema)]
struct Schemas {
    /// The names of the documents that commands print.
    names: Vec<&'static str>,
    /// The JSON Schema of the one that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<Value>,
}

impl Document for Schemas {
    const SCHEMA: &'static str = "fuze.schema/1";
}

/// Why nothing came of a command.
#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// `failed`, `usage`, `cannot_verify` or `io`.
    result: &'static str,
    /// For people.
    message: String,
    /// Where the files of `problems` are; without it, they are named as they were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    /// Each thing to mend in a file, if that is what is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Mend>,
}

impl Document for Said {
    const SCHEMA: &'static str = "fuze.problem/1";
}

fn schema<D: Document>() -> (&'static str, Value) {
    // As it is written: what may be left out is not required.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<D>().to_value();
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.insert("schema".to_owned(), json!({"const": D::SCHEMA}));
    }
    if let Some(members) = schema.as_object_mut()
        && let Some(required) = members.entry("required").or_insert_with(|| json!([])).as_array_mut()
    {
        required.push(json!("schema"));
    }
    (D::SCHEMA, schema)
}

/// Prints one command's schema, or the names of all.
pub(crate) fn schemas(command: Option<&str>, output: &Output) -> Result {
    let all = [
        schema::<audit::verify::Verified>(),
        schema::<audit::query::Listed>(),
        // `fuze audit show` prints the same.
        schema::<audit::show::Replayed>(),
        schema::<audit::show::Compared>(),
        schema::<audit::export::Exported>(),
        schema::<audit::erase::Erased>(),
        schema::<audit::compact::Compacted>(),
        schema::<log::Audited>(),
        schema::<log::Settled>(),
        schema::<log::Added>(),
        schema::<log::Witnessing>(),
        schema::<key::Made>(),
        schema::<key::Shown>(),
        schema::<policy::Checked>(),
        schema::<policy::Tested>(),
        schema::<policy::Explained>(),
        schema::<policy::Migrated>(),
        schema::<policy::Linted>(),
        // `fuze policy diff` prints the same.
        schema::<policy::Proven>(),
        schema::<Schemas>(),
        schema::<Said>(),
    ];
    let Some(command) = command else {
        let names = all.iter().map(|(name, _)| *name).collect();
        let schemas = Schemas { names, definition: None };
        output.data(&schemas, || schemas.names.iter().map(|name| format!("{name}\n")).collect())?;
        return Ok(Ended::Well);
    };
    // Commands that print the same.
    let command = match command {
        "audit.show" => "audit.replay",
        "key.new" | "key.rotate" => "key.made",
        "policy.diff" => "policy.prove",
        other => other,
    };
    let wanted = |name: &str| {
        name == command
            || name
                .strip_prefix("fuze.")
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(n, _)| n == command)
    };
    let Some((name, schema)) = all.iter().find(|(name, _)| wanted(name)) else {
        return Err(Problem::usage(format_args!(
            "no command `{command}` prints JSON; `fuze schema` lists those that do"
        )));
    };
    let schemas = Schemas { names: vec![name], definition: Some(schema.clone()) };
    output.data(&schemas, || format!("{schema:#}\n"))?;
    Ok(Ended::Well)
}
