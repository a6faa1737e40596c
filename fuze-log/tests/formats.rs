//! The text and octet formats: the specifications' own examples, another implementation, hostile input.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "../../fuze-evidence/tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;

use common::name;
use fuze_evidence::keys::FileSigner;
use fuze_evidence::random::OsRandom;
use fuze_evidence::sign::PublicKey;
use fuze_evidence::{Hash, Signer, sha256};
use fuze_log::checkpoint::Checkpoint;
use fuze_log::cosignature;
use fuze_log::merkle::{empty_root, leaf_hash, root};
use fuze_log::note::{MAX_NOTE_BYTES, MAX_SIGNATURES, NoteError, NoteSignature};
use fuze_log::policy::PolicyError;
use fuze_log::tile::{
    Edge, FULL_WIDTH, TileError, TileKind, TilePath, TileTree, Tiles, read_bundle, read_hashes, write_bundle,
};
use fuze_log::witness::AddCheckpoint;
use fuze_log::{Algorithm, KeyName, Note, Policy, TlogProof, VerifierKey};
use proptest::prelude::*;
use signed_note::{Note as TheirNote, StandardVerifier, VerifierList};

// c2sp.org/signed-note, "Example".
const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn signer() -> FileSigner {
    FileSigner::ephemeral(name("test"), &mut OsRandom::new()).unwrap()
}

fn key(of: &str, algorithm: Algorithm, signer: &FileSigner) -> VerifierKey {
    VerifierKey::of(KeyName::new(of).unwrap(), algorithm, signer).unwrap()
}

/// A signature line by hand: what this crate's own code does not make is what the tests need.
fn line(key: &VerifierKey, octets: &[u8]) -> String {
    use base64ct::{Base64, Encoding as _};
    let octets = [&key.hash().0[..], octets].concat();
    format!("\u{2014} {} {}\n", key.name(), Base64::encode_string(&octets))
}

fn signed(text: &str, key: &VerifierKey, signer: &FileSigner) -> String {
    line(key, &signer.sign(text.as_bytes()).unwrap())
}

fn cosigned(text: &str, time: u64, key: &VerifierKey, signer: &FileSigner) -> String {
    let signature = signer.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes()).unwrap();
    line(key, &[&time.to_be_bytes()[..], &signature].concat())
}

fn text(origin: &str, size: u64) -> String {
    use base64ct::{Base64, Encoding as _};
    let root = if size == 0 { empty_root() } else { sha256(&size.to_be_bytes()) };
    format!("{origin}\n{size}\n{}\n", Base64::encode_string(root.as_bytes()))
}

#[test]
fn the_specifications_note_verifies() {
    let key: VerifierKey = SPEC_KEY.parse().unwrap();
    assert_eq!((key.name().as_str(), key.hash().to_string().as_str()), ("example.com/foo", "530d903a"));
    assert_eq!((key.algorithm(), key.to_string().as_str()), (Algorithm::Ed25519, SPEC_KEY));
    let note = Note::read(SPEC_NOTE.as_bytes()).unwrap();
    assert_eq!((note.text(), note.to_string().as_str()), ("This is an example message.\n", SPEC_NOTE));
    // It is no checkpoint; but the signature is looked at first and holds.
    let policy = Policy::from_vkeys(SPEC_KEY, [], 0).unwrap();
    assert!(matches!(policy.verify(note), Err(PolicyError::Checkpoint(_))));
    let forged = SPEC_NOTE.replace("example message", "example massage");
    assert!(matches!(policy.verify_octets(forged.as_bytes()), Err(PolicyError::Signature { .. })));
}

