//! One push and one pop on `Stack<u32, Slots<2>, NoBackoff>`.
#![no_std]
#![no_main]

use core::hint::black_box;
use elimination_stack::{NoBackoff, Slots, Stack};

// The symbol's size is the type's.
#[unsafe(no_mangle)]
static STACK: Stack<u32, Slots<2>, NoBackoff> = Stack::custom();

cross::image!(|value| {
    STACK.push(value);
    black_box(STACK.pop());
});
