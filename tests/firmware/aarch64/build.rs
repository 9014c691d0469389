//! Tells the linker where the machine's memory is.

use std::{env, fs, path::PathBuf};

fn main() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(folder.join("memory.ld"), "MEMORY { image : ORIGIN = 0x40080000, LENGTH = 16M }\n").unwrap();
    println!("cargo::rustc-link-search={}", folder.display());
    println!("cargo::rustc-link-arg-bins=-Timage.ld");
    println!("cargo::rustc-link-arg-bins=-Tmemory.ld");
    println!("cargo::rerun-if-changed=build.rs");
}
