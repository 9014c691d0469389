//! What the back-offs cost and gain, to choose their constants by: `cargo bench --bench backoff`.
//!
//! Each line of the table is one workload: threads that each push and pop in turn, through the stack or through a
//! handle, with some work of their own in between. All contenders take turns within a round, since the machine
//! may change from one minute to the next; a figure is the median of all rounds, in nanoseconds a pair, and in
//! brackets the ratio to the plain list. Numbers of different lines may be compared only with care.

use elimination_stack::{Backoff, Elimination, Exponential, NoBackoff, Slots, Stack};
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const SAMPLE: Duration = Duration::from_millis(60);

#[derive(Clone, Copy)]
struct Workload {
    threads: usize,
    handle: bool,
    /// Steps of a generator between two operations; about a nanosecond each.
    own_work: u32,
}

fn work(state: &mut u64, steps: u32) {
    for _ in 0..steps {
        *state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

/// Nanoseconds for each pair of a push and a pop, over all threads.
fn measure<B: Backoff>(workload: Workload) -> f64 {
    let stack: Stack<usize, Slots<8>, B> = Stack::custom();
    let start = Barrier::new(workload.threads);
    let pairs: Vec<(u64, Duration)> = thread::scope(|scope| {
        let spawn = |_| {
            scope.spawn(|| {
                let mut handle = workload.handle.then(|| stack.handle());
                let (mut pairs, mut state) = (0, 1);
                start.wait();
                let begin = Instant::now();
                while begin.elapsed() < SAMPLE {
                    for value in 0..1000 {
                        if let Some(handle) = &mut handle {
                            handle.push(value);
                            work(&mut state, workload.own_work);
                            black_box(handle.pop());
                        } else {
                            stack.push(value);
                            work(&mut state, workload.own_work);
                            black_box(stack.pop());
                        }
                        work(&mut state, workload.own_work);
                    }
                    pairs += 1000;
                }
                (pairs, begin.elapsed())
            })
        };
        let threads: Vec<_> = (0..workload.threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let total: u64 = pairs.iter().map(|(pairs, _)| pairs).sum();
    let time = pairs.iter().map(|(_, time)| *time).max().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2 to the 52nd")]
    let total = total as f64;
    time.as_secs_f64() * 1e9 / total
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn main() {
    type Contender = (&'static str, fn(Workload) -> f64);
    let contenders: [Contender; 3] = [
        ("NoBackoff", measure::<NoBackoff>),
        ("Exponential", measure::<Exponential>),
        ("Elimination<32>", measure::<Elimination<32>>),
    ];
    let names: Vec<_> = contenders.iter().map(|(name, _)| format!("{name:>20}")).collect();
    println!("threads  through  own work {}", names.concat());
    for threads in [1, 2, 8, 32] {
        for handle in [false, true] {
            for own_work in [0, 100, 500] {
                let workload = Workload { threads, handle, own_work };
                let mut samples = [const { Vec::new() }; 3];
                for _ in 0..ROUNDS {
                    for ((_, measure), samples) in contenders.iter().zip(&mut samples) {
                        samples.push(measure(workload));
                    }
                }
                let medians = samples.map(median);
                let figures: Vec<_> =
                    medians.iter().map(|figure| format!("{figure:>13.1} ({:.2})", figure / medians[0])).collect();
                let through = if handle { "handle" } else { "stack" };
                println!("{threads:>7}  {through:>7}  {own_work:>8} {}", figures.concat());
            }
        }
    }
}
