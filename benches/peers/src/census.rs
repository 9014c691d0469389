//! Before anything is timed: whether each value comes out of a stack exactly once.

use crate::contender::{Access, Contender, Value};
use std::thread;

const THREADS: u64 = 4;
const VALUES: u64 = 50_000;

/// Threads push all values, and pop as many as they find meanwhile; the rest is popped afterwards.
#[must_use]
pub fn every_value_once<S: Contender<T>, T: Value>() -> bool {
    let stack = S::new();
    let part = |thread: u64| {
        let mut access = stack.access();
        let mut ids = Vec::new();
        for id in (thread * VALUES..(thread + 1) * VALUES).step_by(2) {
            access.push(T::new(id));
            access.push(T::new(id + 1));
            ids.extend(access.pop().map(|value| value.id()));
        }
        ids
    };
    let mut ids: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the thread ends")).collect()
    });
    let mut access = stack.access();
    ids.extend(std::iter::from_fn(|| access.pop().map(|value| value.id())));
    ids.sort_unstable();
    ids.into_iter().eq(0..THREADS * VALUES)
}
