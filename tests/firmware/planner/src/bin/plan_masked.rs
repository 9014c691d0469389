//! `Masked`.

#![no_std]
#![no_main]

planner::in_place!(elimination_stack::Masked<64>);
