//! What the tests of both engines do alike, with stacks that have a slot for each context.

extern crate std;

use super::*;
use crate::backoff::NoBackoff;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// Takes all values, so many, and drops one after the other; each panics then.
pub(super) fn drop_loud_ones<S: Place>(stack: &InPlace<S, NoBackoff>, count: usize) {
    let mut taken = stack.0.detach();
    let mut drop_next = || {
        // SAFETY: taken from this stack. The value is dropped.
        unsafe { stack.next(&mut taken, |value| value.drop_in_place()) }.is_some()
    };
    assert!((0..count).all(|_| catch_unwind(AssertUnwindSafe(&mut drop_next)).is_err()));
    assert!(!drop_next());
}
