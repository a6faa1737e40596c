//! Orders to erase: what they name is what they reach, and an order that reaches nothing does not pass for one that was carried out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;

use std::fs;

use common::site::{ORIGIN, Site};
use common::{fuze, json};
use serde_json::json;

fn verify(site: &Site, at: usize, code: i32) -> serde_json::Value {
    let run = ["audit", "verify", "--json", &site.path("store"), "--run", &site.runs[at], "--key", &site.key];
    json(&fuze(&run, code))
}

/// How many leaves of a run's content are gone.
fn erased(site: &Site, at: usize) -> u64 {
    verify(site, at, 0)["run"]["content"]["erased"].as_u64().unwrap()
}

fn message(problem: &serde_json::Value) -> &str {
    problem["message"].as_str().unwrap()
}

#[test]
fn a_run_that_is_not_the_tenant_s_is_not_touched() {
    for site in [Site::new(), Site::crashed()] {
        for more in [["--reason", "request"].as_slice(), &["--expired"]] {
            let order = [["--run", &site.runs[0], "--tenant", "clinic-8"].as_slice(), more].concat();
            let refused = site.erase(&order, 1);
            let said = message(&refused);
            assert!(said.contains("`clinic-7`") && said.contains("`clinic-8`"), "{said}");
            assert!(!std::path::Path::new(&site.path("store/annex")).exists(), "nothing was said");
        }
        let done = site.erase(&["--run", &site.runs[0], "--tenant", "clinic-7"], 0);
        assert_eq!(done["runs"][0]["result"], "erased");
    }
    // Of a run that is not here nothing says whose it is.
    let site = Site::crashed();
    let unknown = "01a1ffe0-5b80-72ec-8aea-5ec1eadfffe1";
    site.erase(&["--run", unknown, "--tenant", "clinic-7"], 1);
}

#[test]
fn what_has_expired_goes_of_one_tenant_alone_if_one_is_named() {
    let site = Site::aged();
    let gone = site.erase(&["--expired", "--tenant", "clinic-8"], 0);
    assert_eq!(gone["runs"], json!([{"runId": site.runs[1], "result": "erased"}]));
    assert_eq!(verify(&site, 0, 0)["run"]["tenant"], "clinic-7");
    let rest = site.erase(&["--expired"], 0);
    assert_eq!(rest["runs"], json!([{"runId": site.runs[0], "result": "erased"}]));
}

#[test]
fn an_option_that_the_order_would_not_look_at_is_refused_with_it() {
    let (stored, filed) = (Site::new(), Site::crashed());
    let root = "0".repeat(64);
    let hold = ["--hold", "legal-claims", "--tenant", "clinic-7"];
    let release = ["--release", "legal-claims", "--tenant", "clinic-7"];
    let person = ["--subject", "p-1", "--tenant", "clinic-7"];
    let run = ["--run", &stored.runs[0]];
    let cases: &[(&[&str], &[&[&str]])] = &[
        (
            &hold,
            &[
                &["--reason", "request"],
                &["--compact-later"],
                &["--given-up"],
                &["--expired"],
                &["--content", &root],
                &["--field", "/a"],
                &["--again"],
                &person[..2],
                &release[..2],
            ],
        ),
        (
            &release,
            &[
                &["--reason", "consent-withdrawn"],
                &["--compact-later"],
                &["--expired"],
                &["--field", "/a"],
                &["--again"],
            ],
        ),
        (
            &person,
            &[
                &run,
                &["--expired"],
                &["--content", &root],
                &["--field", "/a"],
                &["--content", &root, "--field", "/a"],
                &["--again"],
            ],
        ),
        (
            &["--expired"],
            &[
                &["--reason", "request"],
                &["--content", &root],
                &["--field", "/a"],
                &["--again"],
                &["--given-up"],
                &person,
            ],
        ),
        (&run, &[&["--field", "/a"], &["--again"], &["--content", &root, "--again"]]),
    ];
    for (order, options) in cases {
        for more in *options {
            let problem = stored.erase(&[*order, *more].concat(), 2);
            assert_eq!(problem["result"], "usage", "{order:?} {more:?}");
        }
    }
    for at in 0..3 {
        assert_eq!(erased(&stored, at), 0);
    }
    assert!(!std::path::Path::new(&stored.path("store/annex")).exists());
    // Of files nothing is written anew.
    filed.erase(&["--run", &filed.runs[0], "--compact-later"], 2);
    assert!(!std::path::Path::new(&filed.path("store/annex")).exists());
}

