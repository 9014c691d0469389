//! 4 harts share a work stack of the default types, with a slot for each hart and for each handler.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Slots};

board_riscv::many_harts!(4, Slots, Slots<8>, Elimination<4>);
