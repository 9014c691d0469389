//! A simulated cache-coherent machine of many cores, behind the interface of atomics.
//!
//! Each virtual core is a coroutine; all run on one operating-system thread, one at a time, and which one is decided
//! at each access to an atomic. So code that is written against the types here runs unchanged, and the same
//! configuration gives the same result, bit for bit.
//!
//! There are two kinds of machine ([`Policy`]):
//!
//! * **in virtual time**: an access costs what the state of its cache line says ([`Costs`]), and the core whose time
//!   comes first goes on. For questions of speed.
//! * **at random**: each access is followed by a core that a seeded generator chooses, or that has the highest of some
//!   random priorities. For questions of correctness. A core may also be parked for good at any of its accesses.
//!
//! # What is simulated
//!
//! Sequential consistency: an access takes effect at one moment, in one order for all cores. A core waits for each of
//! its accesses; there is no store buffer and no overlap of misses, so a machine with those is faster. Accesses that
//! are not atomic are not seen. Caches are as large as the memory, so lines are lost to other cores only.
//!
//! An access to memory that was given back is a panic. So is a run without end.
//!
//! Addresses decide nothing: everything that is shared lies in an arena ([`Simulation::place`], [`alloc`]), whose layout
//! depends on the program alone. Outside of [`Simulation::run`] the types are plain atomics, free of charge.

mod arena;
mod atomic;
mod cache;
mod costs;
mod random;
mod schedule;
mod simulation;

pub use atomic::{AtomicIsize, AtomicPtr, AtomicUsize, Uncounted, fence};
pub use costs::{Costs, Machine};
pub use random::Random;
pub use schedule::Policy;
pub use simulation::{
    Body, End, Placed, Report, Simulation, alloc, core_number, dealloc, is_parked, live, now, offset, park_at, pass,
    spin_loop, work,
};