#[test]
fn an_order_about_a_person_who_is_not_known_says_so() {
    for (site, runs) in [(Site::new(), 3), (Site::crashed(), 2)] {
        let order = |reference, tenant, code| site.erase(&["--subject", reference, "--tenant", tenant], code);
        let nobody = order("p-9", "clinic-7", 3);
        assert_eq!((&nobody["nobodyAmong"], &nobody["runs"]), (&json!(runs), &json!([])));
        let mistyped = order("p-1", "clinic-9", 1);
        assert!(message(&mistyped).contains("no run of the tenant `clinic-9` is here"), "{mistyped}");
        // It stays as it was: the order is given as it was meant.
        let (store, signing) = (site.path("store"), site.path("keys/signing.key"));
        let text = fuze(
            &[
                "audit",
                "erase",
                &store,
                "--origin",
                ORIGIN,
                "--signing-key",
                &signing,
                "--by",
                "dpo",
                "--subject",
                "p-9",
                "--tenant",
                "clinic-7",
                "--subject-keys",
                &site.path("keys/subjects"),
            ],
            3,
        );
        assert!(
            text.stdout.contains("nothing was erased") && text.stdout.contains(&format!("among the {runs} "))
        );
        assert!(!std::path::Path::new(&site.path("store/annex")).exists());
    }
    let site = Site::new();
    assert_eq!(
        site.erase(&["--subject", "p-1", "--tenant", "clinic-7"], 0)["runs"].as_array().unwrap().len(),
        2
    );
    // Given again, nothing is left that knows them.
    assert_eq!(site.erase(&["--subject", "p-1", "--tenant", "clinic-7"], 3)["nobodyAmong"], 3);
}

#[test]
fn a_directory_that_has_no_subject_keys_is_not_one_in_which_nobody_is_known() {
    let site = Site::new();
    let (empty, nowhere, parent) = (site.path("empty"), site.path("nowhere"), site.path("keys"));
    fs::create_dir(&empty).unwrap();
    let (store, run, signing, out) =
        (site.path("store"), site.run(0), site.path("keys/signing.key"), site.path("out.zip"));
    let master = site.path("keys/master.key");
    for wrong in [&empty, &nowhere, &parent] {
        let erase = [
            "audit",
            "erase",
            "--json",
            &store,
            "--origin",
            ORIGIN,
            "--signing-key",
            &signing,
            "--by",
            "dpo",
        ];
        let person = ["--subject", "p-1", "--tenant", "clinic-7", "--subject-keys", wrong];
        let export =
            ["audit", "export", "--json", &run, "--key", &site.key, "--signing-key", &signing, "--out", &out];
        let opened = ["--master-key", &master, "--subject-keys", wrong];
        let show = ["audit", "replay", "--json", &run, "--key", &site.key];
        let compact = ["audit", "compact", "--json", &store, "--subject-keys", wrong];
        for arguments in [
            [erase.as_slice(), &person].concat(),
            [export.as_slice(), &opened, &["--disclose-all"]].concat(),
            [show.as_slice(), &opened].concat(),
            compact.to_vec(),
        ] {
            let problem = json(&fuze(&arguments, 4));
            let said = message(&problem);
            assert!(said.contains(wrong.as_str()) && said.contains("index.key"), "{arguments:?}: {said}");
        }
    }
    assert_eq!(erased(&site, 0), 0);
}

