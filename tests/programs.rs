//! Programs of arbitrary calls on a few stacks against `Vec`s: random ones, and those that the fuzzer found worth keeping.
//!
//! What a program is says `common/program`; the fuzzer is in `tests/fuzz`.

#[macro_use]
mod common;
#[path = "common/expected.rs"]
mod expected;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/program/mod.rs"]
mod program;

use common::*;
use program::{Program, play};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

for_each_stack! { random_programs, corpus }

/// What fails is made shorter by `proptest`.
fn random_programs<R: Engine, B: Backoff>() {
    let cases = u32::try_from(scaled(400)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let programs = vec(any::<u8>(), 0..1000).prop_map(Program);
    let result = TestRunner::new(config).run(&programs, |program| {
        play::<R, B>(&program);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The fuzzer's corpus.
fn corpus<R: Engine, B: Backoff>() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/program");
    let mut programs = 0;
    for file in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.unwrap().path();
        let program = Program(fs::read(&path).unwrap());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| play::<R, B>(&program))) {
            eprintln!("{}: {program:?}", path.display());
            resume_unwind(panic);
        }
        programs += 1;
    }
    assert!(programs > 0, "{} is empty", folder.display());
}
