//! Plays each input as a program on every stack; what a program is says `tests/common/program`.

#![no_main]

#[macro_use]
#[path = "../../common/mod.rs"]
mod common;
#[path = "../../common/expected.rs"]
mod expected;
#[path = "../../common/ledger.rs"]
mod ledger;
#[path = "../../common/program/mod.rs"]
mod program;

use common::*;
use libfuzzer_sys::fuzz_target;
use program::{Program, play};

fuzz_target!(|program: &[u8]| {
    let program = &Program(program.to_vec());
    on_each_stack!(play(program));
});
