//! 4 harts share a stack in place, with a slot for each hart and for each handler.

#![no_std]
#![no_main]

use elimination_stack::Fixed;

board_riscv::many_in_place!(4, Fixed<64, 8>, 64..=128);
