//! TODO
use crate::common::*;
use crate::measure::Clock;
use crate::measure::Figures;
use fuze_evidence::verify::*;
use fuze_evidence::vocab::*;
use fuze_evidence::*;

pub(crate) fn measure(figures: &mut Figures) {
    let (mut sample, mut recorder) = Sample::begin_as(Host::new(), |_| {}, |_| {});
    for step in 1..2000 {
        let record = recorder
            .append(step, 0, times(step), &evaluate(PolicyDecision::Allow, sha256(&step.to_be_bytes())), None)
            .unwrap();
        sample.add(&record, None);
    }
    let closed = recorder.close(2000, 0, times(3000), RunStatus::Completed, &sample.host.signer).unwrap();
    sample.add(closed.record(), None);
    let keys = TrustedKeys::new().run_key(sample.host.public_key());
    let records = sample.files.records.clone();
    let [a, b, c, d, e] = figures.compare(
        Clock::Cpu,
        [
            (
                "verify",
                Box::new(|| {
                    drop(
                        verify_files(
                            RunFiles { records: Box::new(records.as_slice()), roots: None, content: None },
                            &keys,
                        )
                        .unwrap(),
                    )
                }),
            ),
            (
                "validate",
                Box::new(|| {
                    for l in records.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                        jcs::validate(l).unwrap()
                    }
                }),
            ),
            (
                "parse",
                Box::new(|| {
                    for l in records.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                        std::hint::black_box(jcs::parse(l).unwrap());
                    }
                }),
            ),
            (
                "entry",
                Box::new(|| {
                    for l in records.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                        std::hint::black_box(fuze_evidence::record::Entry::read(l).unwrap());
                    }
                }),
            ),
            (
                "serde",
                Box::new(|| {
                    for l in records.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                        std::hint::black_box(
                            serde_jcs::to_vec(&serde_json::from_slice::<serde_json::Value>(l).unwrap())
                                .unwrap(),
                        );
                    }
                }),
            ),
        ],
    );
    println!("{} octets, per record", records.len());
    for x in [a, b, c, d, e] {
        println!("{} us", x * 1e6 / 2001.0);
    }
}
