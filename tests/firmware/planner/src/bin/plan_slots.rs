//! `Slots`, with what it takes from the allocator at the start: so that no value of 64 is refused.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots, Stack};

type In<T> = Stack<T, Slots<2>, NoBackoff>;

static STACK: In<u16> = Stack::custom();

/// Of the stack and its nodes, each of which is a link and a value.
const fn bytes<T>() -> usize {
    size_of::<In<T>>() + (64 + In::<T>::IDLE_NODES) * size_of::<(usize, T)>()
}

planner::image!(
    16,
    || STACK.reserve_for(64).expect("the heap is large enough"),
    |value| STACK.push_spare(value).is_ok(),
    || STACK.try_pop().unwrap_or(None),
    [bytes::<u16>(), bytes::<u32>()]
);
