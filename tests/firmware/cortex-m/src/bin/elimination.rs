//! The main loop and the timer interrupt share a stack of the default types.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Slots};
use workload::one_hart::OneHart;

board_cortex_m::image!(OneHart<Slots<8>, Elimination<4>>, OneHart::new());