#[test]
fn a_run_whose_last_window_has_ended_is_gone_and_not_broken() {
    let site = Site::aged();
    let log = site.log();
    let vkey = log.vkey().to_string();
    site.anchor(&log, 0, true);
    let directory = site.path("log");
    let store = site.path("store");
    let account = [
        "log",
        "verify",
        "--json",
        &directory,
        "--log-key",
        &vkey,
        "--accounted-by",
        &store,
        "--key",
        &site.key,
    ];
    assert_eq!(json(&fuze(&account, 0))["result"], "verified");
    site.erase(&["--run", &site.runs[0], "--expired"], 0);

    let gone = verify(&site, 0, 3);
    assert_eq!(gone["result"], "cannot_verify");
    let reason = gone["reason"].as_str().unwrap();
    for part in ["erased as a whole", "by `retention`", "line 0 of the annex of the tenant `clinic-7`"] {
        assert!(reason.contains(part), "{reason}");
    }
    let lost = json(&fuze(&account, 3));
    assert_eq!((&lost["result"], &lost["findings"]), (&json!("cannot_verify"), &json!([])));
    assert_eq!(lost["unaccounted"].as_array().unwrap().len(), 2);
    assert!(lost["unaccounted"][0].as_str().unwrap().contains("1 runs were erased as a whole"), "{lost}");

    // The annex of whom nobody trusts explains nothing, and one run that went explains no other that was left out.
    let stranger = common::site::STRANGER;
    let by_stranger = [&account[..9], &[stranger]].concat();
    assert_eq!(json(&fuze(&by_stranger, 1))["result"], "findings");
    let run = ["audit", "verify", "--json", &store, "--run", &site.runs[0], "--key", stranger];
    assert_eq!(json(&fuze(&run, 1))["result"], "failed");
    let other = Site::new();
    common::site::anchor_lines(&log, &other.roots(0), false);
    let left_out = json(&fuze(&account, 1));
    assert_eq!(left_out["findings"].as_array().unwrap().len(), 3);
    assert!(left_out["findings"][0].as_str().unwrap().contains("which are fewer"), "{left_out}");
    // Files where the tables have nothing are no lawful end.
    fs::create_dir_all(site.run(0)).unwrap();
    fs::write(format!("{}/records.jsonl", site.run(0)), "{}\n").unwrap();
    verify(&site, 0, 1);
}

/// One rule for what the place of a run is: what is not erased from through a link is not verified or handed on through it, either.
#[test]
fn through_a_link_nothing_is_erased_verified_or_exported() {
    use std::os::unix::fs::symlink;
    let lead = |path: &str, to: &str| {
        fs::rename(path, to).unwrap();
        symlink(to, path).unwrap();
    };
    for place in ["runs", "run", "content.jsonl", "keys.jsonl"] {
        let site = Site::crashed();
        let run = site.run(0);
        let (out, signing) = (site.path("out.zip"), site.path("keys/signing.key"));
        let path = match place {
            "runs" => site.path("store/runs"),
            "run" => run.clone(),
            file => format!("{run}/{file}"),
        };
        lead(&path, &site.path("elsewhere"));
        let export =
            ["audit", "export", "--json", &run, "--key", &site.key, "--signing-key", &signing, "--out", &out];
        for said in [
            site.erase(&["--run", &site.runs[0]], 4),
            json(&fuze(&["audit", "verify", "--json", &run, "--key", &site.key], 4)),
            json(&fuze(&export, 4)),
        ] {
            let said = message(&said);
            let named = path.rsplit('/').next().unwrap();
            assert!(said.contains(named) && said.contains("symbolic link"), "{place}: {said}");
        }
        assert!(!fs::exists(site.path("store/annex")).unwrap(), "nothing was said");
        fs::remove_file(&path).unwrap();
        fs::rename(site.path("elsewhere"), &path).unwrap();
        assert_eq!(site.erase(&["--run", &site.runs[0]], 0)["runs"][0]["result"], "erased");
        fuze(&["audit", "verify", &run, "--key", &site.key], 0);
    }
    // A hold in one place is not passed through another.
    let site = Site::crashed();
    site.erase(&["--hold", "legal-claims", "--tenant", "clinic-7", "--run", &site.runs[0]], 0);
    let (alias, signing) = (site.path("alias"), site.path("keys/signing.key"));
    fs::create_dir(&alias).unwrap();
    symlink(site.path("store/runs"), format!("{alias}/runs")).unwrap();
    let order =
        ["audit", "erase", &alias, "--origin", ORIGIN, "--signing-key", &signing, "--by", "dpo", "--run"];
    fuze(&[order.as_slice(), &[&site.runs[0]]].concat(), 4);
    let verified = json(&fuze(&["audit", "verify", "--json", &site.run(0), "--key", &site.key], 0));
    assert_eq!(verified["run"]["content"]["missing"], 0, "{verified}");
}
