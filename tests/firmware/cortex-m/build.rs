//! Tells the linker where the memory of the target's machine is.

use std::{env, fs, path::PathBuf};

fn main() {
    let memory = match env::var("TARGET").unwrap().as_str() {
        "thumbv6m-none-eabi" => "FLASH : ORIGIN = 0, LENGTH = 256K\nRAM : ORIGIN = 0x20000000, LENGTH = 16K",
        _ => "FLASH : ORIGIN = 0, LENGTH = 4M\nRAM : ORIGIN = 0x20000000, LENGTH = 4M",
    };
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(folder.join("memory.x"), format!("MEMORY {{\n{memory}\n}}\n")).unwrap();
    println!("cargo::rustc-link-search={}", folder.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
