//! What the images do and check, the same on every machine.
//!
//! A board crate boots its machine, implements [`Board`] and hands over: [`one_hart`], [`many_harts`], [`in_place`], [`sleep`]
//! and [`wake_ups`] are the workloads, [`count`], [`plan`] and [`most`] count the instructions of single operations. All of them
//! use the library only as a user's firmware would. Without the feature `heap` there is no allocator, and of the workloads only
//! [`in_place`].
//!
//! A check that fails panics; the panic handler prints it and ends the emulator with a status other than 0. All of them
//! print and end through [`console`].

#![no_std]

#[cfg(all(feature = "heap", not(target_arch = "avr")))]
extern crate alloc;

pub mod console;
// It has inline assembly, which only a nightly compiler has for AVR.
#[cfg(all(feature = "heap", not(target_arch = "avr")))]
pub mod count;
pub mod handler;
pub mod hart;
#[cfg(feature = "heap")]
pub mod heap;
pub mod in_place;
pub mod ledger;
#[cfg(feature = "many-harts")]
pub mod many_harts;
#[cfg(feature = "heap")]
pub mod one_hart;
// It counts instructions.
#[cfg(all(feature = "heap", not(target_arch = "avr")))]
pub mod most;
#[cfg(all(feature = "heap", not(target_arch = "avr")))]
pub mod plan;
pub mod random;
#[cfg(feature = "heap")]
pub mod sleep;
// It counts instructions.
#[cfg(all(feature = "heap", not(target_arch = "avr")))]
pub mod sweep;
#[cfg(feature = "many-harts")]
pub mod wake_ups;

#[cfg(feature = "many-harts")]
mod critical_section;

#[cfg(feature = "heap")]
use elimination_stack::{Backoff, Handle, Reclaim, Stack};

/// What a workload needs of a machine.
pub trait Board {
    /// Nanoseconds from arming the timer, at the handler's end, to the interrupted code: as measured, or a bit less.
    const BACK: u32;

    /// Interrupts in each phase of [`one_hart`]: as many as the emulator manages in about a second.
    const INTERRUPTS: u32;

    /// Interrupts, of a hundred, that must hit an operation of the main loop in [`one_hart`].
    const HITS: u32 = 50;

    /// Lets the timer interrupt come once, this many nanoseconds of the machine's time from now.
    fn arm(nanoseconds: u32);

    /// Lets the timer interrupt come no more.
    fn disarm();
}

/// A machine whose processor can sleep.
pub trait Sleep: Board {
    /// Does something with interrupts masked, which has to be short.
    fn masked<R>(work: impl FnOnce() -> R) -> R;

    /// Waits for an interrupt. Returns at once if one is pending, and wakes up when one is, even if all are masked.
    fn wait_for_interrupt();
}

/// A machine's counter of executed instructions.
pub trait Counter {
    /// A reading.
    fn read() -> u32;

    /// The instructions between two readings.
    fn between(start: u32, end: u32) -> u32;
}

/// The operations that a stack and a handle have in common.
#[cfg(feature = "heap")]
trait Operations<T> {
    fn push(&mut self, value: T);
    fn pop(&mut self) -> Option<T>;
    fn push_all(&mut self, values: impl IntoIterator<Item = T>);
}

#[cfg(feature = "heap")]
impl<T, R: Reclaim, B: Backoff> Operations<T> for &Stack<T, R, B> {
    fn push(&mut self, value: T) {
        Stack::push(self, value);
    }

    fn pop(&mut self) -> Option<T> {
        Stack::pop(self)
    }

    fn push_all(&mut self, values: impl IntoIterator<Item = T>) {
        Stack::push_all(self, values);
    }
}

#[cfg(feature = "heap")]
impl<T, R: Reclaim, B: Backoff> Operations<T> for Handle<'_, T, R, B> {
    fn push(&mut self, value: T) {
        Handle::push(self, value);
    }

    fn pop(&mut self) -> Option<T> {
        Handle::pop(self)
    }

    fn push_all(&mut self, values: impl IntoIterator<Item = T>) {
        Handle::push_all(self, values);
    }
}

/// Prints the stack's counters, if the image was built with them.
#[cfg(feature = "heap")]
fn print_statistics<T, R: Reclaim, B: Backoff>(stack: &Stack<T, R, B>) {
    #[cfg(feature = "stats")]
    console::println!("{:?}", stack.stats());
    _ = stack;
}

/// Ends the emulator with status 0.
pub fn exit() -> ! {
    console::exit(0)
}
