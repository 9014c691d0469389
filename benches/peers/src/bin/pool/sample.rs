//! One sample of one pool, in a process of its own.

use crate::contenders::{Example, MADE, ParkingLot, Pool, RegexAutomata, Sharded, Std};
use crate::machine::{transfer, uneven_work};
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// The example first.
pub const NAMES: [&str; 5] =
    ["Pool", "std Mutex<Vec>", "parking_lot Mutex<Vec>", "8 shards of std Mutex<Vec>", "regex-automata"];

/// Uses between two looks at the clock.
const USES: u32 = 128;

/// Prints a sample: each line a figure's name, its value, and what a cache line's transfer took before and after.
pub fn take(contender: &str, threads: &str, microseconds: &str, steps: &str) -> Result<(), String> {
    let number = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
    let (threads, time, steps) =
        (number(threads)?, Duration::from_micros(number(microseconds)?.into()), number(steps)?);
    let measure = pick(
        contender,
        [measure::<Example>, measure::<Std>, measure::<ParkingLot>, measure::<Sharded>, measure::<RegexAutomata>],
    )?;
    let transfer = || if threads > 1 { transfer() } else { 0.0 };
    let before = transfer();
    let nanoseconds = measure(threads, time, steps);
    let after = transfer();
    println!("ns,{nanoseconds},{before:.1},{after:.1}");
    println!("made,{},0,0", MADE.load(Relaxed));
    Ok(())
}

/// Whether each object has one user at a time, and whether uses are lost.
pub fn check(contender: &str) -> Result<(), String> {
    let check = pick(
        contender,
        [
            check_one::<Example>,
            check_one::<Std>,
            check_one::<ParkingLot>,
            check_one::<Sharded>,
            check_one::<RegexAutomata>,
        ],
    )?;
    if check() { Ok(()) } else { Err("two users had one object".to_owned()) }
}

fn pick<F: Copy>(contender: &str, functions: [F; NAMES.len()]) -> Result<F, String> {
    let index = NAMES.iter().position(|name| *name == contender).ok_or("no such pool")?;
    Ok(functions[index])
}

/// Nanoseconds of a use.
#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
fn measure<P: Pool>(threads: u32, time: Duration, steps: u32) -> f64 {
    let pool = P::new();
    let start = Barrier::new(threads as usize);
    let done: Vec<(Instant, Instant, u64)> = thread::scope(|scope| {
        let spawn = |seed| {
            let (pool, start) = (&pool, &start);
            scope.spawn(move || {
                let mut state = u64::from(seed);
                use_objects(pool, time / 4, steps, &mut state);
                start.wait();
                let begin = Instant::now();
                let uses = use_objects(pool, time, steps, &mut state);
                black_box(state);
                (begin, Instant::now(), uses)
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread ends")).collect()
    });
    let first = done.iter().map(|done| done.0).min().expect("there is a thread");
    let last = done.iter().map(|done| done.1).max().expect("there is a thread");
    (last - first).as_secs_f64() * 1e9 / done.iter().map(|done| done.2).sum::<u64>() as f64
}

/// How many uses there were in that time.
fn use_objects<P: Pool>(pool: &P, time: Duration, steps: u32, state: &mut u64) -> u64 {
    let (begin, mut uses) = (Instant::now(), 0);
    while begin.elapsed() < time {
        for _ in 0..USES {
            pool.with(|scratch| {
                scratch.words[0] += 1;
                uneven_work(state, steps);
            });
            uneven_work(state, steps);
        }
        uses += u64::from(USES);
    }
    uses
}

fn check_one<P: Pool>() -> bool {
    let (pool, shared) = (P::new(), AtomicUsize::new(0));
    let use_all = || {
        for turn in 0..50_000 {
            pool.with(|scratch| {
                // In memory, for what two threads do would not be seen if it was in registers.
                let is_used = &raw mut scratch.is_used;
                // SAFETY: it is this thread's; or else the pool is wrong, and this finds it out.
                unsafe {
                    shared.fetch_add(is_used.read_volatile().into(), Relaxed);
                    is_used.write_volatile(true);
                    if turn % 1000 == 0 {
                        thread::yield_now();
                    }
                    is_used.write_volatile(false);
                }
            });
        }
    };
    thread::scope(|scope| [(); 4].map(|()| drop(scope.spawn(use_all))));
    shared.into_inner() == 0
}
