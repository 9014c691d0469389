//! Takes the work stack of docs/servers.md out of the guide, for the models in tests/guide.rs. `ci/work-stack` sets the variable
//! to put a copy of the guide in its place that has a mistake.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=WORK_STACK_GUIDE");
    let guide = env::var("WORK_STACK_GUIDE").unwrap_or_else(|_| "../../../docs/servers.md".to_owned());
    println!("cargo::rerun-if-changed={guide}");
    let text = fs::read_to_string(&guide).expect("the guide");
    let start = text.find("/// A stack of jobs, and workers that sleep").expect("the type's documentation");
    let end = start + text[start..].find("static WORK: WorkStack").expect("what follows its methods");
    // Under loom a stack is made anew in each execution, and has as little as possible beside what is checked here. What was a
    // program's is a module's.
    let changes = [("const fn new", "fn new"), ("Stack::new()", "Stack::custom()"), ("\nstruct ", "\npub struct ")];
    let program = changes.iter().fold(text[start..end].to_owned(), |program, (from, to)| program.replace(from, to));
    let program = program.replace("\n    fn ", "\n    pub fn ");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("guide.rs"), program).unwrap();
}
