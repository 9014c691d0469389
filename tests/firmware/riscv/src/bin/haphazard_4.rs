//! 4 harts share a work stack on the engine `Haphazard`.

#![no_std]
#![no_main]

use elimination_stack::{Elimination, Haphazard};

board_riscv::many_harts!(4, Haphazard, Haphazard, Elimination<4>);
