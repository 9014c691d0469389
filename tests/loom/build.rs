//! Chooses the seam's backend for the model checker.

use std::env;

fn main() {
    // The crate haphazard has a flag of its own, which only the command line can set. Without it the models of that engine would
    // check nothing.
    assert!(env::var_os("CARGO_CFG_LOOM").is_some(), "please run the models by ci/loom, which sets `--cfg loom`");
    println!("cargo:rustc-cfg=elimination_stack_loom");
    println!("cargo:rerun-if-changed=build.rs");
}