#[test]
fn a_key_has_one_text_and_its_hash_is_checked() {
    let signer = signer();
    for algorithm in [Algorithm::Ed25519, Algorithm::Cosignature] {
        let key = key("log.example/a", algorithm, &signer);
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
    }
    let log = key("log.example/a", Algorithm::Ed25519, &signer);
    let witness = key("log.example/a", Algorithm::Cosignature, &signer);
    assert_ne!(log.hash(), witness.hash(), "one key, two uses, two hashes");
    let good = log.to_string();
    let hash = log.hash().to_string();
    for wrong in [
        good.replace("log.example/a", "log.example/b"),
        good.replace(&hash, "00000000"),
        good.replace(&hash, &hash.to_uppercase()).replace(&hash, "ABCDEF01"),
        good.replace('+', " "),
        good.replace("log.example/a", ""),
        good.replace("log.example/a", "log example"),
        good[..good.len() - 4].to_owned(),
        format!("{good}="),
        format!("{good}\n"),
        // ML-DSA, an unknown algorithm, a key of small order.
        "example.com/foo+530d903a+Buky".to_owned(),
        "a+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        String::new(),
    ] {
        assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong:?}");
    }
    // The other implementation reads ours and gives the same hash.
    let theirs = StandardVerifier::new(&good).unwrap();
    assert_eq!(signed_note::Verifier::key_id(&theirs), u32::from_be_bytes(log.hash().0));
}

#[test]
fn notes_agree_with_the_other_implementation() {
    let (log_signer, other_signer) = (signer(), signer());
    let log = key("log.example/a", Algorithm::Ed25519, &log_signer);
    let other = key("other.example", Algorithm::Ed25519, &other_signer);
    let text = text("log.example/a", 7);
    let by_log = signed(&text, &log, &log_signer);
    let by_other = signed(&text, &other, &other_signer);
    let wrong = signed("something else\n", &log, &log_signer);
    let stranger = "\u{2014} stranger AAAAAAE=\n";
    let policy = Policy::new(log.clone(), vec![], 0).unwrap();
    for (lines, holds) in [
        (by_log.clone(), true),
        (format!("{stranger}{by_other}{by_log}"), true),
        (format!("{by_log}{by_log}"), true),
        (by_other.clone(), false),
        (wrong.clone(), false),
        (format!("{wrong}{by_log}"), false),
        (by_log.replace("log.example/a", "log.example/b"), false),
        (stranger.to_owned(), false),
        (by_log.trim_end().to_owned(), false),
        (format!("{by_log}\n"), false),
        (format!("{by_log}{}", "\u{2014} a b\n"), false),
        (format!("{by_log}{}", "- a AAAAAAE=\n"), false),
        (format!("{by_log}{}", "\u{2014} a AAAAAA==\n"), false),
        (format!("{by_log}{}", "\u{2014} a+b AAAAAAE=\n"), false),
        (format!("{by_log}{}", "\u{2014}  AAAAAAE=\n"), false),
        (format!("{by_log}{}", "\u{2014} a\u{a0}b AAAAAAE=\n"), false),
        (String::new(), false),
    ] {
        let note = format!("{text}\n{lines}");
        let verifier = StandardVerifier::new(&log.to_string()).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let theirs = TheirNote::from_bytes(note.as_bytes()).is_ok_and(|note| note.verify(&known).is_ok());
        let ours = policy.verify_octets(note.as_bytes());
        assert_eq!((ours.is_ok(), theirs), (holds, holds), "{lines:?}: {ours:?}");
    }
    // Stricter than they are: a second, wrong signature by a known key.
    let note = format!("{text}\n{by_log}{wrong}");
    assert!(matches!(policy.verify_octets(note.as_bytes()), Err(PolicyError::Signature { .. })));
    // And control characters, which the specification forbids.
    let odd = "log.example/a\t\n7\nAAAA\n";
    let note = format!("{odd}\n{}", signed(odd, &log, &log_signer));
    assert_eq!(Note::read(note.as_bytes()), Err(NoteError::Encoding));
}

#[test]
fn a_note_has_bounds() {
    let line = "\u{2014} stranger AAAAAAE=\n";
    let note = |lines: usize| Note::read(format!("text\n\n{}", line.repeat(lines)).as_bytes());
    assert_eq!(note(MAX_SIGNATURES).unwrap().signatures().len(), MAX_SIGNATURES);
    assert_eq!(note(MAX_SIGNATURES + 1), Err(NoteError::TooManySignatures));
    // 16 signatures of the post-quantum kind fit.
    use base64ct::{Base64, Encoding as _};
    let large = format!("\u{2014} w {}\n", Base64::encode_string(&[7; 5000]));
    assert!(Note::read(format!("text\n\n{}", large.repeat(16)).as_bytes()).is_ok());
    let long = vec![b'a'; MAX_NOTE_BYTES + 1];
    assert_eq!(Note::read(&long), Err(NoteError::TooLong { found: MAX_NOTE_BYTES + 1 }));
    let mut full = note(MAX_SIGNATURES).unwrap();
    let signature = NoteSignature::read("\u{2014} stranger AAAAAAE=").unwrap();
    full.add(signature.clone()).unwrap();
    assert_eq!(full.signatures(), [signature], "a line replaces those by the same key");
}

