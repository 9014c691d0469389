//! `Fixed`.

#![no_std]
#![no_main]

planner::in_place!(elimination_stack::Fixed<64, 2>);
