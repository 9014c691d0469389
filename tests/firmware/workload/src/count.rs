//! How many instructions an uncontended operation takes.
//!
//! Each operation is called through a function pointer between two readings of a counter, and the same call of a
//! function that does nothing is subtracted: what is left is the operation without its call and return. The
//! emulator counts the instructions themselves (`-icount`), so the figures repeat exactly.

use crate::{Counter, Operations, console::println, heap};
use core::hint::black_box;
use elimination_stack::{Backoff, Reclaim, Stack};

/// Operations counted, after as many that were not.
const SAMPLES: usize = 256;

type Operation<S> = fn(&mut S, u32) -> Option<u32>;

/// Instructions of one operation.
struct Count {
    typical: u32,
    mean: u32,
    most: u32,
}

impl core::fmt::Display for Count {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} | {} | {}", self.typical, self.mean, self.most)
    }
}

/// Not inlined, so that no other computation is moved between the two readings.
#[inline(never)]
fn count_one<C: Counter, S>(stack: &mut S, operation: Operation<S>) -> u32 {
    let operation = black_box(operation);
    let start = C::read();
    black_box(operation(stack, 7));
    C::between(start, C::read())
}

/// Counts `operation`, each time followed by its `inverse`.
fn count<C: Counter, S>(stack: &mut S, operation: Operation<S>, inverse: Operation<S>, call: u32) -> Count {
    let mut samples = [0; SAMPLES];
    for _ in 0..2 {
        for sample in &mut samples {
            *sample = count_one::<C, S>(stack, operation) - call;
            inverse(stack, 7);
        }
    }
    samples.sort_unstable();
    Count {
        typical: samples[SAMPLES / 2],
        mean: samples.iter().sum::<u32>() / SAMPLES as u32,
        most: samples[SAMPLES - 1],
    }
}

/// The counter must see exactly as many instructions as were executed.
fn check<C: Counter>() {
    let nothing: Operation<()> = |(), _| None;
    let hundred: Operation<()> = |(), _| {
        // SAFETY: does nothing, a hundred times.
        unsafe { core::arch::asm!(".rept 100", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
        None
    };
    for _ in 0..SAMPLES {
        let call = count_one::<C, ()>(&mut (), nothing);
        assert_eq!(count_one::<C, ()>(&mut (), hundred) - call, 100, "the counter is not exact");
    }
}

fn report<C: Counter, S: Operations<u32>>(mut stack: S, through: &str) {
    let nothing: Operation<S> = |_, _| None;
    let push: Operation<S> = |stack, value| {
        stack.push(value);
        None
    };
    let pop: Operation<S> = |stack, _| stack.pop();
    let call = count_one::<C, S>(&mut stack, nothing);
    let pushes = count::<C, S>(&mut stack, push, pop, call);
    push(&mut stack, 7);
    let pops = count::<C, S>(&mut stack, pop, push, call);
    let empty = {
        pop(&mut stack, 0);
        count::<C, S>(&mut stack, pop, nothing, call)
    };
    println!("`{through}` | {pushes} | {pops} | {}", empty.typical);
}

/// Prints two rows of a table, for calls through the stack and through a handle. The columns: through what; the
/// typical (median), mean and highest count of a push; the same of a pop; and that of a pop from the empty stack.
pub fn run<C: Counter, R: Reclaim, B: Backoff>(stack: &Stack<u32, R, B>) {
    heap::init();
    check::<C>();
    report::<C, _>(stack, "Stack");
    report::<C, _>(stack.handle(), "Handle");
}
