//! Workers that share a stack of jobs, and jobs that make more jobs.
//!
//! `outstanding` is the number of jobs that are on the stack or in a worker's hands. A worker that finds the stack
//! empty has learned nothing about the end: another may be about to push. The end is `outstanding == 0`, and that
//! is exact:
//!
//! 1. A job is counted before it is pushed, by a worker that has its parent in hand.
//! 2. A job is counted off after its last child was counted, by the worker that did it.
//! 3. So while there is a job left the count is above zero; and at zero nobody is left who could raise it.

use crate::stacks::{WorkStack, Worker};
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Does `first`, and every job that a job pushes, on up to `threads` threads, the caller's among them. Returns the
/// tally of each worker that could be started.
pub fn run<J, S, T, F>(stack: &S, threads: usize, first: J, job: F) -> Vec<T>
where
    J: Send,
    S: WorkStack<J>,
    T: Default + Send,
    F: Fn(J, &mut T, &mut dyn FnMut(J)) + Sync,
{
    let outstanding = AtomicUsize::new(1);
    stack.worker().push(first);
    let work = || work(stack, &outstanding, &job);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map_while(|number| thread::Builder::new().name(format!("worker {number}")).spawn_scoped(scope, work).ok())
            .collect();
        let own = work();
        let others = others.into_iter().map(|worker| worker.join().expect("a worker panicked"));
        others.chain([own]).collect()
    })
}

/// One worker's part, until all is done.
fn work<J, T: Default>(
    stack: &impl WorkStack<J>,
    outstanding: &AtomicUsize,
    job: impl Fn(J, &mut T, &mut dyn FnMut(J)),
) -> T {
    let mut tally = T::default();
    let mut worker = stack.worker();
    let mut idle = Idle::default();
    loop {
        if let Some(next) = worker.pop() {
            idle = Idle::default();
            let _done = Done(outstanding);
            job(next, &mut tally, &mut |child| {
                // Relaxed: counting a job off happens after it was popped, which happens after this.
                outstanding.fetch_add(1, Ordering::Relaxed);
                worker.push(child);
            });
        // Acquire: pairs with `Done`; all that was done before the end is visible to whoever sees the end.
        } else if outstanding.load(Ordering::Acquire) == 0 {
            return tally;
        } else {
            idle.wait();
        }
    }
}

/// Counts a job off when dropped, so that a panic does not leave the other workers waiting for ever.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        // Release: see the load in `work`.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// How often in a row a worker found nothing to do.
#[derive(Default)]
struct Idle(u32);

impl Idle {
    const SPINS: u32 = 64;
    const YIELDS: u32 = 16;
    const SLEEP: Duration = Duration::from_micros(100);

    /// Waits: first as short as can be, later without using the processor.
    fn wait(&mut self) {
        if self.0 < Self::SPINS {
            hint::spin_loop();
        } else if self.0 < Self::SPINS + Self::YIELDS {
            thread::yield_now();
        } else {
            thread::sleep(Self::SLEEP);
        }
        self.0 = self.0.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elimination_stack::Stack;
    use std::panic;
    use std::sync::Mutex;
    use std::time::Instant;

    enum Job {
        /// So many more in a row, one at a time: meanwhile the stack looks empty to the other worker.
        Chain(u32),
        /// Done only once two workers are here at once.
        Meet,
    }

    fn workers_stay_while_the_stack_looks_empty(stack: &impl WorkStack<Job>) {
        let here = AtomicUsize::new(0);
        let tallies: Vec<usize> = run(stack, 2, Job::Chain(50), |job, met, push| match job {
            Job::Chain(0) => (0..2).for_each(|_| push(Job::Meet)),
            Job::Chain(more) => {
                thread::sleep(Duration::from_millis(1));
                push(Job::Chain(more - 1));
            }
            Job::Meet => {
                here.fetch_add(1, Ordering::SeqCst);
                let late = Instant::now() + Duration::from_secs(20);
                while here.load(Ordering::SeqCst) < 2 {
                    assert!(Instant::now() < late, "the other worker has gone");
                    thread::yield_now();
                }
                *met += 1;
            }
        });
        assert_eq!(tallies, [1, 1]);
    }

    #[test]
    fn workers_stay_for_the_end() {
        workers_stay_while_the_stack_looks_empty(&Stack::<Job>::new());
        workers_stay_while_the_stack_looks_empty(&Mutex::new(Vec::new()));
    }

    #[test]
    fn every_job_is_done_once() {
        for threads in [1, 2, 8] {
            let stack = Stack::<u32>::new();
            let tallies: Vec<usize> = run(&stack, threads, 0, |depth, done, push| {
                *done += 1;
                (depth < 12).then(|| (0..2).for_each(|_| push(depth + 1)));
            });
            assert_eq!((tallies.len(), tallies.iter().sum()), (threads, (1 << 13) - 1));
            assert!(stack.is_empty());
        }
    }

    #[test]
    fn a_panic_ends_the_walk_instead_of_stopping_it() {
        let jobs = |depth: u32, (): &mut (), push: &mut dyn FnMut(u32)| {
            assert!(depth < 8, "meant to panic");
            push(depth + 1);
        };
        let walk = || run::<_, _, (), _>(&Stack::<u32>::new(), 4, 0, jobs);
        assert!(panic::catch_unwind(walk).is_err());
    }
}
