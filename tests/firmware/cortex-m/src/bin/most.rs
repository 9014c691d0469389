//! Counts the most that the calls of an interrupt take.

#![no_std]
#![no_main]

board_cortex_m::most!();
