//! Links the images for the MSP430 although Debian has no library of the functions that its compiler calls, as for
//! multiplication: they stay undefined, in the image without a stack too. Nothing runs the images.

fn main() {
    let target = std::env::var("TARGET").unwrap();
    if target.starts_with("msp430") {
        // Addresses have 16 bits.
        println!("cargo::rustc-link-arg-bins=--image-base=0");
        println!("cargo::rustc-link-arg-bins=--gc-sections");
        println!("cargo::rustc-link-arg-bins=--unresolved-symbols=ignore-all");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
