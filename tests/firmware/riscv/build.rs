//! Tells the linker where the machine's memory is, and how many harts it has.

use std::{env, fs, path::PathBuf};

fn main() {
    let harts = if env::var_os("CARGO_FEATURE_MANY_HARTS").is_some() { 8 } else { 1 };
    let regions = ["TEXT", "RODATA", "DATA", "BSS", "HEAP", "STACK"];
    let aliases: String = regions.iter().map(|name| format!("REGION_ALIAS(\"REGION_{name}\", RAM);\n")).collect();
    let memory = format!(
        "MEMORY {{ RAM : ORIGIN = 0x80000000, LENGTH = 16M }}\n{aliases}\
         _max_hart_id = {};\n_hart_stack_size = 64K;\n",
        harts - 1
    );
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    fs::write(folder.join("memory.x"), memory).unwrap();
    println!("cargo::rustc-link-search={}", folder.display());
    println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
