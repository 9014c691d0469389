//! A stack without values is nothing but zeros, on every engine: a static costs no flash, and memory that a loader has cleared
//! is a stack.

#[macro_use]
mod common;
#[macro_use]
#[path = "common/in_place.rs"]
mod engines;

use common::{Backoff, Elimination, Exponential, Haphazard, NoBackoff, Slots, Stack, Yield, with_watchdog};
use engines::*;
use std::mem::MaybeUninit;

macro_rules! concrete {
    ($engine:ty, $backoff:ty) => {
        /// Statics that have only zeros are in `.bss`; the linker says where that is.
        #[cfg(all(target_os = "linux", not(miri)))]
        #[test]
        fn statics_are_in_bss() {
            static STACK: Stack<u32, $engine, $backoff> = Stack::custom();
            static ROW: [Stack<Vec<u8>, $engine, $backoff>; 3] = [const { Stack::custom() }; 3];

            assert!(STACK.is_empty() && is_in_bss(&STACK));
            assert!(ROW[2].is_empty() && is_in_bss(&ROW));
        }

        #[test]
        fn zeros_are_an_empty_stack() {
            with_watchdog(super::super::is_a_stack::<$engine, $backoff>);
        }
    };
}
for_each_stack_type! { concrete }
for_each_type_in_place! { concrete }

#[cfg(all(target_os = "linux", not(miri)))]
fn is_in_bss<V>(value: &'static V) -> bool {
    unsafe extern "C" {
        static __bss_start: u8;
        static _end: u8;
    }

    let place = (&raw const *value).addr();
    (&raw const __bss_start).addr() <= place && place + size_of::<V>() <= (&raw const _end).addr()
}

/// The question itself, since all else rests on it.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn what_is_not_zero_is_elsewhere() {
    use std::sync::atomic::AtomicU32;

    static ZEROS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
    static OTHERS: [AtomicU32; 4] = [const { AtomicU32::new(1) }; 4];

    assert!(is_in_bss(&ZEROS) && !is_in_bss(&OTHERS));
}

fn is_a_stack<R: Engine, B: Backoff>() {
    // SAFETY: the suite asks whether this is so; what is in a stack are numbers, and pointers that may be null.
    let stack: Stack<Box<usize>, R, B> = unsafe { MaybeUninit::zeroed().assume_init() };
    for values in [4, 2, 4] {
        assert!(stack.is_empty() && stack.pop().is_none());
        (0..values).for_each(|value| stack.try_push(Box::new(value)).unwrap());
        assert!((0..values).rev().all(|value| stack.pop() == Some(Box::new(value))));
    }
    stack.try_push_all([7, 8].map(Box::new)).unwrap();
    assert!(stack.take_all().eq([8, 7].map(Box::new)));
    stack.try_push(Box::new(9)).unwrap();
}
