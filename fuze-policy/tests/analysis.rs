//! Proofs about policies: what holds, what does not, and that no answer is guessed.
#![cfg(feature = "cerbos")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};

use fuze_policy::agent_tool::Cerbos;
use fuze_policy::analysis::{Property, diff, prove};

const GUIDE: [&str; 5] = ["payment", "personal", "public", "special", "tenants"];

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide").join(name)
}

#[test]
fn the_guide_holds() {
    for name in GUIDE {
        let engine = Cerbos::load(&directory(name)).unwrap();
        for property in
            [Property::never_auto("special_category"), Property::NothingCrossesTenants, Property::NoRuleIsDead]
        {
            let proof = prove(&engine, &property);
            println!("{name}: {proof}");
            assert!(proof.is_proven(), "{name}: {proof}");
        }
        let same = diff(&engine, &engine);
        println!("{name}: {same}");
        assert!(same.is_proven(), "{name}: {same}");
    }
}
