//! Links with the script of the crate cortex-m-rt; where the memory is, says the package board-cortex-m.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