#[test]
fn a_checkpoint_has_one_form() {
    let read = |text: &str| Checkpoint::read(text);
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    // c2sp.org/tlog-checkpoint's example.
    let good = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
    let checkpoint = read(&good).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_string(), good);
    let extended = format!("{good}one\ntwo\n");
    assert_eq!(read(&extended).unwrap().extensions(), "one\ntwo\n");
    assert_eq!(read(&extended).unwrap().to_string(), extended);
    for wrong in [
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}one\n\ntwo\n"),
        format!("{good}one"),
        good.replace("20852163", "020852163"),
        good.replace("20852163", "+20852163"),
        good.replace("20852163", "9223372036854775808"),
        good.replace("20852163", ""),
        good.replace("example.com/behind-the-sofa", ""),
        good.replace('=', ""),
        good.replace("2I=", "2J="),
        good.replace(root, "AAAA"),
        String::new(),
    ] {
        assert!(read(&wrong).is_err(), "{wrong:?}");
    }
    let theirs = tlog_tiles::Checkpoint::from_bytes(good.as_bytes()).unwrap();
    assert_eq!((theirs.size(), theirs.hash().0), (checkpoint.size(), checkpoint.root().0));
}

#[test]
fn a_policy_takes_its_log_and_enough_of_its_witnesses() {
    let signers = [signer(), signer(), signer(), signer()];
    let log = key("log.example/a", Algorithm::Ed25519, &signers[0]);
    let witnesses: Vec<_> =
        (1..4).map(|n| key(&format!("w{n}.example"), Algorithm::Cosignature, &signers[n])).collect();
    let text = text("log.example/a", 9);
    let by_log = signed(&text, &log, &signers[0]);
    let by = |n: usize, time: u64| cosigned(&text, time, &witnesses[n - 1], &signers[n]);
    let policy = Policy::new(log.clone(), witnesses[..2].to_vec(), 2).unwrap();
    let check = |lines: String| policy.verify_octets(format!("{text}\n{lines}").as_bytes());

    let verified = check(format!("{by_log}{}{}{}", by(1, 5), by(2, 6), by(3, 7))).unwrap();
    assert_eq!(verified.checkpoint().size(), 9);
    let times: Vec<_> = verified.cosigned().iter().map(|by| (by.witness.as_str(), by.time_s)).collect();
    assert_eq!(times, [("w1.example", 5), ("w2.example", 6)], "the third is nobody's witness here");

    // Too few; one of them twice counts once, with its latest time; a stranger's does not count.
    for lines in [
        by_log.clone(),
        format!("{by_log}{}", by(1, 5)),
        format!("{by_log}{}{}", by(1, 5), by(1, 6)),
        format!("{by_log}{}{}", by(1, 5), by(3, 6)),
    ] {
        assert!(matches!(check(lines), Err(PolicyError::Witnesses { expected: 2, .. })));
    }
    let twice = Policy::new(log.clone(), witnesses.clone(), 1).unwrap();
    let verified = twice.verify_octets(format!("{text}\n{by_log}{}{}", by(1, 8), by(1, 6)).as_bytes());
    assert_eq!(verified.unwrap().cosigned()[0].time_s, 8);

    // Witnesses alone are not the log. A cosignature without a time, or moved to another time, does not hold.
    assert!(matches!(check(format!("{}{}", by(1, 5), by(2, 6))), Err(PolicyError::LogSignature { .. })));
    assert!(matches!(check(format!("{by_log}{}{}", by(1, 0), by(2, 6))), Err(PolicyError::Signature { .. })));
    let signature = signers[1].sign(format!("cosignature/v1\ntime 5\n{text}").as_bytes()).unwrap();
    let moved = line(&witnesses[0], &[&6_u64.to_be_bytes()[..], &signature].concat());
    assert!(matches!(check(format!("{by_log}{moved}{}", by(2, 6))), Err(PolicyError::Signature { .. })));
    // A plain signature is no cosignature, nor the other way round.
    let plain = line(&witnesses[0], &signers[1].sign(text.as_bytes()).unwrap());
    assert!(check(format!("{by_log}{plain}{}", by(2, 6))).is_err());
    let as_log = cosigned(&text, 5, &log, &signers[0]);
    assert!(matches!(check(format!("{as_log}{}{}", by(1, 5), by(2, 6))), Err(PolicyError::Signature { .. })));

    // Signed by the right key, and another log's, or of no possible tree.
    let other = text.replace("log.example/a", "log.example/b");
    let lone = Policy::new(log.clone(), vec![], 0).unwrap();
    let note = format!("{other}\n{}", signed(&other, &log, &signers[0]));
    assert!(matches!(lone.verify_octets(note.as_bytes()), Err(PolicyError::Origin { .. })));
    let impossible = text.replace("\n9\n", "\n0\n");
    let note = format!("{impossible}\n{}", signed(&impossible, &log, &signers[0]));
    assert_eq!(lone.verify_octets(note.as_bytes()), Err(PolicyError::EmptyRoot));
    // With a line that no log of ours writes.
    let extended = format!("{text}of another kind\n");
    let note = format!("{extended}\n{}", signed(&extended, &log, &signers[0]));
    assert_eq!(lone.verify_octets(note.as_bytes()), Err(PolicyError::Extensions));
}

