//! 8 harts share a work stack of the default types, with a slot for each hart and for each handler.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Slots};

board_aarch64::many_harts!(8, Slots, Slots<16>, Elimination<4>);
