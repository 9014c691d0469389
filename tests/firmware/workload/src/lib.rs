//! What the images do and check, the same on every machine.
//!
//! A board crate boots its machine, implements [`Board`] and hands over: [`one_hart`], [`many_harts`], [`sleep`] and
//! [`wake_ups`] are the workloads, [`count`] counts the instructions of single operations. All of them use the library only as a user's
//! firmware would.
//!
//! A check that fails panics; the panic handler prints it and ends the emulator with a status other than 0. All of them
//! print and end through [`console`].

#![no_std]

pub mod console;
// It has inline assembly, which only a nightly compiler has for AVR.
#[cfg(not(target_arch = "avr"))]
pub mod count;
pub mod handler;
pub mod hart;
pub mod heap;
pub mod ledger;
#[cfg(feature = "many-harts")]
pub mod many_harts;
pub mod one_hart;
pub mod random;
pub mod sleep;
#[cfg(feature = "many-harts")]
pub mod wake_ups;

#[cfg(feature = "many-harts")]
mod critical_section;

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

/// The operations that a stack and a handle have in common.
trait Operations<T> {
    fn push(&mut self, value: T);
    fn pop(&mut self) -> Option<T>;
    fn push_all(&mut self, values: impl IntoIterator<Item = T>);
}

macro_rules! operations {
    ($($who:ty, $of:ident;)*) => {
        $(
            impl<T, R: Reclaim, B: Backoff> Operations<T> for $who {
                fn push(&mut self, value: T) {
                    $of::push(self, value);
                }

                fn pop(&mut self) -> Option<T> {
                    $of::pop(self)
                }

                fn push_all(&mut self, values: impl IntoIterator<Item = T>) {
                    $of::push_all(self, values);
                }
            }
        )*
    };
}

operations! {
    &Stack<T, R, B>, Stack;
    Handle<'_, T, R, B>, Handle;
}

/// Prints the stack's counters, if the image was built with them.
fn print_statistics<T, R: Reclaim, B: Backoff>(stack: &Stack<T, R, B>) {
    #[cfg(feature = "stats")]
    console::println!("{:?}", stack.stats());
    _ = stack;
}

/// Ends the emulator with status 0.
pub fn exit() -> ! {
    console::exit(0)
}
