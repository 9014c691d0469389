//! The machine: what it is, how its cores reach each other, how much memory the process has.

use core_affinity::CoreId;
use crossbeam_utils::CachePadded;
use std::fmt::Write;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::AcqRel, Ordering::Acquire};
use std::thread;
use std::time::{Duration, Instant};

/// Nanoseconds that one cache line takes from one core to another, at present.
///
/// Other processes would disturb a mean, so this is the least of many short measurements; and it goes on for a while if
/// the two threads were never both running.
#[must_use]
pub fn transfer() -> f64 {
    const PATIENCE: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    loop {
        let least = ping_pong();
        if least < DISTURBED || begin.elapsed() > PATIENCE {
            return least;
        }
    }
}

/// Nanoseconds above which a transfer was something else: two threads on one core.
pub const DISTURBED: f64 = 400.0;

fn ping_pong() -> f64 {
    const BATCHES: u32 = 40;
    const BATCH: u32 = 100;
    let turn = CachePadded::new(AtomicU32::new(0));
    // Each waits for its own parity, and then hands the turn on.
    let play = |parity: u32| {
        let mut least = Duration::MAX;
        for _ in 0..BATCHES {
            let begin = Instant::now();
            for _ in 0..BATCH {
                let mut spins = 0;
                while turn.load(Acquire) % 2 != parity {
                    spins += 1;
                    // Both may be on one core.
                    if spins % 256 == 0 { thread::yield_now() } else { spin_loop() }
                }
                turn.fetch_add(1, AcqRel);
            }
            least = least.min(begin.elapsed());
        }
        least
    };
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    // On the first core and on the last one, if there is a choice.
    let play = |parity: u32, core: Option<&CoreId>| {
        core.map(|core| core_affinity::set_for_current(*core));
        play(parity)
    };
    let least = thread::scope(|scope| {
        let threads = [scope.spawn(|| play(0, cores.first())), scope.spawn(|| play(1, cores.last()))];
        threads.into_iter().map(|thread| thread.join().expect("the thread ends")).min().expect("there are two")
    });
    least.as_secs_f64() * 1e9 / f64::from(2 * BATCH)
}

/// Nanoseconds of a compare-exchange that nobody else contends for, where each has to wait for the last one's result: the
/// least of many short measurements.
#[must_use]
pub fn locked() -> f64 {
    const BATCH: u32 = 1000;
    least_of(BATCH, || exchanges(BATCH))
}

/// Nanoseconds of one of `batch` steps, which `all` takes the time of: the least of many measurements.
fn least_of(batch: u32, all: impl Fn() -> Duration) -> f64 {
    let least = (0..200).map(|_| all()).min().expect("there are some");
    least.as_secs_f64() * 1e9 / f64::from(batch)
}

/// How long so many compare-exchanges take, one after the other.
fn exchanges(count: u32) -> Duration {
    let word = CachePadded::new(AtomicU32::new(0));
    let begin = Instant::now();
    let mut last = word.load(Acquire);
    for _ in 0..count {
        last = match word.compare_exchange(last, last.wrapping_add(1), AcqRel, Acquire) {
            Ok(before) => black_box(before).wrapping_add(1),
            Err(now) => now,
        };
    }
    begin.elapsed()
}

/// How many times as long two threads take that share nothing, and so would not wait for each other, as one takes by itself. It is
/// 1 where each has a core of its own, and more where the host has less than two cores for them.
#[must_use]
pub fn apart() -> f64 {
    const COUNT: u32 = 2_000_000;
    let alone = exchanges(COUNT);
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let begin = Instant::now();
    thread::scope(|scope| {
        for core in [cores.first(), cores.last()] {
            scope.spawn(move || {
                core.map(|core| core_affinity::set_for_current(*core));
                exchanges(COUNT)
            });
        }
    });
    begin.elapsed().as_secs_f64() / alone.as_secs_f64()
}

/// Nanoseconds of one step of waiting, the processor's hint for spinning: the least of many short measurements.
#[must_use]
pub fn step() -> f64 {
    const BATCH: u32 = 100;
    least_of(BATCH, || {
        let begin = Instant::now();
        (0..BATCH).for_each(|_| spin_loop());
        begin.elapsed()
    })
}

/// Steps of a generator, each a multiplication that waits for the last one.
#[inline]
pub fn work(state: &mut u64, steps: u32) {
    for _ in 0..steps {
        *state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

/// So many steps of that in the mean, of half to one and a half times as many: with equal ones two threads fall into step with
/// each other, and then always or never meet.
#[inline]
pub fn uneven_work(state: &mut u64, steps: u32) {
    let random = ((*state >> 32) * u64::from(steps | 1)) >> 32;
    work(state, steps.div_ceil(2) + random as u32);
}

/// How many steps of `work` take so long.
#[must_use]
pub fn steps_in(time: Duration) -> u32 {
    const STEPS: u32 = 100_000;
    let one = || {
        let begin = Instant::now();
        let mut state = 1;
        work(&mut state, STEPS);
        begin.elapsed()
    };
    let least = (0..20).map(|_| one()).min().expect("there are some");
    let steps = f64::from(STEPS) * time.as_secs_f64() / least.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen")]
    let steps = steps.round() as u32;
    steps
}

/// Memory of the process that is resident, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Resident(u64);

impl Resident {
    #[must_use]
    pub fn now() -> Self {
        // Counted page by page; `status` may be off by what each processor has not added up yet.
        let pages = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let line = pages.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Self(kibibytes.unwrap_or(0) * 1024)
    }

    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
    #[must_use]
    pub fn since(self, before: Self) -> f64 {
        self.0 as f64 - before.0 as f64
    }
}

/// What the results were measured on, and what with: lines of `name: value`.
#[must_use]
pub fn description() -> String {
    let mut text = String::new();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name}: {}", value.trim());
    };
    line("cpu", model.trim_start_matches([' ', '\t', ':']));
    line("cores", &cores.to_string());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    line("Linux", kernel.split('-').next().unwrap_or_default());
    line("compiler", env!("PEERS_RUSTC"));
    line("crates", env!("PEERS_CRATES"));
    line("packages", &packages());
    text
}

/// The versions of the peers that are Debian's packages.
fn packages() -> String {
    let names = ["libboost-dev", "libcds-dev", "libck-dev", "liburcu-dev"];
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Version}, "]).args(names).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim_end_matches(", ").to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_takes_time() {
        for figure in [locked(), step(), transfer(), apart()] {
            assert!(figure.is_finite() && figure > 0.0, "{figure}");
        }
    }
}
