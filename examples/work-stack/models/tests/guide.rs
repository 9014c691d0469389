//! Models of the work stack that docs/servers.md shows, as it stands there. Run with `ci/work-stack`, which also takes away what
//! it needs, one thing at a time.
#![cfg(loom)]

// The library's own models check themselves by the same.
#[path = "../../../../tests/loom/tests/common/mod.rs"]
mod common;

use common::check;
use guide::WorkStack;
use loom::sync::Arc;
use loom::thread;

mod guide {
    use elimination_stack::{NoBackoff, Slots};
    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*, fence};
    use loom::sync::{Condvar, Mutex};

    type Stack<T> = elimination_stack::Stack<T, Slots<3>, NoBackoff>;

    include!(concat!(env!("OUT_DIR"), "/guide.rs"));
}

/// Starts `workers`, each of which pops once; does `work` meanwhile; returns what they got, in order.
fn workers(workers: usize, work: fn(&WorkStack<u32>)) -> Vec<Option<u32>> {
    let stack = Arc::new(WorkStack::new());
    let start = |_| {
        let stack = stack.clone();
        thread::spawn(move || stack.pop())
    };
    let workers: Vec<_> = (0..workers).map(start).collect();
    work(&stack);
    let mut jobs: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    jobs.sort_unstable();
    jobs
}

#[test]
fn one_job_for_one_worker() {
    check(3, || assert_eq!(workers(1, |stack| stack.push(1)), [Some(1)]));
}

#[test]
fn two_jobs_for_two_workers() {
    check(2, || {
        let jobs = workers(2, |stack| {
            stack.push(1);
            stack.push(2);
        });
        assert_eq!(jobs, [Some(1), Some(2)]);
    });
}

#[test]
fn closed_with_a_job_left() {
    check(2, || {
        let jobs = workers(2, |stack| {
            stack.push(1);
            stack.close();
        });
        assert_eq!(jobs, [None, Some(1)]);
    });
}
