//! The main loop and the timer interrupt share a stack in place, without an allocator.

#![no_std]
#![no_main]

use elimination_stack::Fixed;

board_avr::in_place!(Fixed<64, 2>, 64..=68);
