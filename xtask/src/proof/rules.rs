//! The twenty rules, in the words of the audit proof.

/// A rule: what must not compile.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// A few words.
    pub name: &'static str,
    /// What does not compile.
    pub text: &'static str,
}

const fn rule(name: &'static str, text: &'static str) -> Rule {
    Rule { name, text }
}

/// Rule N is the Nth.
pub const RULES: &[Rule] = &[
    rule(
        "Special categories have a basis",
        "A tool that touches special-category data without naming one of the ten conditions of Art. 9(2), or that names \
         one which rests on Union or Member State law without citing that law.",
    ),
    rule(
        "A tool states its facts",
        "A tool that leaves out what it touches, how long what it leaves is kept, or where it may send data; one that \
         touches personal data and leaves out its lawful bases or residency; a fact stated for a class of data to which \
         it does not apply.",
    ),
    rule(
        "Data stays where it may be",
        "Special-category data that may be outside the EU (this framework's policy), and a tool that may send data \
         further than its residency reaches.",
    ),
    rule(
        "An agent's basis is each tool's basis",
        "An agent that relies on a lawful basis which one of its tools for personal data does not allow.",
    ),
    rule(
        "The model is where the data may be",
        "An agent whose model may be hosted outside the residency of any of its tools' data.",
    ),
    rule(
        "High risk means oversight",
        "An agent with a point of Annex III or a decision under Art. 22 that has no plan for human oversight, or no tool \
         that stops for a person on every call; a predicate over the arguments is not enough.",
    ),
    rule(
        "Automated decisions have a basis",
        "A solely automated decision without one of the three bases of Art. 22(2), or on special categories under \
         anything but Art. 9(2)(a) or (g).",
    ),
    rule(
        "Decisions are kept",
        "A high-risk agent that keeps the record of its decisions for less than six months, counted as 184 days; windows \
         that do not fit together.",
    ),
    rule(
        "A run knows its subject",
        "A run of an agent with a tool for personal data that does not say whom it is about.",
    ),
    rule(
        "Nothing runs without a permit",
        "A tool run without the gate's permit, and a permit forged, cloned, deserialised, used twice, or opened on other \
         arguments than were decided on.",
    ),
    rule(
        "A tool reaches only what it is lent",
        "A tool that reaches a sibling otherwise than through the gate, a model, the writer of evidence, another agent's \
         dependencies, or the function behind its own declaration.",
    ),
    rule(
        "Secrets stay secret",
        "A secret read by a tool that does not declare it, and a secret formatted, serialised, recorded or kept.",
    ),
    rule(
        "Only what is redacted is recorded",
        "Evidence of content that has not been through redaction; a span, a role or a reserved attribute of the \
         framework's own written by a tool.",
    ),
    rule(
        "A run resumes by verified decisions",
        "A suspended run resumed with a decision that is not verified, with another run's, twice, or without the nonce \
         having been claimed.",
    ),
    rule(
        "What is signed has happened",
        "A close signed for a run that has not closed, and an anchor for what is not signed.",
    ),
    rule(
        "A guardrail does not reach the model",
        "A guardrail that gets from its handle to the model itself, or keeps the handle beyond its check.",
    ),
    rule(
        "The vocabulary is closed",
        "A type of one's own made a word of the law or a state of the framework, or put into any place of any relation \
         between them.",
    ),
    rule(
        "Names are one of a kind",
        "Two tools of one name in an agent, a basis or key stated twice, a key that does not exist, a name that cannot \
         be called or recorded.",
    ),
    rule(
        "A dispatch ends",
        "A permit, a context, or anything lent with them that is stored, spawned, swapped or returned beyond the \
         dispatch it belongs to.",
    ),
    rule(
        "What must not run twice does not wait midway",
        "A tool that may suspend, invoked from within one whose effect must not happen twice; a question to a person in \
         the midst of a tool that does not declare it or must not run again.",
    ),
];
