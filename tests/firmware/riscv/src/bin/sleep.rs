//! The main loop sleeps between two interrupts, and looks and sleeps with interrupts masked.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots};
use workload::sleep::{Manner, Sleeper};

board_riscv::image!(Sleeper<Slots<2>, NoBackoff>, Sleeper::new(Manner::Masked));
