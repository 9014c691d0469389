//! What the models share: how they are checked, and threads that race for the values of a stack.

#![allow(dead_code, reason = "each file of models uses a part of this")]

use elimination_stack::{Backoff, PushError, Reclaim, Stack};
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

/// Checks a model. `preemptions` bounds those of an execution, where all of them would take too long.
pub fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    builder.check(model);
}

/// Runs the closures in threads of their own, the first in this one.
pub fn race<const N: usize, S: Send + Sync + 'static>(
    stack: S,
    others: [fn(&S) -> Vec<u32>; N],
    here: fn(&S) -> Vec<u32>,
) -> (S, Vec<u32>) {
    let stack = Arc::new(stack);
    let threads = others.map(|other| {
        let stack = stack.clone();
        thread::spawn(move || other(&stack))
    });
    let mut values = here(&stack);
    for thread in threads {
        values.extend(thread.join().unwrap());
    }
    (Arc::try_unwrap(stack).unwrap_or_else(|_| unreachable!("all threads are joined")), values)
}

/// What came out and what is left is exactly `expected`.
pub fn assert_all<S: IntoIterator<Item = u32>>((stack, mut values): (S, Vec<u32>), expected: &[u32]) {
    values.extend(stack);
    values.sort_unstable();
    assert_eq!(values, expected);
}

/// Pops twice, then pushes 3 up to `LAST`. The first push takes the node that was popped first, if the scan let it go.
pub fn reuse<const LAST: u32, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    let mut values = pop(stack);
    values.extend(pop(stack));
    for value in 3..=LAST {
        stack.push(value);
    }
    values
}

/// One value, if there is one.
pub fn pop<R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.pop().into_iter().collect()
}

/// Pushes `VALUE`.
pub fn push<const VALUE: u32, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.push(VALUE);
    Vec::new()
}

/// Pushes `VALUE`, if there is a spare node, or keeps it.
pub fn push_spare<const VALUE: u32, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.push_spare(VALUE).err().map(PushError::into_value).into_iter().collect()
}

/// One value, if there is one, and a slot.
pub fn try_pop<R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.try_pop().ok().flatten().into_iter().collect()
}

/// Pushes `VALUE`, then pops.
pub fn push_pop<const VALUE: u32, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.push(VALUE);
    pop(stack)
}

/// Pushes 2 and 3 at once.
pub fn push_all<R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.push_all([2, 3]);
    Vec::new()
}

/// A pop through a handle.
pub fn pop_by_handle<R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    stack.handle().pop().into_iter().collect()
}

/// Pops, pushes `VALUE`, and pops again, all through one handle.
pub fn pop_push_pop_by_handle<const VALUE: u32, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) -> Vec<u32> {
    let mut handle = stack.handle();
    let value = handle.pop();
    handle.push(VALUE);
    value.into_iter().chain(handle.pop()).collect()
}
