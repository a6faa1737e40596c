//! Durable appends: how long one takes beside the device's own `fdatasync`, and how many a second many runs get together.
//!
//! `cargo bench -p fuze-store` prints the figures; with `-- --check` it fails where one is missed. Everything happens in one process in one
//! directory (`FUZE_BENCH_DIR`, else the system's for temporary files), and store and device take turns, so that a busy machine slows both.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement that cannot run has nothing to say"
)]

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fuze_agent::store::{Batch, Fence, RunStore as _};
use fuze_store::{Options, SqliteStore};
use fuze_store_suite::Sample;

const ROUNDS: usize = 20;
const SINGLE: usize = 200;
/// Appends until the store's log has the size that it keeps (16 MiB, some 32 KiB each).
const GROWING: usize = 600;
/// What the device is given at once: about as much as one append writes.
const BLOCK_BYTES: usize = 32 * 1024;
const RUNS: usize = 256;
const RECORDS: usize = 80;
const MOST_OF_DEVICE: f64 = 2.0;
const LEAST_A_SECOND: f64 = 5_000.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let base = std::env::var_os("FUZE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let place = tempfile::tempdir_in(base).expect("a directory");
    if !has("--bench") {
        // `cargo test --benches`: that it runs, not how fast.
        runtime.block_on(async {
            let store = open(&place.path().join("store"));
            let (fence, batches) = begin(&store, 3).await;
            for batch in batches {
                append(&store, fence, batch).await;
            }
            together(&store, 3, 2).await;
        });
        return;
    }
    let store = open(&place.path().join("store"));
    if has("--together") {
        runtime.block_on(together(&store, RUNS, RECORDS)).print();
        return;
    }
    // A file that grows costs more to sync, and a store's log grows once: its first appends are told apart.
    let (fence, batches) = runtime.block_on(begin(&store, GROWING));
    let mut growing = Vec::new();
    for batch in batches {
        growing.push(runtime.block_on(append(&store, fence, batch)));
    }
    let mut device_file = device(place.path());
    let (mut device_times, mut store_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        device_file.seek(SeekFrom::Start(0)).expect("at its beginning");
        let (fence, batches) = runtime.block_on(begin(&store, SINGLE));
        for batch in batches {
            device_times.push(sync(&mut device_file));
            store_times.push(runtime.block_on(append(&store, fence, batch)));
        }
    }
    let together = runtime.block_on(together(&store, RUNS, RECORDS));
    println!("{} appends of one record and its content, one after the other, in µs", store_times.len());
    println!("{:<44} {:>8} {:>8} {:>8}", "", "p50", "p99", "most");
    let device = print("fdatasync of the device, 32 KiB", device_times);
    let store = print("durable append", store_times);
    print("the store's first 600, whose log grows", growing);
    together.print();
    println!();
    let held = [
        figure(
            "p99 of an append, of the device's",
            store / device,
            |found| found <= MOST_OF_DEVICE,
            "at most 2",
        ),
        figure(
            "records/s of 256 runs together",
            together.rate,
            |found| found >= LEAST_A_SECOND,
            "at least 5000",
        ),
    ];
    if has("--check") && held.contains(&false) {
        std::process::exit(1);
    }
}

fn open(directory: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(directory, &Options::default()).expect("a store"))
}

/// A file that is there already and written over from its beginning again, as the store's log is: a file that grows would make the device
/// pay for the file system's own journal, and flatter the store.
fn device(directory: &Path) -> File {
    let path = directory.join("device");
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).expect("a file");
    file.write_all(&vec![0xa5; BLOCK_BYTES * SINGLE]).expect("written");
    file.sync_all().expect("synced");
    file
}

fn sync(file: &mut File) -> Duration {
    let block = [0x5a; BLOCK_BYTES];
    let begun = Instant::now();
    file.write_all(&block).expect("written");
    file.sync_data().expect("synced");
    begun.elapsed()
}

async fn begin(store: &SqliteStore, records: usize) -> (Fence, Vec<Batch>) {
    let (mut sample, batch) = Sample::begin().expect("a sample");
    let fence = store.create(sample.run, batch).await.expect("created");
    (fence, (0..records).map(|_| sample.go_on().expect("a batch")).collect())
}

/// How long one append took.
async fn append(store: &SqliteStore, fence: Fence, batch: Batch) -> Duration {
    let begun = Instant::now();
    store.commit(fence, batch).await.expect("committed");
    begun.elapsed()
}

/// What many runs get together.
struct Together {
    /// Records a second.
    rate: f64,
    /// CPU time of the process for each record, in µs.
    cpu: f64,
}

impl Together {
    fn print(&self) {
        let Self { rate, cpu } = self;
        println!("{RUNS} runs together: {rate:.0} records/s, {cpu:.0} µs of CPU time each");
    }
}

/// Many runs, each waiting for one append before the next.
async fn together(store: &Arc<SqliteStore>, runs: usize, records: usize) -> Together {
    let mut all = Vec::with_capacity(runs);
    for _ in 0..runs {
        all.push(begin(store, records).await);
    }
    let (begun, cpu) = (Instant::now(), cpu_time());
    let tasks: Vec<_> = all
        .into_iter()
        .map(|(fence, batches)| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for batch in batches {
                    store.commit(fence, batch).await.expect("committed");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that ends");
    }
    let appended = f64::from(u32::try_from(runs * records).expect("few"));
    let rate = appended / begun.elapsed().as_secs_f64();
    Together { rate, cpu: (cpu_time() - cpu).as_secs_f64() * 1e6 / appended }
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(now).expect("a time since the process began")
}

/// Prints a line and gives the 99th percentile.
fn print(what: &str, mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let micros = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!("{what:<44} {:>8.0} {:>8.0} {:>8.0}", micros(50), micros(99), micros(100));
    micros(99)
}

fn figure(what: &str, found: f64, holds: impl Fn(f64) -> bool, wanted: &str) -> bool {
    let held = holds(found);
    println!("{what:<44} {found:>8.2}  {wanted:<14} {}", if held { "held" } else { "MISSED" });
    held
}