#[test]
fn a_policy_that_cannot_be_met_or_counts_one_key_twice_is_none() {
    let (log_signer, witness_signer) = (signer(), signer());
    let log = key("log.example/a", Algorithm::Ed25519, &log_signer);
    let witness = key("w.example", Algorithm::Cosignature, &witness_signer);
    let renamed = key("w2.example", Algorithm::Cosignature, &witness_signer);
    let itself = key("log.example/a", Algorithm::Cosignature, &log_signer);
    let new = |log: &VerifierKey, witnesses: &[&VerifierKey], threshold| {
        Policy::new(log.clone(), witnesses.iter().copied().cloned().collect(), threshold)
    };
    assert!(new(&log, &[&witness], 1).is_ok());
    assert!(matches!(new(&log, &[&witness], 2), Err(PolicyError::Threshold { .. })));
    assert!(matches!(new(&log, &[&witness, &renamed], 1), Err(PolicyError::Twice { .. })));
    assert!(matches!(new(&log, &[&itself], 1), Err(PolicyError::Twice { .. })));
    assert!(matches!(new(&witness, &[], 0), Err(PolicyError::Algorithm { .. })));
    assert!(matches!(new(&log, &[&log], 0), Err(PolicyError::Algorithm { .. })));
}

#[test]
fn a_cosignature_is_over_the_octets_of_the_specification() {
    let signer = signer();
    let witness = key("witness.example/w1", Algorithm::Cosignature, &signer);
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let line = cosigned(text, 1_679_315_147, &witness, &signer);
    let signature = NoteSignature::read(line.trim_end()).unwrap();
    assert_eq!(signature.octets().len(), 72);
    assert_eq!(cosignature::verify(text, &signature, &witness), Ok(1_679_315_147));
    for bit in 0..signature.octets().len() * 8 {
        let mut octets = signature.octets().to_vec();
        octets[bit / 8] ^= 1 << (bit % 8);
        let changed = self::line(&witness, &octets);
        let changed = NoteSignature::read(changed.trim_end()).unwrap();
        assert!(cosignature::verify(text, &changed, &witness).is_err(), "bit {bit}");
    }
}

// ---- tiles

