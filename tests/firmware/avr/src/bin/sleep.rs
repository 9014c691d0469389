//! The main loop sleeps between two interrupts, and looks and sleeps with interrupts masked.

#![no_std]
#![no_main]

board_avr::sleep!(Masked);
