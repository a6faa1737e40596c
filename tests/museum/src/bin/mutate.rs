//! `mutate [count] [seed]`: that many mutated tokens and decisions, none of which may be accepted; a million by default.

use std::process::ExitCode;
use std::thread;

use fuze_agent_museum::mutations::{Tally, run};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (Ok(count), Ok(seed)) = (number(1_000_000), number(1)) else {
        eprintln!("expected `mutate [count] [seed]`, both numbers");
        return ExitCode::from(2);
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = move |nth: u64| count / threads + u64::from(nth < count % threads);
    let workers: Vec<_> =
        (0..threads).map(|nth| thread::spawn(move || work(seed + nth, share(nth)))).collect();
    let mut tally = Tally::default();
    for worker in workers {
        match worker.join() {
            Ok(Ok(done)) => tally = tally.with(&done),
            Ok(Err(accepted)) => {
                eprintln!("ACCEPTED: {accepted}");
                return ExitCode::FAILURE;
            }
            Err(_) => return ExitCode::FAILURE,
        }
    }
    for (kind, count) in &tally.refused {
        println!("{count:>9}  {kind}");
    }
    println!("{:>9}  mutants, none accepted; {} controls, all accepted", tally.mutants(), tally.controls);
    ExitCode::SUCCESS
}

fn work(seed: u64, count: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(run(seed, count))
}
