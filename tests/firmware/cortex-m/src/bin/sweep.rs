//! SysTick comes at every instruction of every operation.

#![no_std]
#![no_main]

board_cortex_m::sweep!();
