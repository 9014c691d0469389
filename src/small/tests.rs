//! What the tests of both engines do alike, with stacks that have a slot for each context.

extern crate std;

use super::*;
use crate::backoff::NoBackoff;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::vec::Vec;

pub(super) fn push<S: Place>(stack: &S, value: S::Value) {
    assert!(stack.try_push(value).is_ok());
}

/// With what drops the values.
pub(super) fn whole<S: Place>(stack: S) -> InPlace<S, NoBackoff> {
    InPlace(stack, PhantomData)
}

pub(super) fn pop<S: Place>(stack: &S) -> Option<S::Value> {
    stack.try_pop().ok().flatten()
}

/// Pushes as many values as there is room for; and then pops them, the last one first.
pub(super) fn fill_and_empty<S: Place<Value = u16>>(stack: &S) -> u16 {
    let mut count = 0;
    assert!(stack.is_empty());
    while stack.try_push(count).is_ok() {
        count += 1;
        assert!(!stack.is_empty());
    }
    assert!(matches!(stack.try_push(7), Err((PushErrorKind::NoSpareNode, 7))));
    assert!(matches!(stack.take_node(), Err(PushErrorKind::NoSpareNode)));
    assert!((0..count).rev().all(|value| pop(stack) == Some(value)));
    assert_eq!(pop(stack), None);
    count
}

/// All bits zero are an empty stack, with room for so many.
pub(super) fn zero_is_an_empty_stack<S: Place<Value = u16>>(room: u16) {
    // SAFETY: all bits zero are an empty stack, as the file `nodes.rs` says.
    let stack: S = unsafe { MaybeUninit::zeroed().assume_init() };
    for _ in 0..3 {
        assert_eq!(fill_and_empty(&stack), room);
    }
}

/// Chains that are pushed and taken, in a stack with room for three.
pub(super) fn chains<S: Place<Value = u16>>() {
    let stack = &initial!(S);
    push(stack, 1);
    // SAFETY: all nodes are this stack's.
    unsafe {
        stack.link_chain(Chain::EMPTY);
        let mut chain = Chain::EMPTY;
        for value in 2..=3 {
            let node = stack.take_node().ok().unwrap();
            stack.add(&mut chain, node, value);
        }
        assert!(matches!(stack.take_node(), Err(PushErrorKind::NoSpareNode)));
        stack.link_chain(chain);
        let mut taken = stack.detach();
        assert!(stack.is_empty());
        for value in [3, 2, 1] {
            assert!(matches!(stack.next(&mut taken), Ok(Some(next)) if next == value));
            push(stack, value);
        }
        assert!(matches!(stack.next(&mut taken), Ok(None)));
        assert!([1, 2, 3].into_iter().all(|value| pop(stack) == Some(value)));
        let mut chain = Chain::EMPTY;
        let node = stack.take_node().ok().unwrap();
        stack.add(&mut chain, node, 4);
        let mut taken = chain.into_taken();
        assert!(matches!(stack.drop_next(&mut taken), Ok(true)));
        assert!(matches!(stack.drop_next(&mut taken), Ok(false)));
    }
    assert_eq!(fill_and_empty(stack), 3);
}

/// Counts that it is dropped, and panics then, if it says so.
pub(super) struct Counted<'a>(&'a AtomicUsize, bool);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        assert!(!self.1, "loud");
    }
}

/// If a value's `Drop` panics, the other values are dropped, too. `stack` has room for more than three.
pub(super) fn all_values_are_dropped<'a, S: Place<Value = Counted<'a>>>(stack: S, dropped: &'a AtomicUsize) {
    let stack = whole(stack);
    (0..3).for_each(|value| push(&stack.0, Counted(dropped, value == 1)));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(SeqCst), 3);
}

/// Threads push and pop at once, on few nodes; each value arrives once.
pub(super) fn values_arrive_once<S: Place<Value = usize> + Sync>(stack: &S, threads: usize) {
    const EACH: usize = 30_000;
    let seen: Vec<_> = (0..threads * EACH).map(|_| AtomicBool::new(false)).collect();
    let arrive = |value: usize| assert!(!seen[value].swap(true, SeqCst), "{value} twice");
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for mut value in thread * EACH..(thread + 1) * EACH {
                    while let Err((kind, back)) = stack.try_push(value) {
                        assert_eq!(kind, PushErrorKind::NoSpareNode, "there is a slot for each");
                        value = back;
                        pop(stack).into_iter().for_each(arrive);
                    }
                    if value % 3 == 0 {
                        stack.try_pop().expect("there is a slot for each").into_iter().for_each(arrive);
                    }
                    if value % 100 == 0 {
                        let mut taken = stack.detach();
                        // SAFETY: taken from this stack.
                        while let Some(value) = unsafe { stack.next(&mut taken) }.ok().unwrap() {
                            arrive(value);
                        }
                    }
                }
            });
        }
    });
    while let Some(value) = pop(stack) {
        arrive(value);
    }
    assert!(seen.iter().all(|seen| seen.load(SeqCst)));
}
