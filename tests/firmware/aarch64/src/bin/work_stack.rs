//! 4 cores sleep while their work stack is empty, and wake each other by events.

#![no_std]
#![no_main]

board_aarch64::work_stack!(4);
