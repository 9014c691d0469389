//! Chooses the seam's backend for the simulated machine.

fn main() {
    println!("cargo:rustc-cfg=elimination_stack_simulate");
    println!("cargo:rerun-if-changed=build.rs");
}
