//! 4 harts share a stack in place whose operations are critical sections: interrupts off, and a lock.

#![no_std]
#![no_main]

use elimination_stack::Masked;

board_riscv::many_in_place!(4, Masked<64>, 64..=64);
