//! The main loop sleeps between two interrupts, and misses one that comes before it sleeps. This image is to hang.

#![no_std]
#![no_main]

board_riscv::sleep!(Careless);
