//! Special-category data: a lab result, on the Art. 9(2) basis of health care, under the law that it rests on.

use fuze_agent::prelude::*;
use fuze_agent::testing;
use serde_json::json;

/// Patient records: content ten years, as the profession's rules ask.
const PATIENT_RECORD: Retention = Retention::days("patient-record.v1", 3650, 3650, 3650);

/// Reads a patient's last lab result, in mmol/l.
#[tool(
    classification = special_category,
    art9_basis = health_or_social_care(law = "§ 22(1) no. 1 b BDSG"),
    lawful_bases = [contract, vital_interests],
    residency = eu,
    retention = PATIENT_RECORD,
    threat_boundary(egress = none),
    effect = read,
)]
async fn last_potassium(patient: String) -> Result<f64, ToolError> {
    match patient.as_str() {
        "p-204" => Ok(5.9),
        _ => Err(ToolError::not_applied("no such patient on this ward")),
    }
}

define_agent! {
    /// Answers the ward's questions about lab results.
    WardAgent {
        purpose: "patient-care",
        instructions: "Answer from the lab result; say what is out of range.",
        lawful_basis: contract,
        annex_iii: none,
        art22: none,
        oversight: none,
        model_residency: eu,
        retention: PATIENT_RECORD,
        tools: [last_potassium],
        deps: (),
        output: String,
        max_steps: 6,
        retry_budget: 1,
        token_budget: 10_000,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A tool by itself, through the same pipeline as in a run.
    let alone = testing::call(last_potassium).args(json!({"patient": "p-204"})).run(()).await;
    println!("the tool alone: {alone:?}");

    let deployment = Deployment::in_memory(Fixed::new().allow_tool("last_potassium"))?;
    let model = ScriptedModel::new()
        .call("last_potassium", json!({"patient": "p-204"}))
        .answer("5.9 mmol/l: above the usual range. Please repeat the sample.");
    let run = deployment
        .run(WardAgent, (), model)
        .tenant("clinic-7")
        .principal("nurse-12")
        .subject("patient p-204");
    let outcome = run.input("Potassium of p-204?").start().await?;
    print!("{}", outcome.report().timeline);
    println!("{}: {}", outcome.status(), outcome.output().unwrap_or_default());
    Ok(())
}
