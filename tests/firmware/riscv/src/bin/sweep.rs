//! The timer's interrupt comes at every instruction of every operation.

#![no_std]
#![no_main]

board_riscv::sweep!();
