//! One push and one pop on `Stack<u32>`.
#![no_std]
#![no_main]

use core::hint::black_box;
use elimination_stack::Stack;

// The symbol's size is the type's.
#[unsafe(no_mangle)]
static STACK: Stack<u32> = Stack::new();

cross::image!(|value| {
    STACK.push(value);
    black_box(STACK.pop());
});
