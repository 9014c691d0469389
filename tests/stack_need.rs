//! How much of the caller's stack a call needs, for a value that is larger than what a program can spare of it.
//!
//! Nodes are made where they are, and a large value goes into its node from where the caller has it. Optimisation would hide a
//! copy too many, so `ci/test` runs this suite without; by itself it holds as well.

#![cfg(all(unix, not(miri)))]

#[path = "common/process.rs"]
mod process;

use elimination_stack::{Engine, Fixed, NoBackoff, Slots, Stack};
use process::this_test_again;
use std::env;
use std::mem::MaybeUninit;
use std::thread;

const SIZE: usize = 256 << 10;
/// What a thread needs for all else.
const ELSE: usize = 48 << 10;

type Large = MaybeUninit<[u8; SIZE]>;
type Small = Stack<Large, Slots<2>, NoBackoff>;

const VALUE: Large = MaybeUninit::uninit();

/// A call, and how many values the stack of its caller has to have room for, with what the caller itself has there.
type Call = (&'static str, fn(), usize);

const CALLS: &[Call] = &[
    ("push", || default().push(VALUE), 4),
    ("push on few slots", || small().push(VALUE), 4),
    ("Handle::push", || small().handle().push(VALUE), 4),
    ("Vec::push", || Vec::new().push(VALUE), 4),
    ("try_push", || assert!(small().try_push(VALUE).is_ok()), 7),
    ("push_spare that is refused", || assert!(small().push_spare(VALUE).is_err()), 8),
    ("reserve", || small().reserve(3).unwrap(), 0),
    ("reclaim", || assert_eq!(with_values().reclaim(), 0), 0),
    ("drop", || drop(Stack::<Large>::new()), 0),
    ("drop of values", || drop(with_values()), 0),
    ("take_all", || drop(with_values().take_all()), 0),
    ("handle", || drop(small().handle()), 0),
    ("is_empty", || assert!(small().is_empty()), 0),
    ("try_push in place", || assert!(IN_PLACE.try_push(VALUE).is_ok()), 7),
    ("push_spare in place", || assert!(IN_PLACE.push_spare(VALUE).is_ok()), 7),
    ("Handle::try_push in place", || assert!(IN_PLACE.try_handle().unwrap().try_push(VALUE).is_ok()), 7),
    ("interrupt in place", || assert!(IN_PLACE.interrupt().push(VALUE).is_ok()), 7),
    ("take_all in place", || drop(IN_PLACE.take_all()), 0),
    ("pop", || assert!(filled(small()).pop().is_some()), 12),
    ("pop in place", || assert!(filled(&IN_PLACE).pop().is_some()), 9),
    #[cfg(feature = "critical-section")]
    ("try_push on Masked", || assert!(MASKED.try_push(VALUE).is_ok()), 7),
    #[cfg(feature = "critical-section")]
    ("pop on Masked", || assert!(filled(&MASKED).pop().is_some()), 9),
    ("is_empty in place", || assert!(IN_PLACE.is_empty()), 0),
];

/// Stacks that are not dropped, for that is a call of its own.
fn default() -> &'static Stack<Large> {
    Box::leak(Box::default())
}

fn small() -> &'static Small {
    Box::leak(Box::default())
}

/// Each call has a process of its own, so it is empty.
static IN_PLACE: Stack<Large, Fixed<2, 1>, NoBackoff> = Stack::custom();

#[cfg(feature = "critical-section")]
static MASKED: Stack<Large, elimination_stack::Masked<2>, NoBackoff> = Stack::custom();

/// With a value that a thread has pushed that has room.
fn filled<R: Engine>(stack: &'static Stack<Large, R, NoBackoff>) -> &'static Stack<Large, R, NoBackoff> {
    let thread = thread::Builder::new().stack_size(64 * SIZE).spawn(|| assert!(stack.try_push(VALUE).is_ok()));
    thread.unwrap().join().unwrap();
    stack
}

/// Made by a thread that has room.
fn with_values() -> Small {
    thread::Builder::new()
        .stack_size(64 * SIZE)
        .spawn(|| {
            let stack = Small::custom();
            (0..40).for_each(|_| stack.push(VALUE));
            stack
        })
        .unwrap()
        .join()
        .unwrap()
}

/// A thread without room ends the process, so each call has one of its own: this very test, told by the environment what to do.
const ORDER: &str = "ELIMINATION_STACK_CALL";

#[test]
fn calls_need_little_of_the_stack() {
    if let Ok(order) = env::var(ORDER) {
        let &(_, call, values) = CALLS.iter().find(|call| call.0 == order).unwrap();
        thread::Builder::new().stack_size(values * SIZE + ELSE).spawn(call).unwrap().join().unwrap();
        return;
    }
    // Not under emulation: another processor's compiler is the same one.
    if env::vars().any(|(name, _)| name.starts_with("CARGO_TARGET_") && name.ends_with("_RUNNER")) {
        return;
    }
    for &(name, _, values) in CALLS {
        let output = this_test_again().env(ORDER, name).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} needs room for more than {values} values: {printed}");
    }
}
