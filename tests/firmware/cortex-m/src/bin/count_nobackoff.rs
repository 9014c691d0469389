//! Counts the instructions of a stack that never backs off.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots};

board_cortex_m::count!(Slots<2>, NoBackoff);
