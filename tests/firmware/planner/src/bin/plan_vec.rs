//! A `Vec` of heapless in a critical section.

#![no_std]
#![no_main]

use core::cell::RefCell;
use critical_section::{Mutex, with};
use heapless::Vec;

type In<T> = Mutex<RefCell<Vec<T, 64>>>;

static VALUES: In<u16> = Mutex::new(RefCell::new(Vec::new()));

planner::image!(
    16,
    || {},
    |value| with(|section| VALUES.borrow_ref_mut(section).push(value).is_ok()),
    || with(|section| VALUES.borrow_ref_mut(section).pop()),
    [size_of::<In<u16>>(), size_of::<In<u32>>()]
);
