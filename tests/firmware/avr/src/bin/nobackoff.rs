//! The main loop and the timer interrupt share a stack that never backs off.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots};
use workload::one_hart::OneHart;

board_avr::image!(OneHart<Slots<2>, NoBackoff>, OneHart::new());
