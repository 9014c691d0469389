//! The engines whose nodes lie in the stack, `Fixed` and `Masked`: what their stacks can do, alone and with threads.
//!
//! `Masked` is there with the feature `critical-section`.

#[macro_use]
mod common;
#[macro_use]
#[path = "common/in_place.rs"]
mod engines;
#[path = "common/expected.rs"]
mod expected;
#[macro_use]
#[path = "common/implements.rs"]
mod implements;
#[path = "common/ledger.rs"]
mod ledger;

#[path = "in_place/alone.rs"]
mod alone;
#[path = "in_place/bounds.rs"]
mod bounds;
#[path = "in_place/panics.rs"]
mod panics;
#[path = "in_place/programs.rs"]
mod programs;
#[path = "in_place/together.rs"]
mod together;

use common::{
    Backoff, Census, Counted, Elimination, Handle, NoBackoff, PushError, PushErrorKind, Random, Stack, Word, Yield,
    scaled, with_watchdog,
};
use engines::*;
use expected::{Loud, panic_expected, panics};
use ledger::{block, ledger};
use std::cell::Cell;
use std::thread;

/// Pushes values until one is refused. Returns how many went in.
fn fill<T, R: InPlace, B: Backoff>(stack: &Stack<T, R, B>, make: impl Fn(usize) -> T) -> usize {
    for count in 0..=usize::from(u16::MAX) {
        if let Err(refused) = stack.try_push(make(count)) {
            assert_eq!(refused.kind(), PushErrorKind::NoSpareNode);
            return count;
        }
    }
    panic!("there is room for more than there may be nodes")
}