#[test]
fn paths_are_those_of_the_specification() {
    let path = |kind, index, width| TilePath::new(kind, index, width).unwrap().to_string();
    assert_eq!(path(TileKind::Hashes(0), 1_234_067, FULL_WIDTH), "tile/0/x001/x234/067");
    assert_eq!(path(TileKind::Entries, 0, 1), "tile/entries/000.p/1");
    assert_eq!(path(TileKind::Hashes(63), 999, 255), "tile/63/999.p/255");
    assert_eq!(path(TileKind::Hashes(1), 1000, FULL_WIDTH), "tile/1/x001/000");
    for (kind, index, width) in [
        (TileKind::Hashes(64), 0, 1),
        (TileKind::Entries, 0, 0),
        (TileKind::Entries, 0, 257),
        (TileKind::Entries, 1 << 63, 1),
    ] {
        assert_eq!(TilePath::new(kind, index, width), None);
    }
    for wrong in [
        "tile/0/1",
        "tile/0/0001",
        "tile/0/x000/001",
        "tile/0/x001/234.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/00/000",
        "tile/64/000",
        "tile/data/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000.p/",
        "tile/0/../000",
        "tile/0/+01",
        "tile//000",
        "",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert!(wrong.parse::<TilePath>().is_err(), "{wrong:?}");
    }
}

/// "A tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, …"
#[test]
fn the_tiles_of_a_tree_are_those_of_the_specification() {
    let tiles = |size: u64, level| {
        let path = |at| TilePath::holding(TileKind::Hashes(level), at, size);
        let all: BTreeSet<_> = (0..size).map_while(path).collect();
        let full = all.iter().filter(|path| path.is_full()).count();
        let partial: Vec<_> = all.iter().filter(|path| !path.is_full()).map(TilePath::width).collect();
        (full, partial)
    };
    assert_eq!(tiles(70_000, 0), (273, vec![112]));
    assert_eq!(tiles(70_000, 1), (1, vec![17]));
    assert_eq!(tiles(70_000, 2), (0, vec![1]));
    assert_eq!(tiles(70_000, 3), (0, vec![]));
    assert_eq!((tiles(256, 0), tiles(256, 1)), ((1, vec![]), (0, vec![1])));
}

/// Tiles as a growing log writes them, by path.
#[derive(Default)]
struct Shelf(std::collections::HashMap<TilePath, Vec<u8>>);

impl Tiles for Shelf {
    fn read(&self, path: TilePath) -> Result<Vec<u8>, TileError> {
        let found = self.0.get(&path).or_else(|| self.0.get(&path.full()));
        found.cloned().ok_or(TileError::Path { found: path.to_string() })
    }
}

#[test]
fn a_growing_tree_writes_the_tiles_of_the_other_implementation() {
    struct Store(Vec<tlog_tiles::Hash>);
    impl tlog_tiles::HashReader for Store {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
        }
    }
    let (mut edge, mut shelf, mut store) = (Edge::default(), Shelf::default(), Store(Vec::new()));
    let mut leaves = Vec::new();
    assert_eq!(edge.root(), empty_root());
    for index in 0..66_000_u64 {
        let entry = index.to_be_bytes();
        shelf.0.extend(edge.push(&entry).unwrap());
        leaves.push(leaf_hash(&entry));
        let new = tlog_tiles::stored_hashes(index, &entry, &store).unwrap();
        store.0.extend(new);
        let size = index + 1;
        if ![1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 66_000].contains(&size) {
            continue;
        }
        shelf.0.extend(edge.partial().unwrap());
        assert_eq!((edge.size(), edge.root()), (size, root(size, leaves.as_slice()).unwrap()));
        let expected = tlog_tiles::Tile::new_tiles(8, 0, size);
        for tile in &expected {
            let path = tile.path().replace("tile/8/", "tile/").parse::<TilePath>().unwrap();
            assert_eq!(shelf.0[&path], tile.read_data(&store).unwrap(), "{path} of {size}");
        }
        // Roots and proofs from tiles alone.
        let tree = TileTree::new(&shelf, size);
        assert_eq!(root(size, &tree).unwrap(), edge.root(), "{size}");
        for index in [0, size / 2, size - 1] {
            let proof = fuze_log::merkle::inclusion_proof(index, size, &tree).unwrap();
            let theirs = tlog_tiles::prove_record(size, index, &store).unwrap();
            assert_eq!(proof, theirs.into_iter().map(|h| Hash(h.0)).collect::<Vec<_>>());
        }
        // Bundles hash to the level-0 tiles.
        let last = TilePath::holding(TileKind::Entries, size - 1, size).unwrap();
        let bundle = shelf.0[&last].clone();
        let entries = read_bundle(&bundle, last.width()).unwrap();
        let tile = TilePath::holding(TileKind::Hashes(0), size - 1, size).unwrap();
        let hashes = read_hashes(&shelf.0[&tile], tile.width()).unwrap();
        assert_eq!(entries.into_iter().map(leaf_hash).collect::<Vec<_>>(), hashes);
    }
}

