//! Every stack under a random load, for as long as one likes: what it holds stays flat.
//!
//! Twelve threads, more than there are slots, work in phases; in each of them every thread has another part: it pushes
//! more than it pops or the other way round, with a handle or without. After each phase all stand still, and the nodes
//! are counted. By itself the test takes a few seconds; `ci/soak MINUTES` runs it for longer, and shows the table.

#[macro_use]
mod common;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/worker.rs"]
mod worker;

use common::*;
use ledger::*;
use std::any::type_name;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Barrier, Once};
use std::thread;
use std::time::Duration;
use worker::*;

for_each_stack! { soak }

const THREADS: usize = 12;
const PHASES: usize = 40;
/// Values that each thread may have put in and not taken out again.
const BACKLOG: isize = 200;
/// By so much the resident size may grow: the system's allocator keeps some of what it was given back.
const SLACK_MIB: f64 = 2.0;

/// What there is while all threads stand still.
#[derive(Clone, Copy, Debug)]
struct Sample {
    values: usize,
    nodes: usize,
    /// Nodes that are retired; the idle ones that are not are spare.
    retired: usize,
    slots: usize,
    resident_mib: f64,
}

impl Sample {
    fn idle(&self) -> usize {
        self.nodes - self.values
    }

    fn spare(&self) -> usize {
        // A slot of `Haphazard` counts what it retired until it reclaims itself, though another may have done it before.
        self.idle().saturating_sub(self.retired)
    }
}

/// The highest of some numbers.
fn most<N: Copy + PartialOrd>(samples: &[Sample], number: impl Fn(&Sample) -> N) -> N {
    samples.iter().map(number).reduce(|most, number| if number > most { number } else { most }).unwrap()
}

/// The resident size of this process; nothing where the system does not say.
fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Twelve threads and their stack.
struct Soak<R: Engine, B: Backoff> {
    stack: Stack<Block, R, B>,
    ledger: Ledger,
    accounts: [Account; THREADS],
    /// All start a phase, all have ended it.
    start: Barrier,
    end: Barrier,
    /// Ends a phase.
    stop: AtomicBool,
}

impl<R: Engine, B: Backoff> Soak<R, B> {
    fn new() -> Self {
        Self {
            stack: Stack::custom(),
            ledger: ledger(),
            accounts: Default::default(),
            start: Barrier::new(THREADS + 1),
            end: Barrier::new(THREADS + 1),
            stop: AtomicBool::new(false),
        }
    }

    /// What one thread does.
    fn work(&self, thread: usize) {
        for phase in 0..PHASES {
            let mut random = Random::new(phase * THREADS + thread);
            let percent = [30, 50, 70][random.below(3)];
            let with_handle = random.below(2) == 0;
            self.start.wait();
            self.ledger.during(|| {
                let through = Through::new(&self.stack, with_handle);
                let mut worker = Worker { stack: &self.stack, account: &self.accounts[thread], through, random };
                while !self.stop.load(Relaxed) {
                    worker.step(percent, BACKLOG);
                }
                // What the calls for interrupt handlers have left, ordinary ones give back.
                worker.push_and_pop();
            });
            self.end.wait();
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            values: Account::total(&self.accounts).live,
            nodes: self.ledger.nodes(),
            #[cfg(feature = "stats")]
            retired: self.stack.stats().retired,
            #[cfg(not(feature = "stats"))]
            retired: 0,
            slots: self.ledger.slots(),
            resident_mib: resident_mib(),
        }
    }

    /// A sample after each phase.
    fn run(&self, phase: Duration) -> Vec<Sample> {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || self.work(thread));
            }
            let phase = |_| {
                self.stop.store(false, Relaxed);
                self.start.wait();
                thread::sleep(phase);
                self.stop.store(true, Relaxed);
                self.end.wait();
                self.sample()
            };
            (0..PHASES).map(phase).collect()
        })
    }

    fn calls(&self) -> usize {
        self.accounts.iter().map(|account| account.calls.load(Relaxed)).sum()
    }
}

fn soak<R: Engine, B: Backoff>() {
    // The resident size is the whole process's.
    let _one = one_at_a_time();
    let time = soak_time().unwrap_or(Duration::from_millis(scaled(500) as u64));
    let soak = Soak::<R, B>::new();
    let samples = soak.run(time / u32::try_from(PHASES).unwrap());
    // The first quarter fills the slots, and the system's allocator.
    let (earlier, later) = samples[PHASES / 4..].split_at(PHASES * 3 / 8);
    print_row::<R, B>(soak.calls(), earlier, later);
    for sample in &samples {
        let bound = sample.values + held_back::<R, B>(sample.slots);
        assert!(sample.nodes <= bound, "bound {bound}, {sample:?}");
        assert!(sample.slots <= 2 * THREADS, "more further slots than contexts need: {sample:?}");
    }
    // In a few seconds, and among other tests, it says nothing.
    if soak_time().is_some() {
        let [earlier, later] = [earlier, later].map(|samples| most(samples, |sample| sample.resident_mib));
        assert!(later <= earlier + SLACK_MIB, "{later} MiB are resident, {earlier} MiB before");
    }
    soak.ledger.during(|| soak.stack.take_all().for_each(drop));
    soak.ledger.nothing_after(soak.stack);
}

/// One row of the table: the highest numbers of the earlier samples and of the later ones.
fn print_row<R: Engine, B: Backoff>(calls: usize, earlier: &[Sample], later: &[Sample]) {
    static HEADER: Once = Once::new();
    HEADER.call_once(|| {
        let pairs = ["idle nodes", "retired", "spare", "further slots", "resident MiB"];
        let columns = pairs.map(|name| format!("{name}: earlier | later"));
        println!("| stack | calls | values | {} |", columns.join(" | "));
        println!("|---|{}", "--:|".repeat(2 + 2 * pairs.len()));
    });
    let both = |number: fn(&Sample) -> usize| format!("{} | {}", most(earlier, number), most(later, number));
    println!(
        "| `{}` | {calls} | {} | {} | {} | {} | {} | {:.1} | {:.1} |",
        name::<R, B>(),
        most(later, |sample| sample.values),
        both(Sample::idle),
        both(|sample| sample.retired),
        both(Sample::spare),
        both(|sample| sample.slots),
        most(earlier, |sample| sample.resident_mib),
        most(later, |sample| sample.resident_mib),
    );
}

/// The engine and the back-off, without the paths of their modules.
fn name<R: Engine, B: Backoff>() -> String {
    let names = format!("{}, {}", type_name::<R>(), type_name::<B>());
    let words = names.split_inclusive([' ', ',', '<', '>']);
    words.map(|word| word.rsplit("::").next().unwrap()).collect()
}
