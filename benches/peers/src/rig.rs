//! The job on `rig` 0.44: an agent with one tool, over rig's own wire for scripted models. Keeps no evidence.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::stream;
use rig_agent::AgentBuilder;
use rig_agent::completion::{CompletionRequest, CompletionResponse, Usage};
use rig_agent::tool::{Tool, ToolContext};
use rig_core::driver::{Exchange, Model, Opened, Opening, Transport};
use rig_core::message::{AssistantContent, Origin, ToolCall, ToolFunction, ToolName};
use rig_core::test_utils::{MockFrame, MockScript};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cpu_time;

/// Asks for the tool `turns` times, then answers.
#[derive(Clone)]
struct Script {
    asked: Arc<AtomicU32>,
    turns: u32,
}

impl Transport<MockScript> for Script {
    fn send(&self, _request: CompletionRequest, _exchange: Exchange) -> Opening<MockFrame> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let content = if asked < self.turns {
            let name = ToolName::new("add").expect("a name");
            let function = ToolFunction::new(name, json!({"a": 2, "b": 3}));
            AssistantContent::ToolCall(ToolCall::from_wire(format!("call-{asked}"), function))
        } else {
            AssistantContent::text("5")
        };
        let origin = Origin::new("scripted", "scripted", "");
        let response = CompletionResponse::new(vec![content], Usage::new(), origin, Value::Null);
        Opening::ready(Opened::new(stream::iter([Ok(MockFrame::Response(Box::new(response)))])))
    }
}

#[derive(Deserialize)]
struct Addends {
    a: i64,
    b: i64,
}

#[derive(Clone)]
struct Add(Arc<AtomicU32>);

impl Tool for Add {
    const NAME: &'static str = "add";
    type Args = Addends;
    type Output = i64;
    type Error = Infallible;

    fn description(&self) -> String {
        "Adds two numbers.".to_owned()
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"]
        })
    }

    async fn call(&self, _context: &mut ToolContext, Addends { a, b }: Addends) -> Result<i64, Infallible> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(a + b)
    }
}

/// CPU time of one run. Agent, model and script are there before.
pub(crate) async fn run(turns: u32) -> Duration {
    let ran = Arc::new(AtomicU32::new(0));
    let script = Script { asked: Arc::default(), turns };
    let model = Model::new(MockScript::new("scripted"), script);
    let agent = AgentBuilder::new(model).preamble("Add.").tool(Add(Arc::clone(&ran))).build();
    let before = cpu_time();
    let answer = agent.prompt("2+3").max_turns(turns as usize + 2).await.expect("an answer");
    let spent = cpu_time() - before;
    assert_eq!(answer.to_string(), "5");
    assert_eq!(ran.load(Ordering::Relaxed), turns);
    spent
}
