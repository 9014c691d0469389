//! Engines for small machines: a fixed number of nodes, which lie in the stack itself, and no allocator.

mod fixed;
#[cfg(feature = "critical-section")]
mod masked;
mod nodes;
