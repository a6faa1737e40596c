//! What the examples share: arguments, colours, an overseer's key, the check at the end.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use fuze_agent::outcome::{Report, Timeline};
use fuze_agent::suspend::{Action, Case, OverseerRegistry, OverseerSigner, SignedDecision};
use fuze_agent::{Anchored, Deployment};
use fuze_evidence::keys::{FileSigner, Signer as _};
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{TrustedKeys, verify};
use fuze_evidence::vocab::Custody;
use fuze_evidence::{Name, RunId, Timestamp};
use fuze_log::{Log, LogOptions};

pub(crate) type Anyhow = Box<dyn std::error::Error>;

/// Where the example's files are.
pub(crate) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

pub(crate) fn exit(result: Result<(), Anyhow>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn append_line(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// What a person decides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decide {
    Approve,
    Reject,
    Modify,
}

impl Decide {
    fn read(text: &str) -> Option<Self> {
        match text.trim() {
            "approve" | "a" => Some(Self::Approve),
            "reject" | "r" => Some(Self::Reject),
            "modify" | "m" => Some(Self::Modify),
            _ => None,
        }
    }

    /// Asks at the terminal. `None` where there is none.
    pub(crate) fn ask(paint: &Paint) -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        loop {
            print!("{} ", paint.title("approve, reject or modify?"));
            std::io::stdout().flush().ok()?;
            let mut line = String::new();
            if std::io::stdin().read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(decide) = Self::read(&line) {
                return Some(decide);
            }
        }
    }
}

/// The command line.
pub(crate) struct Arguments {
    pub(crate) directory: PathBuf,
    pub(crate) decide: Option<Decide>,
    pub(crate) run: Option<RunId>,
    pub(crate) resume: bool,
    pub(crate) model_url: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(name: &str) -> Result<Self, Anyhow> {
        let directory = std::env::temp_dir().join(format!("fuze-{name}"));
        let mut parsed = Self { directory, decide: None, run: None, resume: false, model_url: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--directory" => parsed.directory = value()?.into(),
                "--decide" => {
                    let said = value()?;
                    let decide = Decide::read(&said);
                    parsed.decide =
                        Some(decide.ok_or(format!("`--decide {said}`: expected approve, reject or modify"))?);
                }
                "--run" => parsed.run = Some(value()?.parse().map_err(|_| "`--run` needs the id of a run")?),
                "--resume" => parsed.resume = true,
                "--model-url" => parsed.model_url = Some(value()?),
                _ => {
                    return Err(format!(
                        "unknown argument `{word}`; expected --decide approve|reject|modify, --run ID, --directory DIR, \
                         --model-url URL"
                    )
                    .into());
                }
            }
        }
        Ok(parsed)
    }
}

/// The model at `--model-url`. `None` without one: the script is played.
#[cfg(feature = "http-model")]
pub(crate) fn model(
    arguments: &Arguments,
) -> Result<Option<fuze_model::HttpModel<fuze_agent::law::residency::Eu>>, Anyhow> {
    let Some(url) = &arguments.model_url else { return Ok(None) };
    // Whoever configures the endpoint states where it is hosted.
    let model = fuze_model::HttpModel::openai_compatible(url, "default", fuze_agent::law::residency::Eu)
        .parallel_tool_calls(false)
        .insist_on_tools(4)
        .build()?;
    Ok(Some(model))
}

/// Without the feature there is no other model than the script.
#[cfg(not(feature = "http-model"))]
pub(crate) fn model(arguments: &Arguments) -> Result<Option<fuze_agent::testing::ScriptedModel>, Anyhow> {
    match &arguments.model_url {
        None => Ok(None),
        Some(_) => Err("`--model-url` needs `--features http-model`".into()),
    }
}

/// An overseer with a key of their own. In earnest it is on their machine, not on this one.
pub(crate) struct Overseer {
    alias: Name,
    training: Name,
    key: FileSigner,
}

impl Overseer {
    pub(crate) fn open(directory: &Path, alias: &str, training: &str) -> Result<Self, Anyhow> {
        std::fs::create_dir_all(directory)?;
        let key = signer(&directory.join(format!("{alias}.key")))?;
        Ok(Self { alias: Name::new(alias)?, training: Name::new(training)?, key })
    }

    pub(crate) fn alias(&self) -> &Name {
        &self.alias
    }

