//! The main loop and the timer interrupt share a stack in place whose operations are critical sections, without an allocator.

#![no_std]
#![no_main]

use elimination_stack::Masked;

board_cortex_m::in_place!(Masked<64>, 64..=64);
