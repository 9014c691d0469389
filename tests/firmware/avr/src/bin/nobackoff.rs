//! The main loop and the timer interrupt share a stack that never backs off.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots};

board_avr::one_hart!(Slots<2>, NoBackoff);
