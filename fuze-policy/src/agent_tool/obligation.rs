//! What an approval has to be: read from a rule's output, never from its effect.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::Obligation;

/// Ten years; a deadline beyond it is a mistake.
const LONGEST_DEADLINE: f64 = 315_360_000.0;

/// What an output says: nothing else, or it cannot be read.
pub(crate) const APPROVAL: &str = "approval";
/// The members of an approval.
pub(crate) const MEMBERS: [&str; 4] = ["approvers", "may_approve", "trainings", "deadline_seconds"];

/// Why an output cannot be read as an obligation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObligationError {
    what: String,
}

impl fmt::Display for ObligationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ObligationError {}

/// Reads `{"approval": {"approvers": 2, "may_approve": ["…"], "trainings": ["…"], "deadline_seconds": 3600}}`, each member but `approval`
/// optional. `null` and `{}` ask for nothing. Anything else is an error: a misspelt obligation must not be a weaker one.
pub(crate) fn read(output: &Value) -> Result<Option<Obligation>, ObligationError> {
    let members = match output {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return refuse("an output must be a map with the one key `approval`"),
    };
    only(members, &[APPROVAL])?;
    match members.get(APPROVAL) {
        None => Ok(None),
        Some(Value::Object(approval)) => approval_of(approval).map(Some),
        Some(_) => refuse("`approval` must be a map"),
    }
}

fn approval_of(approval: &Map<String, Value>) -> Result<Obligation, ObligationError> {
    only(approval, &MEMBERS)?;
    let mut obligation = Obligation::default();
    if let Some(value) = approval.get("approvers") {
        // In range and whole, so the cast is exact.
        obligation.approvers = whole(value, "approvers", f64::from(u8::MAX))? as u8;
    }
    if let Some(value) = approval.get("may_approve") {
        let names = texts(value, "may_approve")?;
        if names.len() < usize::from(obligation.approvers) {
            return refuse("`may_approve` names fewer persons than `approvers` asks for");
        }
        obligation.may_approve = Some(names);
    }
    if let Some(value) = approval.get("trainings") {
        obligation.trainings = texts(value, "trainings")?;
    }
    if let Some(value) = approval.get("deadline_seconds") {
        obligation.deadline_seconds = Some(whole(value, "deadline_seconds", LONGEST_DEADLINE)? as u64);
    }
    Ok(obligation)
}

fn whole(value: &Value, name: &str, most: f64) -> Result<f64, ObligationError> {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && (1.0..=most).contains(&number) => Ok(number),
        _ => refuse(format!("`{name}` must be a whole number from 1 to {most}")),
    }
}

fn texts(value: &Value, name: &str) -> Result<BTreeSet<String>, ObligationError> {
    let texts: Option<BTreeSet<String>> = value.as_array().and_then(|items| {
        items.iter().map(|item| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned)).collect()
    });
    match texts {
        Some(texts) if !texts.is_empty() => Ok(texts),
        _ => refuse(format!("`{name}` must be a list of names, at least one")),
    }
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), ObligationError> {
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => refuse(format!("`{}` is not known here, only {}", key.escape_debug(), known.join(", "))),
    }
}

fn refuse<T>(what: impl Into<String>) -> Result<T, ObligationError> {
    Err(ObligationError { what: what.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_member_is_read() {
        let all = json!({"approval": {"approvers": 2.0, "may_approve": ["a", "b"], "trainings": ["t"], "deadline_seconds": 60}});
        let found = read(&all).unwrap().unwrap();
        assert_eq!(found.approvers, 2);
        assert_eq!(found.may_approve, Some(["a".to_owned(), "b".to_owned()].into()));
        assert_eq!(found.trainings, ["t".to_owned()].into());
        assert_eq!(found.deadline_seconds, Some(60));
        assert_eq!(read(&json!({"approval": {}})).unwrap(), Some(Obligation::default()));
    }

    #[test]
    fn nothing_asked_is_nothing() {
        assert_eq!(read(&Value::Null).unwrap(), None);
        assert_eq!(read(&json!({})).unwrap(), None);
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_no_weaker_obligation() {
        for wrong in [
            json!("approval"),
            json!([]),
            json!(true),
            json!({"aproval": {}}),
            json!({"approval": {}, "note": "x"}),
            json!({"approval": null}),
            json!({"approval": 2}),
            json!({"approval": {"approver": 2}}),
            json!({"approval": {"approvers": 0}}),
            json!({"approval": {"approvers": 256}}),
            json!({"approval": {"approvers": 1.5}}),
            json!({"approval": {"approvers": "2"}}),
            json!({"approval": {"approvers": null}}),
            json!({"approval": {"may_approve": []}}),
            json!({"approval": {"may_approve": [1]}}),
            json!({"approval": {"may_approve": [""]}}),
            json!({"approval": {"may_approve": "a"}}),
            json!({"approval": {"approvers": 2, "may_approve": ["a", "a"]}}),
            json!({"approval": {"trainings": []}}),
            json!({"approval": {"deadline_seconds": 0}}),
            json!({"approval": {"deadline_seconds": 1e300}}),
            json!({"approval": {"deadline_seconds": -1}}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