    pub(crate) fn registry(&self) -> Result<OverseerRegistry, Anyhow> {
        let overseer = fuze_agent::suspend::Overseer {
            alias: self.alias.clone(),
            public_key: PublicKey::from_bytes(self.key.public_key())?,
            trainings: [self.training.as_str().to_owned()].into(),
        };
        Ok(OverseerRegistry::new().with(overseer)?)
    }

    pub(crate) fn sign(
        &self,
        case: &Case,
        action: &Action,
        rationale: &str,
    ) -> Result<SignedDecision, Anyhow> {
        let signer = OverseerSigner {
            alias: self.alias.clone(),
            training: Some(self.training.clone()),
            signer: &self.key,
            custody: Custody::Server,
        };
        let now = Timestamp::from_system_time(std::time::SystemTime::now())?;
        Ok(SignedDecision::sign(case, action, rationale, &signer, now, Vec::new())?)
    }
}

/// Verifies a run as a stranger would: from its files and the deployment's public key alone.
pub(crate) fn check(directory: &Path, deployment: &Deployment) -> Result<(), Anyhow> {
    let keys = TrustedKeys::new().run_key(PublicKey::from_bytes(deployment.public_key())?);
    let report = verify(directory, &keys)?;
    println!(
        "\nverified: {} records of {} for {}, {:?}, signed by {}",
        report.records, report.origin, report.tenant, report.chain, report.key_id
    );
    println!("{}", directory.join("records.jsonl").display());
    Ok(())
}

/// The transparency log of a directory, with a key of its own.
pub(crate) fn log(directory: &Path, origin: &str) -> Result<Arc<Log>, Anyhow> {
    let path = directory.join("log.key");
    let signer = Arc::new(signer(&path)?);
    Ok(Arc::new(Log::open_or_create(&directory.join("log"), &Name::new(origin)?, signer, LogOptions::new())?))
}

fn signer(path: &Path) -> Result<FileSigner, Anyhow> {
    let identity = Name::new("file")?;
    Ok(match path.exists() {
        true => FileSigner::load(path, identity)?,
        false => FileSigner::create(path, identity, &mut OsRandom::new())?,
    })
}

/// Where the run stands in the log.
pub(crate) fn anchored(report: &Report) -> Result<(), Anyhow> {
    match &report.anchored {
        Anchored::Closed { open, close } => {
            println!("in the transparency log: opened as leaf {open}, closed as leaf {close}");
            Ok(())
        }
        other => Err(format!("the run is not in the log as it should be: {other:?}").into()),
    }
}

/// Colours, on a terminal only.
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn here() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    fn colour(&self, code: u8, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn title(&self, text: &str) -> String {
        self.colour(1, text)
    }

    /// One line a step: what, about what, how it went, how long.
    pub(crate) fn timeline(&self, timeline: &Timeline) {
        for event in timeline.events() {
            let mark = match event.span {
                "model.generate" => self.colour(35, "◆"),
                "policy.evaluate" => self.colour(36, "▸"),
                "tool.execute" => self.colour(32, "●"),
                "oversight.suspend" | "human.oversight.decision" => self.colour(33, "✋"),
                "run.close" => self.colour(1, "■"),
                _ => "·".to_owned(),
            };
            let colour = match event.result.as_str() {
                result if result.starts_with("allow") || result == "ok" || result == "completed" => 32,
                result if result.starts_with("requires_approval") || result.starts_with("waits") => 33,
                result if result.starts_with("deny") || result.contains("error") => 31,
                _ => 0,
            };
            let ms = event.duration_ns / 1_000_000;
            let result = self.colour(colour, &format!("{:<52}", event.result));
            println!("{:>4} {mark} {:<24} {:<24} {result} {ms:>5} ms", event.step, event.span, event.about);
        }
    }

    /// What the person sees.
    pub(crate) fn case(&self, case: &Case) {
        let (claims, data) = (case.token().claims(), case.data());
        println!("\n{}", self.title("A person is needed"));
        let why = match claims.reason.as_str() {
            "law" => "the law asks for one: this agent acts on people (AI Act Annex III, GDPR Art. 22)",
            "policy" => "the policy asks for one",
            "tool" => "the tool asks for one before it runs",
            "requested" => "the tool asks a question",
            _ => "a call began and its end is not known",
        };
        println!("  why        {why}");
        println!("  agent      {}, for {}", data.agent, data.purpose);
        println!("  tool       {}: {}", claims.tool, data.tool_description.trim());
        println!("  arguments  {}", case.arguments());
        println!("  until      {}", claims.expires_at);
    }
}
