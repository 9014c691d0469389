//! The main loop sleeps between two interrupts, and misses one that comes before it sleeps. This image is to hang.

#![no_std]
#![no_main]

use elimination_stack::{NoBackoff, Slots};
use workload::sleep::{Manner, Sleeper};

board_riscv::image!(Sleeper<Slots<2>, NoBackoff>, Sleeper::new(Manner::Careless));
