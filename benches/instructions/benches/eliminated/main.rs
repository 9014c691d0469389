//! Instructions of a push and a pop that meet in the elimination array, counted by single steps: `SUBJECT SCENARIO COUNT`.
//!
//! For that both have to lose a race, each between its look at the head and its attempt on it, and one has to come while
//! the other one waits. callgrind cannot bring that about; here all happens in one thread. The processor traps after
//! each instruction, and the handler counts. When the next instruction is the attempt on the head, the handler pushes a
//! value first, so the race is lost. And the partner comes from the step that the back-off waits with, which is the
//! user's.
//!
//! x86-64 Linux alone; elsewhere nothing is printed.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod steps;

fn main() {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    steps::main();
}
