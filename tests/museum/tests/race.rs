//! A thousand concurrent resumes of one token over four processes, on SQLite: one wins, and knows it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fuze_evidence::Name;
use fuze_evidence::keys::{FileSigner, Signer};
use fuze_evidence::sign::PublicKey;
use fuze_evidence::verify::{TrustedKeys, verify};

const PROCESSES: usize = 4;
const TASKS: usize = 250;

fn race(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_race"));
    command.arg(args[0]).arg(directory).args(&args[1..]);
    command
}

#[test]
fn of_a_thousand_resumes_in_four_processes_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    assert!(race(path, &["prepare"]).status().unwrap().success());
    assert!(!path.join("effects").exists());
    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|nth| {
            race(path, &["resume", &TASKS.to_string(), &nth.to_string()])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !(0..PROCESSES).all(|nth| path.join(format!("ready-{nth}")).exists()) {
        let ended = children.iter_mut().any(|child| child.try_wait().unwrap().is_some());
        assert!(!ended && Instant::now() < deadline, "a process did not get ready");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::write(path.join("go"), "").unwrap();
    let (mut won, mut lost) = (Vec::new(), 0);
    for (nth, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        let words: Vec<&str> = said.split_whitespace().collect();
        let ["won", wins, "lost", losses, "other", others] = words.as_slice() else { panic!("{said}") };
        assert_eq!(*others, "0", "process {nth}: {errors}");
        won.extend((0..wins.parse::<usize>().unwrap()).map(|_| nth));
        lost += losses.parse::<usize>().unwrap();
    }
    assert_eq!(won.len(), 1, "won by {won:?}");
    assert_eq!(lost, PROCESSES * TASKS - 1);
    let effects = std::fs::read_to_string(path.join("effects")).unwrap();
    assert_eq!(effects.lines().count(), 1, "{effects}");
    // The chain holds, and it has the one decision and the one execution.
    let run = std::fs::read_to_string(path.join("run")).unwrap();
    let files = path.join("store").join("runs").join(run);
    let signer =
        FileSigner::load(&path.join("keys").join("signing.key"), Name::new("file").unwrap()).unwrap();
    let key = PublicKey::from_bytes(signer.public_key()).unwrap();
    let report = verify(&files, &TrustedKeys::new().run_key(key)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let records = std::fs::read_to_string(files.join("records.jsonl")).unwrap();
    for span in ["human.oversight.decision", "run.resume", "tool.execute", "run.close"] {
        let found = records.lines().filter(|line| line.contains(&format!("\"span\":\"{span}\""))).count();
        assert_eq!(found, 1, "{span}");
    }
}
