//! Counts the instructions of a stack of the default types.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Slots};

board_cortex_m::count!(Slots<8>, Elimination<4>);
