//! Witnesses: what they sign, what they refuse, and what a log makes of it.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../fuze-evidence/tests/common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use common::name;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sha256;
use fuze_log::cosignature;
use fuze_log::log::CosignError;
use fuze_log::note::NoteSignature;
use fuze_log::policy::PolicyError;
use fuze_log::witness::{
    AddCheckpoint, Answer, HttpTransport, Refusal, Server, ServerOptions, TransportError, WitnessError,
    WitnessSetupError,
};
use fuze_log::{
    Algorithm, Blinding, KeyName, Log, LogOptions, Note, Policy, Prepared, VerifierKey, Witness,
    WitnessClient, WitnessTransport,
};

const TIME: u64 = 1_795_294_256;

fn signer() -> Arc<FileSigner> {
    Arc::new(FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap())
}

fn log(directory: &Path, signer: &Arc<FileSigner>) -> Log {
    Log::create(directory, &name("log.example/a"), signer.clone(), LogOptions::new()).unwrap()
}

fn grow(log: &Log, leaves: u64) {
    for _ in 0..leaves {
        let blinding = Blinding::generate(&mut OsRandom::new()).unwrap();
        log.append(Prepared::key(sha256(b"k"), &blinding).unwrap().leaf()).unwrap();
    }
}

fn witness(directory: &Path, signer: Arc<FileSigner>, logs: &[&VerifierKey]) -> Witness {
    let logs = logs.iter().copied().cloned();
    let witness =
        Witness::open(directory, KeyName::new("witness.example/w1").unwrap(), signer, logs).unwrap();
    witness.with_clock(Arc::new(|| UNIX_EPOCH + Duration::from_secs(TIME)))
}

