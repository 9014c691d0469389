//! 2 harts sleep while their work stack is empty, and miss a call that comes before they sleep. This image is to hang.

#![no_std]
#![no_main]

board_riscv::work_stack!(2, Careless);
