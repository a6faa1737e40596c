//! A real Cerbos decision point, started for a test: loopback, telemetry off, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

/// The pinned binary, which `tests/policy/run.sh` installs and names in `FUZE_CERBOS`. Without it a test says aloud that it is
/// skipped, and fails where `FUZE_REQUIRE_CERBOS` is set.
pub fn binary() -> Option<PathBuf> {
    let found = std::env::var_os("FUZE_CERBOS").map(PathBuf::from);
    if found.is_none() {
        assert!(
            std::env::var_os("FUZE_REQUIRE_CERBOS").is_none(),
            "FUZE_CERBOS names no Cerbos binary; run this by tests/policy/run.sh"
        );
        eprintln!("SKIPPED: no Cerbos here; tests/policy/run.sh installs it");
    }
    found
}

/// How a decision point evaluates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A condition that errors denies the action.
    Strict,
    /// A rule whose condition errors is passed over.
    Lenient,
}

/// A running decision point; dropping it ends the process.
#[derive(Debug)]
pub struct Pdp {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

/// The member of a principal that holds the claims of the token it comes with. To the API that is no part of the principal.
pub const TOKEN: &str = "token";

/// The globals that every policy may read here.
pub fn globals() -> Value {
    json!({"environment": "test", "limit": 100})
}

impl Pdp {
    /// Starts one over the policies in `directory`.
    pub fn start(binary: &Path, directory: &Path, mode: Mode, scratch: &Path) -> Result<Self, String> {
        Self::start_on(binary, directory, mode, scratch, None)
    }

    /// Starts a strict one that speaks TLS, with the PEM files of a certificate for `localhost` and of its key.
    pub fn start_tls(
        binary: &Path,
        directory: &Path,
        scratch: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, String> {
        Self::start_on(binary, directory, Mode::Strict, scratch, Some((certificate, key)))
    }

    fn start_on(
        binary: &Path,
        directory: &Path,
        mode: Mode,
        scratch: &Path,
        tls: Option<(&Path, &Path)>,
    ) -> Result<Self, String> {
        // Somebody else may take the port between our looking and its binding it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|l| l.local_addr())
                .map_err(|e| e.to_string())?
                .port();
            match Self::start_at(binary, directory, mode, (scratch, port), tls) {
                Err(said) if said.contains("address already in use") => {}
                ended => return ended,
            }
        }
        Err("no free port on loopback".to_owned())
    }

    fn start_at(
        binary: &Path,
        directory: &Path,
        mode: Mode,
        (scratch, port): (&Path, u16),
        tls: Option<(&Path, &Path)>,
    ) -> Result<Self, String> {
        let mut config = json!({
            "server": {
                "httpListenAddr": format!("127.0.0.1:{port}"),
                "grpcListenAddr": format!("unix:{}", scratch.join(format!("{port}.sock")).display()),
                "requestLimits": {"maxActionsPerResource": 100, "maxResourcesPerRequest": 500},
            },
            "telemetry": {"disabled": true},
            "audit": {"enabled": false},
            "engine": {"strictEvaluation": mode == Mode::Strict, "globals": globals()},
            "schema": {"enforcement": "none"},
            // Tokens here have no signature.
            "auxData": {"jwt": {"disableVerification": true}},
            "storage": {"driver": "disk", "disk": {"directory": directory, "watchForChanges": false}},
        });
        if let Some((certificate, key)) = tls {
            config["server"]["tls"] = json!({"cert": certificate, "key": key});
        }
        let path = scratch.join(format!("{port}.yaml"));
        fs::write(&path, config.to_string()).map_err(|error| error.to_string())?;
        let log = fs::File::create(scratch.join(format!("{port}.log"))).map_err(|error| error.to_string())?;
        let child = Command::new(binary)
            .args(["server", "--log-level=error", "--config"])
            .arg(&path)
            .env("CERBOS_NO_TELEMETRY", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| error.to_string())?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        let url = match tls {
            None => format!("http://127.0.0.1:{port}"),
            Some(_) => format!("https://localhost:{port}"),
        };
        let mut pdp = Self { child, url, agent };
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let ready = match tls {
                None => {
                    let answer = pdp.agent.get(format!("{}/_cerbos/health", pdp.url)).call();
                    answer.is_ok_and(|answer| answer.status() == 200)
                }
                // It listens once it has read its policies; whoever asks sees whether it answers.
                Some(_) => TcpStream::connect(("127.0.0.1", port)).is_ok(),
            };
            if ready {
                return Ok(pdp);
            }
            let ended = pdp.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || Instant::now() > until {
                let said = fs::read_to_string(scratch.join(format!("{port}.log"))).unwrap_or_default();
                return Err(format!("Cerbos did not start: {said}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `POST /api/check/resources`.
    pub fn check(&self, principal: &Value, resources: &[Value]) -> Result<Value, String> {
        let mut principal = principal.clone();
        let claims = principal.as_object_mut().and_then(|principal| principal.remove(TOKEN));
        let mut body =
            json!({"requestId": "t", "includeMeta": true, "principal": principal, "resources": resources});
        if let Some(claims) = claims {
            body["auxData"] = json!({"jwt": {"token": token(&claims)}});
        }
        let mut answer = self
            .agent
            .post(format!("{}/api/check/resources", self.url))
            .send_json(&body)
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let mut text = String::new();
        answer.body_mut().as_reader().read_to_string(&mut text).map_err(|error| error.to_string())?;
        if status != 200 {
            return Err(format!("{status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }
}

/// A token with these claims and a signature that is none.
fn token(claims: &Value) -> String {
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    format!("{}.{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()), part("none"))
}

impl Drop for Pdp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `cerbos compile` refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The file's name, without directory and ending.
    pub file: String,
    /// Where in it, as a path: `$.resourcePolicy.rules[0].condition.match.expr`.
    pub path: String,
    /// What was said.
    pub said: String,
}

/// Runs `cerbos compile` over a directory. Empty when all compiles.
pub fn refused(binary: &Path, directory: &Path) -> Result<Vec<Refusal>, String> {
    let done = Command::new(binary)
        .args(["compile", "--skip-tests", "--output=json", "--color=never"])
        .arg(directory)
        .env("CERBOS_NO_TELEMETRY", "1")
        .output()
        .map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(Vec::new());
    }
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let answer: Value = serde_json::from_str(&said)
        .map_err(|_| format!("cerbos compile: {said}{}", String::from_utf8_lossy(&done.stderr)))?;
    let mut refused = Vec::new();
    collect(&answer, &mut refused);
    if refused.is_empty() {
        return Err(format!("cerbos compile failed and names no file: {said}"));
    }
    Ok(refused)
}

fn collect(value: &Value, into: &mut Vec<Refusal>) {
    match value {
        Value::Object(members) => {
            if let Some(path) = value.pointer("/position/path").and_then(Value::as_str) {
                let file = members.get("file").and_then(Value::as_str).unwrap_or_default();
                let file = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let said =
                    members.get("description").or_else(|| members.get("error")).and_then(Value::as_str);
                into.push(Refusal { file, path: path.to_owned(), said: said.unwrap_or_default().to_owned() });
            } else {
                members.values().for_each(|inner| collect(inner, into));
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, into)),
        _ => {}
    }
}

/// The lines of a list of seeds: one number each, `#` begins a comment.
pub fn seeds(text: &str) -> Vec<u64> {
    BufReader::new(text.as_bytes())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split('#').next().and_then(|number| number.trim().parse().ok()))
        .collect()
}
