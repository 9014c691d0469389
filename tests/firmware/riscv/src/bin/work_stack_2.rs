//! 2 harts sleep while their work stack is empty, and call each other by software interrupts.

#![no_std]
#![no_main]

board_riscv::work_stack!(2, Careful);
