//! Panics that a test causes on purpose.

#![allow(dead_code, reason = "each suite uses a part of this")]

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind, set_hook, take_hook};
use std::sync::Once;

/// What a test panics with, to tell it from an assertion that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected;

/// Panics as expected.
pub fn panic_expected() -> ! {
    panic_any(Expected)
}

/// An iterator that panics as expected when it is dropped.
pub struct Loud<I>(pub I);

impl<I: Iterator> Iterator for Loud<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I> Drop for Loud<I> {
    fn drop(&mut self) {
        panic_expected();
    }
}

/// Has expected panics, of which there are thousands, not printed from now on.
pub fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = take_hook();
        set_hook(Box::new(move |info| {
            if !info.payload().is::<Expected>() {
                default(info);
            }
        }));
    });
}

/// Runs `action`, which may panic as expected.
pub fn catch<O>(action: impl FnOnce() -> O) -> Result<O, Expected> {
    silence();
    catch_unwind(AssertUnwindSafe(action)).map_err(|panic| match panic.downcast::<Expected>() {
        Ok(expected) => *expected,
        Err(other) => resume_unwind(other),
    })
}

/// Runs `action`, which panics as expected.
#[track_caller]
pub fn panics<O>(action: impl FnOnce() -> O) {
    assert!(catch(action).is_err(), "did not panic");
}
