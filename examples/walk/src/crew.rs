//! Workers that share a stack of jobs, and jobs that make more jobs. A worker without a job sleeps.
//!
//! A worker that finds the stack empty has learned nothing about the end: another may be about to push. The end is
//! when all are idle at once. Every job is done by then:
//!
//! 1. A worker is idle, or leaves, only after it has found nothing itself.
//! 2. So what it has pushed before has been popped, by itself or by another one that does it before it is idle.
//!
//! No wake-up is lost: an idle worker first counts itself, then looks at the stack once more, and only then sleeps;
//! who pushes does that first, then looks whether somebody is idle. With a full fence between the two steps on either
//! side, at least one of them sees the other. A crew whose workers are busy so pays for a fence and a load at each push.

use crate::stacks::{WorkStack, Worker};
use event_listener::{Event, Listener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::thread;

/// Does `first`, and every job that a job pushes, on up to `threads` threads, the caller's among them. Returns the
/// tally of each worker that could be started.
pub fn run<J, S, T, F>(stack: &S, threads: usize, first: J, job: F) -> Vec<T>
where
    J: Send,
    S: WorkStack<J>,
    T: Default + Send,
    F: Fn(J, &mut T, &mut dyn FnMut(J)) + Sync,
{
    let crew = Crew { threads, ..Crew::default() };
    stack.worker().push(first);
    let work = || crew.work(stack, &job);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map_while(|number| thread::Builder::new().name(format!("worker {number}")).spawn_scoped(scope, work).ok())
            .collect();
        (1 + others.len()..threads).for_each(|_| crew.rest());
        let own = work();
        let others = others.into_iter().map(|worker| worker.join().expect("a worker panicked"));
        others.chain([own]).collect()
    })
}

/// What the workers share besides the stack.
#[derive(Default)]
struct Crew {
    threads: usize,
    /// How many have no job: who waits for one, who has panicked, and who could not be started.
    idle: AtomicUsize,
    /// Set when all were idle at once.
    done: AtomicBool,
    /// Rung for each job that is pushed while somebody is idle, and at the end.
    bell: Event,
}

impl Crew {
    /// One worker's part, until all is done.
    fn work<J, T: Default>(&self, stack: &impl WorkStack<J>, job: impl Fn(J, &mut T, &mut dyn FnMut(J))) -> T {
        let _present = Present(self);
        let mut tally = T::default();
        let mut worker = stack.worker();
        loop {
            if let Some(next) = worker.pop() {
                job(next, &mut tally, &mut |child| {
                    worker.push(child);
                    self.has_pushed();
                });
            } else if !self.wait(stack) {
                return tally;
            }
        }
    }

    /// Wakes a worker for a job that was pushed, if one is idle.
    fn has_pushed(&self) {
        // Pairs with the fence in `wait`.
        fence(Ordering::SeqCst);
        // The look spares busy workers the lock of the event.
        if self.idle.load(Ordering::Relaxed) > 0 {
            // Additional: one for each job, even if those that were woken before have not yet come.
            self.bell.notify_additional(1);
        }
    }

    /// Waits, after finding nothing, until there may be a job. False if there will be none.
    fn wait<J>(&self, stack: &impl WorkStack<J>) -> bool {
        self.rest();
        // Pairs with the fence in `has_pushed`.
        fence(Ordering::SeqCst);
        // The event's lock, in here and in `notify`, orders what comes before the one before what comes after the other.
        let ring = self.bell.listen();
        if !self.done.load(Ordering::Relaxed) && stack.is_empty() {
            ring.wait();
        }
        self.idle.fetch_sub(1, Ordering::Relaxed);
        !self.done.load(Ordering::Relaxed)
    }

    /// Counts a worker as idle. If it is the last one, all is done.
    fn rest(&self) {
        // AcqRel: the end comes after all that the others did before.
        if self.idle.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.done.store(true, Ordering::Relaxed);
            self.bell.notify(usize::MAX);
        }
    }
}

/// Held by a worker: one that panics is idle for good, for the others not to wait for it.
struct Present<'a>(&'a Crew);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.rest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elimination_stack::Stack;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock};
    use std::time::{Duration, Instant};
    use std::{fs, panic};

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

    /// How often the thread with this folder in `/proc` has gone to sleep.
    #[cfg(target_os = "linux")]
    fn sleeps(thread: &Path) -> u32 {
        let status = fs::read_to_string(Path::new("/proc").join(thread).join("status")).unwrap();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_idle_worker_sleeps_until_it_is_woken() {
        const MOMENT: Duration = Duration::from_millis(50);
        let other = OnceLock::<PathBuf>::new();
        let _: Vec<()> = run(&Stack::<bool>::new(), 2, true, |is_first, (), push| {
            if is_first {
                // For the other worker, which says who it is; then there is nothing for it to do.
                push(false);
                while other.get().is_none() {
                    thread::sleep(MOMENT);
                }
                thread::sleep(MOMENT);
                let before = sleeps(other.get().unwrap());
                thread::sleep(4 * MOMENT);
                assert_eq!(sleeps(other.get().unwrap()), before, "an idle worker wakes up for nothing");
            } else {
                other.set(fs::read_link("/proc/thread-self").unwrap()).unwrap();
            }
        });
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