#[test]
fn a_bundle_is_as_its_width_says() {
    let bundle = write_bundle(&[&b"ab"[..], b"", b"c"]).unwrap();
    assert_eq!(bundle, b"\0\x02ab\0\0\0\x01c");
    assert_eq!(read_bundle(&bundle, 3).unwrap(), [&b"ab"[..], b"", b"c"]);
    for (octets, width) in [(&bundle[..], 2), (&bundle, 4), (&bundle[..8], 3), (&bundle[..5], 3), (b"\0", 0)]
    {
        assert!(read_bundle(octets, width).is_err(), "{octets:?} {width}");
    }
    assert_eq!(write_bundle(&[vec![0; 65_536]]), Err(TileError::Entry { found: 65_536 }));
    let mut edge = Edge::default();
    assert!(edge.push(&vec![0; 65_536]).is_err());
    assert_eq!((edge.size(), edge.root()), (0, empty_root()), "nothing has changed");
    assert!(read_hashes(&[0; 33], 1).is_err() && read_hashes(&[0; 32], 2).is_err());
}

// ---- proofs

fn proof_text() -> String {
    let signer = signer();
    let log = key("log.example/a", Algorithm::Ed25519, &signer);
    let text = text("log.example/a", 2);
    format!(
        "c2sp.org/tlog-proof@v1\nindex 1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n{text}\n{}",
        signed(&text, &log, &signer)
    )
}