/// A witness without a network, and everything that it was sent.
struct Direct {
    witness: Arc<Witness>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl WitnessTransport for Direct {
    fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, TransportError> {
        self.bodies.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
        let (status, content_type, body) = match self.witness.add_checkpoint(body) {
            Ok(line) => (200, "", format!("{line}\n")),
            Err(Refusal::Conflict { size }) => (409, "text/x.tlog.size", format!("{size}\n")),
            Err(refusal) => (refusal.status(), "", refusal.to_string()),
        };
        Ok(Answer { status, content_type: content_type.to_owned(), body: body.into_bytes() })
    }
}

fn client(witness: &Arc<Witness>) -> (WitnessClient, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::default();
    let transport = Direct { witness: witness.clone(), bodies: Arc::clone(&bodies) };
    (WitnessClient::new(witness.vkey().clone(), transport).unwrap(), bodies)
}

struct World {
    place: tempfile::TempDir,
    log: Log,
    log_signer: Arc<FileSigner>,
    witness: Arc<Witness>,
    witness_signer: Arc<FileSigner>,
}

fn world() -> World {
    let place = tempfile::tempdir().unwrap();
    let (log_signer, witness_signer) = (signer(), signer());
    let log = log(&place.path().join("log"), &log_signer);
    let witness = witness(&place.path().join("witness"), witness_signer.clone(), &[log.vkey()]);
    World { place, log, log_signer, witness: Arc::new(witness), witness_signer }
}

fn policy(world: &World, threshold: usize) -> Policy {
    Policy::new(world.log.vkey().clone(), vec![world.witness.vkey().clone()], threshold).unwrap()
}

#[test]
fn a_log_that_grows_is_cosigned_and_its_proofs_carry_it() {
    let world = world();
    let (client, bodies) = client(&world.witness);
    let clients = [client];
    for leaves in [0, 1, 2, 0, 5] {
        grow(&world.log, leaves);
        let cosigning = world.log.cosign(&clients).unwrap();
        assert_eq!((cosigning.cosigned.len(), cosigning.refused.len()), (1, 0));
        let verified = policy(&world, 1).verify(world.log.reader().checkpoint().unwrap()).unwrap();
        assert_eq!(verified.cosigned()[0].time_s, TIME);
    }
    // It is asked about 0 first, and then told the size that it has seen.
    let first_lines: Vec<String> =
        bodies.lock().unwrap().iter().map(|body| body.lines().next().unwrap().to_owned()).collect();
    assert_eq!(first_lines[..4], ["old 0", "old 0", "old 0", "old 1"]);
    assert_eq!(first_lines.last().unwrap(), "old 3");

    // The log goes on; the proof stays on what was cosigned as long as that covers the leaf.
    grow(&world.log, 1);
    let reader = world.log.reader();
    let proof = reader.proof(7).unwrap();
    assert!(policy(&world, 1).verify(proof.checkpoint().clone()).is_ok());
    let uncovered = reader.proof(8).unwrap();
    assert!(matches!(
        policy(&world, 1).verify(uncovered.checkpoint().clone()),
        Err(PolicyError::Witnesses { expected: 1, .. })
    ));
    assert!(policy(&world, 0).verify(uncovered.checkpoint().clone()).is_ok());

    // What monitors see at the witness is the same tree.
    let origin_hash = sha256(b"log.example/a").to_string();
    let seen = world.witness.checkpoint(&origin_hash).unwrap();
    assert_eq!(seen.text(), proof.checkpoint().text());
    assert!(policy(&world, 1).verify(seen).is_ok());
    assert!(world.witness.checkpoint(&origin_hash.to_uppercase()).is_err());
}

/// Its answer comes late: after the log has grown and asked again.
struct Late {
    world: Arc<World>,
    asked: Mutex<bool>,
}

impl WitnessTransport for Late {
    fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, TransportError> {
        let answer =
            Direct { witness: self.world.witness.clone(), bodies: Arc::default() }.add_checkpoint(body);
        if !std::mem::replace(&mut *self.asked.lock().unwrap(), true) {
            grow(&self.world.log, 1);
            assert_eq!(self.world.log.cosign(&[client(&self.world.witness).0]).unwrap().cosigned.len(), 1);
        }
        answer
    }
}

#[test]
fn a_late_cosignature_does_not_take_the_place_of_a_newer_one() {
    let world = Arc::new(world());
    grow(&world.log, 2);
    let late = Late { world: world.clone(), asked: Mutex::new(false) };
    let late = WitnessClient::new(world.witness.vkey().clone(), late).unwrap();
    let cosigning = world.log.cosign(&[late]).unwrap();
    assert!(cosigning.checkpoint.text().contains("\n2\n"), "{}", cosigning.checkpoint);
    let newest = world.log.reader().cosigned().unwrap().unwrap();
    assert!(newest.text().contains("\n3\n"), "{newest}");
    assert!(policy(&world, 1).verify(newest).is_ok());
}

#[test]
fn each_refusal_has_the_status_of_the_specification() {
    let world = world();
    grow(&world.log, 3);
    let three = world.log.checkpoint().unwrap();
    grow(&world.log, 2);
    let five = world.log.checkpoint().unwrap();
    let proof = world.log.reader().consistency(three.checkpoint(), five.checkpoint()).unwrap();
    let ask = |old, proof: &[fuze_evidence::Hash], checkpoint: &Note| {
        let request = AddCheckpoint { old, proof: proof.to_vec(), checkpoint: checkpoint.clone() };
        world.witness.add_checkpoint(request.to_string().as_bytes()).map_err(|refusal| refusal.status())
    };
    let changed = |proof: &[fuze_evidence::Hash]| {
        let mut proof = proof.to_vec();
        proof[0].0[0] ^= 1;
        proof
    };
    // Nothing seen yet.
    assert_eq!(ask(3, &proof, five.note()), Err(409));
    assert_eq!(ask(0, &proof, three.note()), Err(422), "a proof from nothing is empty");
    assert!(ask(0, &[], three.note()).is_ok());
    // Seen: three.
    assert_eq!(ask(0, &[], five.note()), Err(409));
    assert_eq!(ask(4, &[], three.note()), Err(400), "an old size beyond the checkpoint");
    assert_eq!(ask(3, &[], five.note()), Err(422));
    assert_eq!(ask(3, &changed(&proof), five.note()), Err(422));
    assert!(ask(3, &[], three.note()).is_ok(), "the same again");
    assert_eq!(ask(3, &proof[..1], three.note()), Err(422));
    assert!(ask(3, &proof, five.note()).is_ok());
    // Seen: five. Back to three is refused whatever the proof.
    assert_eq!(ask(3, &[], three.note()), Err(409));
    assert_eq!(ask(5, &[], three.note()), Err(400));

    // A stranger's log, a stranger's signature, a signature that does not hold.
    let place = tempfile::tempdir().unwrap();
    let unknown = Log::create(place.path(), &name("log.example/b"), signer(), LogOptions::new()).unwrap();
    assert_eq!(ask(0, &[], unknown.checkpoint().unwrap().note()), Err(404));
    let place = tempfile::tempdir().unwrap();
    let impostor = log(place.path(), &signer());
    assert_eq!(ask(0, &[], impostor.checkpoint().unwrap().note()), Err(403));
    let forged = five.note().to_string().replace("\n5\n", "\n6\n");
    assert_eq!(ask(5, &[], &Note::read(forged.as_bytes()).unwrap()), Err(403));
    for body in ["", "old 5\n", "old 05\n\n", "new 5\n\na\n1\n"] {
        assert_eq!(world.witness.add_checkpoint(body.as_bytes()).unwrap_err().status(), 400, "{body:?}");
    }
}

#[test]
fn a_fork_and_a_rollback_are_seen_by_the_witness_and_told_to_the_log() {
    let mut world = world();
    grow(&world.log, 4);
    let (client, _) = client(&world.witness);
    let clients = [client];
    assert_eq!(world.log.cosign(&clients).unwrap().cosigned.len(), 1);
    // The whole directory is an older or another one: nothing in it can tell.
    let replace = |world: &mut World, directory: &str, leaves| {
        world.log = log(&world.place.path().join(directory), &world.log_signer);
        grow(&world.log, leaves);
        world.log.cosign(&clients).unwrap()
    };
    let refused = |cosigning: fuze_log::log::Cosigning| match cosigning.refused.as_slice() {
        [CosignError { error, .. }] => error.clone(),
        other => panic!("{other:?}"),
    };
    let rolled_back = replace(&mut world, "rolled back", 3);
    assert_eq!(refused(rolled_back), WitnessError::Ahead { witness: 4, log: 3 });
    // Another root at the size that was seen is a conflict (c2sp.org/tlog-witness), at another size a proof that does not hold.
    for (directory, leaves, expected) in [("fork", 4, 409), ("longer fork", 9, 422)] {
        let forked = replace(&mut world, directory, leaves);
        assert!(matches!(refused(forked), WitnessError::Refused { status, .. } if status == expected));
        // Nothing of the fork is called cosigned.
        assert_eq!(world.log.reader().cosigned(), Ok(None));
        let checkpoint = world.log.reader().checkpoint().unwrap();
        assert!(matches!(policy(&world, 1).verify(checkpoint), Err(PolicyError::Witnesses { .. })));
    }
}

#[test]
fn a_witness_remembers_after_a_restart_and_stops_when_its_memory_is_not_its_own() {
    let world = world();
    grow(&world.log, 2);
    let (client, _) = client(&world.witness);
    world.log.cosign(&[client]).unwrap().cosigned.pop().unwrap();
    let directory = world.place.path().join("witness");
    let restarted = witness(&directory, world.witness_signer.clone(), &[world.log.vkey()]);
    let request =
        AddCheckpoint { old: 0, proof: vec![], checkpoint: world.log.reader().checkpoint().unwrap() };
    let body = request.to_string();
    assert_eq!(restarted.add_checkpoint(body.as_bytes()), Err(Refusal::Conflict { size: 2 }));
    let file = directory.join(sha256(b"log.example/a").to_string()).join("checkpoint");
    let text = std::fs::read_to_string(&file).unwrap();
    let cosignature = text.lines().last().unwrap();
    for wrong in
        [String::new(), text.replace("\n2\n", "\n1\n"), text.replace(&format!("{cosignature}\n"), "")]
    {
        std::fs::write(&file, &wrong).unwrap();
        let answer = restarted.add_checkpoint(body.as_bytes()).unwrap_err();
        assert_eq!(answer.status(), 500, "{wrong:?}: {answer}");
    }
}

/// A cosignature says that nothing larger was seen up to its time. By a clock that fell back it would say so of the past, untruly.
#[test]
fn a_clock_that_fell_back_is_not_believed() {
    let world = world();
    let times = Arc::new(Mutex::new(vec![TIME + 5, TIME - 100, TIME]));
    let clock = times.clone();
    let witness = Witness::open(
        &world.place.path().join("other"),
        KeyName::new("witness.example/w2").unwrap(),
        signer(),
        [world.log.vkey().clone()],
    );
    let witness = witness.unwrap().with_clock(Arc::new(move || {
        UNIX_EPOCH + Duration::from_secs(clock.lock().unwrap().pop().unwrap_or(0))
    }));
    let (witness, mut found) = (Arc::new(witness), Vec::new());
    for _ in 0..3 {
        grow(&world.log, 1);
        let cosigning = world.log.cosign(&[client(&witness).0]).unwrap();
        assert_eq!(cosigning.cosigned.len(), 1);
        let policy = Policy::new(world.log.vkey().clone(), vec![witness.vkey().clone()], 1).unwrap();
        found.push(policy.verify(cosigning.checkpoint).unwrap().cosigned()[0].time_s);
    }
    assert_eq!(found, [TIME, TIME, TIME + 5]);
    // Before 1970 there is none that could be signed.
    grow(&world.log, 1);
    assert!(world.log.cosign(&[client(&witness).0]).unwrap().cosigned.is_empty());
}

#[test]
fn a_witness_needs_keys_that_make_sense() {
    let place = tempfile::tempdir().unwrap();
    let (log, own) = (signer(), signer());
    let key = |of: &str, algorithm, signer: &FileSigner| {
        VerifierKey::of(KeyName::new(of).unwrap(), algorithm, signer).unwrap()
    };
    let good = key("log.example/a", Algorithm::Ed25519, &log);
    let open = |logs: Vec<VerifierKey>| {
        Witness::open(place.path(), KeyName::new("w").unwrap(), own.clone(), logs).map(drop)
    };
    assert_eq!(open(vec![good.clone()]), Ok(()));
    let twice = open(vec![good.clone(), key("log.example/a", Algorithm::Ed25519, &signer())]);
    assert!(matches!(twice, Err(WitnessSetupError::Twice { .. })));
    for wrong in
        [key("log.example/a", Algorithm::Cosignature, &log), key("log.example/a", Algorithm::Ed25519, &own)]
    {
        assert!(matches!(open(vec![wrong]), Err(WitnessSetupError::Log(_))));
    }
    assert!(matches!(
        WitnessClient::new(good, HttpTransport::new("http://127.0.0.1:1").unwrap()),
        Err(WitnessError::Key { .. })
    ));
}

/// Answers with what it is told to.
struct Scripted(Mutex<Vec<Answer>>);

impl WitnessTransport for Scripted {
    fn add_checkpoint(&self, _: &[u8]) -> Result<Answer, TransportError> {
        self.0.lock().unwrap().pop().ok_or_else(|| TransportError("nobody there".into()))
    }
}

#[test]
fn an_answer_counts_only_with_the_witnesss_signature() {
    let world = world();
    grow(&world.log, 2);
    let checkpoint = world.log.reader().checkpoint().unwrap();
    let other = witness(&world.place.path().join("other"), signer(), &[world.log.vkey()]);
    let body = AddCheckpoint { old: 0, proof: vec![], checkpoint: checkpoint.clone() }.to_string();
    let by_other = other.add_checkpoint(body.as_bytes()).unwrap();
    let good = world.witness.add_checkpoint(body.as_bytes()).unwrap();
    let ask = |answers: &[(u16, &str, String)]| {
        let answers = answers.iter().rev().map(|(status, content_type, body)| Answer {
            status: *status,
            content_type: (*content_type).to_owned(),
            body: body.clone().into_bytes(),
        });
        let transport = Scripted(Mutex::new(answers.collect()));
        let client = WitnessClient::new(world.witness.vkey().clone(), transport).unwrap();
        client.cosign(&checkpoint, world.log.reader())
    };
    let line = |line: &NoteSignature| format!("{line}\n");
    assert_eq!(ask(&[(200, "", line(&good))]), Ok(good.clone()));
    assert_eq!(ask(&[(200, "", format!("{by_other}\n{good}\n"))]), Ok(good.clone()), "others are ignored");
    let size = "text/x.tlog.size";
    assert_eq!(ask(&[(409, size, "1\n".into()), (200, "", line(&good))]), Ok(good.clone()));
    // Another key under this witness's name and hash: the signature decides.
    let forged = good.to_string().replace(&good.to_string()[40..48], "AAAAAAAA");
    for (what, answers) in [
        ("another witness", vec![(200, "", line(&by_other))]),
        ("forged", vec![(200, "", format!("{forged}\n"))]),
        ("empty", vec![(200, "", String::new())]),
        ("no line", vec![(200, "", "thanks\n".into())]),
        ("a size without its type", vec![(409, "text/plain", "1\n".into())]),
        ("a size with a zero", vec![(409, size, "01\n".into())]),
        ("a size without its end", vec![(409, size, "1".into())]),
        (
            "never content",
            vec![(409, size, "1\n".into()), (409, size, "2\n".into()), (409, size, "1\n".into())],
        ),
        ("an error", vec![(500, "", "no".into())]),
        ("nobody", vec![]),
    ] {
        assert!(ask(&answers).is_err(), "{what}");
    }
    assert_eq!(ask(&[(409, size, "9\n".into())]), Err(WitnessError::Ahead { witness: 9, log: 2 }));
    // It has seen another tree of this size, and says so with the size or in words.
    for fork in [(409, size, "2\n".into()), (409, "text/plain", "forked\n".into())] {
        let forked = ask(&[(409, size, "2\n".into()), fork]);
        assert!(matches!(forked, Err(WitnessError::Refused { status: 409, .. })), "{forked:?}");
    }
    assert!(cosignature::verify(checkpoint.text(), &good, world.witness.vkey()).is_ok());
}

// ---- over the network

fn serve(world: &World) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Server::start(listener, world.witness.clone(), ServerOptions::new().threads(2)).unwrap()
}

fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // It may answer and hang up before it has read all of it.
    drop(stream.write_all(request));
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer
}

#[test]
fn a_witness_answers_over_http_until_it_is_stopped() {
    let world = world();
    let server = serve(&world);
    let transport = HttpTransport::new(&format!("http://{}/", server.address())).unwrap();
    let clients = [WitnessClient::new(world.witness.vkey().clone(), transport).unwrap()];
    for leaves in [1, 3] {
        grow(&world.log, leaves);
        let cosigning = world.log.cosign(&clients).unwrap();
        assert_eq!(cosigning.cosigned.len(), 1, "{:?}", cosigning.refused);
    }
    let origin_hash = sha256(b"log.example/a").to_string();
    let answer = raw(&server, format!("GET /{origin_hash}/checkpoint HTTP/1.1\r\n\r\n").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(policy(&world, 1).verify_octets(body.as_bytes()).is_ok());

    let body = "old 0\n\n";
    let post = format!("POST /add-checkpoint HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let conflict =
        AddCheckpoint { old: 0, proof: vec![], checkpoint: world.log.reader().checkpoint().unwrap() };
    let conflict = conflict.to_string();
    let conflict =
        format!("POST /add-checkpoint HTTP/1.1\r\nContent-Length: {}\r\n\r\n{conflict}", conflict.len());
    for (request, expected) in [
        (post.as_str(), "HTTP/1.1 400 "),
        (conflict.as_str(), "HTTP/1.1 409 "),
        ("GET /add-checkpoint HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        ("GET /00/checkpoint HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        ("GET /../checkpoint HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 "),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 "),
        ("POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let answer = raw(&server, request.as_bytes());
        assert!(answer.starts_with(expected), "{request:?}: {answer:?}");
    }
    assert!(raw(&server, conflict.as_bytes()).contains("Content-Type: text/x.tlog.size\r\n"));
    assert!(raw(&server, conflict.as_bytes()).ends_with("\r\n\r\n4\n"));

    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err(), "nothing listens any more");
    grow(&world.log, 1);
    let cosigning = world.log.cosign(&clients).unwrap();
    assert!(matches!(cosigning.refused[0].error, WitnessError::Transport(_)));
}

#[test]
fn whoever_connects_and_says_nothing_does_not_keep_others_waiting() {
    let world = world();
    let ages = Duration::from_secs(3600);
    let start = |options: ServerOptions| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server::start(listener, world.witness.clone(), options.patience(ages)).unwrap()
    };
    // As a server is by itself, there is room for some of them, however long they stay.
    let server = start(ServerOptions::new().head_patience(ages));
    let idle: Vec<_> = (0..24).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer:?}");
    drop(idle);
    drop(server);
    // And they do not stay, however much time a whole request has.
    let server = start(ServerOptions::new().head_patience(Duration::ZERO));
    let mut idle = TcpStream::connect(server.address()).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    match idle.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
}

#[test]
fn a_transport_takes_plain_http_only() {
    for good in ["http://127.0.0.1:80", "http://witness.example/w1/", "http://[::1]:8080/a"] {
        assert!(HttpTransport::new(good).is_ok(), "{good}");
    }
    for wrong in [
        "https://witness.example",
        "witness.example",
        "http://",
        "http:///a",
        "http://a b",
        "http://a\r\nX: y",
        "http://user@host",
        "http://host/a?b",
        "http://host/a#b",
        "ftp://host",
    ] {
        assert!(HttpTransport::new(wrong).is_err(), "{wrong}");
    }
}
