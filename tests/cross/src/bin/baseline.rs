//! The image without a stack.
#![no_std]
#![no_main]

use core::hint::black_box;

cross::image!(|value| {
    black_box(Some(value));
});
