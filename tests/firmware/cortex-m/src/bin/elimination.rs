//! The main loop and the timer interrupt share a stack of the default types.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Slots};

board_cortex_m::one_hart!(Slots<8>, Elimination<4>);