#[test]
fn a_proof_has_one_form() {
    let good = proof_text();
    let proof = TlogProof::read(good.as_bytes()).unwrap();
    assert_eq!((proof.index(), proof.hashes().len(), proof.extra()), (1, 1, None));
    assert_eq!(proof.to_string(), good);
    let extra = good.replace("@v1\n", "@v1\nextra YWdl\n");
    let with_extra = TlogProof::read(extra.as_bytes()).unwrap();
    assert_eq!(with_extra.extra(), Some(&b"age"[..]));
    assert_eq!(with_extra.to_string(), extra);
    let hash = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    assert!(TlogProof::read(good.replace(hash, &hash.repeat(63)).as_bytes()).is_ok());
    for wrong in [
        good.replace("@v1", "@v2"),
        good.replace("@v1", "@v1 "),
        good.replace("@v1\n", "@v1\nextra\n"),
        good.replace("@v1\n", "@v1\nextra YWd\n"),
        good.replace("@v1\n", "@v1\nextra YWdl\nextra YWdl\n"),
        good.replace("index 1", "index 01"),
        good.replace("index 1", "index  1"),
        good.replace("index 1\n", ""),
        good.replace("2I=\n\n", "2I=\n"),
        good.replace("2I=\n\n", "2I=\n\n\n"),
        good.replace("2I=", "2J="),
        good.replace(hash, &hash.repeat(64)),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        String::new(),
    ] {
        assert!(TlogProof::read(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
}

proptest! {
    /// No octets make a reader panic, and what it reads it writes again as it was.
    #[test]
    fn readers_take_anything(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(note) = Note::read(&octets) {
            prop_assert_eq!(note.to_string().into_bytes(), octets.clone());
        }
        if let Ok(proof) = TlogProof::read(&octets) {
            prop_assert_eq!(proof.to_string().into_bytes(), octets.clone());
        }
        if let Ok(request) = AddCheckpoint::read(&octets) {
            prop_assert_eq!(request.to_string().into_bytes(), octets.clone());
        }
        for width in [0, 1, 3] {
            if let Ok(entries) = read_bundle(&octets, width) {
                prop_assert_eq!(write_bundle(&entries).unwrap(), octets.clone());
            }
        }
        let text = String::from_utf8_lossy(&octets);
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text.clone());
        }
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text.clone());
        }
        if let Ok(checkpoint) = Checkpoint::read(&text) {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }

    /// The same near what is well formed: one octet changed, taken out or put in.
    #[test]
    fn readers_have_one_form_each(at in any::<prop::sample::Index>(), octet in any::<u8>(), how in 0..3) {
        let change = |octets: &str| {
            let mut octets = octets.as_bytes().to_vec();
            let at = at.index(octets.len());
            match how {
                0 => octets[at] = octet,
                1 => drop(octets.remove(at)),
                _ => octets.insert(at, octet),
            }
            octets
        };
        let proof = change(&proof_text());
        if let Ok(read) = TlogProof::read(&proof) {
            prop_assert_eq!(read.to_string().into_bytes(), proof.clone());
        }
        let note = change(SPEC_NOTE);
        if let Ok(read) = Note::read(&note) {
            prop_assert_eq!(read.to_string().into_bytes(), note.clone());
        }
        let request = change(&proof_text().replace("c2sp.org/tlog-proof@v1\nindex 1", "old 1"));
        if let Ok(read) = AddCheckpoint::read(&request) {
            prop_assert_eq!(read.to_string().into_bytes(), request.clone());
        }
        // A key that reads is another key, or the same text.
        if let Ok(read) = String::from_utf8_lossy(&change(SPEC_KEY)).parse::<VerifierKey>() {
            prop_assert_eq!(read.to_string(), SPEC_KEY);
        }
    }

    #[test]
    fn every_path_reads_back(index in 0..1_u64 << 62, level in 0..=63_u8, width in 1..=256_u16, entries: bool) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let path = TilePath::new(kind, index, width).unwrap();
        prop_assert_eq!(path.to_string().parse(), Ok(path));
        let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), entries);
        let theirs = theirs.path().replace("tile/8/data", "tile/entries").replace("tile/8/", "tile/");
        prop_assert_eq!(path.to_string(), theirs);
    }

    #[test]
    fn every_checkpoint_reads_back(size in 1..1_u64 << 63, octets: [u8; 32]) {
        let signer = signer();
        let public = PublicKey::from_bytes(signer.public_key()).unwrap();
        let key = VerifierKey::new(KeyName::new("a.example").unwrap(), Algorithm::Ed25519, public);
        let checkpoint = Checkpoint::new(&key, size, Hash(octets));
        prop_assert_eq!(Checkpoint::read(&checkpoint.to_string()), Ok(checkpoint));
    }
}

/// A fuzzer that has to find out what a note looks like finds little else.
#[test]
fn the_fuzzer_begins_with_one_of_each_format() {
    let seed = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds");
        std::fs::read(std::path::Path::new(path).join(name)).unwrap()
    };
    let text = |name: &str| String::from_utf8(seed(name)).unwrap();
    let note = fuze_log::Note::read(&seed("note/checkpoint")).unwrap();
    fuze_log::Checkpoint::read(note.text()).unwrap();
    for name in ["proof/proof", "proof/witnessed"] {
        fuze_log::TlogProof::read(&seed(name)).unwrap();
    }
    fuze_log::witness::AddCheckpoint::read(&seed("note/add-checkpoint")).unwrap();
    fuze_evidence::anchor::LogLeaf::read(&seed("proof/leaf")).unwrap();
    assert_eq!(fuze_evidence::anchor::AnchorLine::read_all(&seed("proof/lines")).unwrap().len(), 2);
    text("tile/path").parse::<fuze_log::tile::TilePath>().unwrap();
    text("note/verifier-key").parse::<fuze_log::VerifierKey>().unwrap();
    // The first octet is the width, less one.
    for (name, entries) in [("tile/entries", true), ("tile/hashes", false)] {
        let octets = seed(name);
        let (width, rest) = octets.split_first().unwrap();
        let width = u16::from(*width) + 1;
        match entries {
            true => drop(fuze_log::tile::read_bundle(rest, width).unwrap()),
            false => drop(fuze_log::tile::read_hashes(rest, width).unwrap()),
        }
    }
}
