//! A program for Miri: every public method on every stack, alone and on two to four threads with some dozen calls each.
//!
//! Miri finds what is undefined behaviour although it does no harm on this processor: a use of freed memory, of a pointer
//! that has lost its right to it, of what was not initialised, a race on plain memory. It takes a thousand times as long as
//! the processor does, so the suites are too long for it. Here the first calls, in one thread, bring each limit within reach
//! of a few more; what follows is short, and differs with the schedule, which is Miri's seed, and with this program's own.
//!
//! `ci/miri` runs it; as an ordinary program it checks what it can, in no time.

#[macro_use]
#[path = "../../common/mod.rs"]
mod common;

#[macro_use]
#[path = "../../common/in_place.rs"]
mod engines;

mod alone;
mod in_place;
mod together;

use common::*;
#[cfg(feature = "critical-section")]
use engines::Masked;
use engines::{Fixed, InPlace};

fn main() {
    let seed = std::env::args().nth(1).map_or(0, |seed| seed.parse().expect("a seed, a whole number"));
    on_each_stack!(play(seed));
    on_each_stack_in_place!(play_in_place(seed));
}

fn play_in_place<R: InPlace, B: Backoff>(seed: usize) {
    in_place::alone::<R, B>();
    for threads in 2..=4 {
        in_place::together::<R, B>(seed, threads);
    }
}

fn play<R: Engine, B: Backoff>(seed: usize) {
    alone::every_method::<R, B>();
    alone::moved::<R, B>();
    alone::dropped_with_retired_nodes::<R, B>();
    for threads in 2..=4 {
        together::everything::<R, B>(seed, threads);
    }
    together::pairs::<R, B>();
    together::large_values::<R, B>();
    together::nodes_again::<R, B>();
    together::beside_iterators::<R, B>();
    together::a_handle_that_moves::<R, B>();
}
