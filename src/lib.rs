// Where the README and the guides link each other, rustdoc leads to these pages: of two definitions the first one counts.
#![cfg_attr(any(doc, doctest), doc = include_str!("../docs/links.md"))]
#![doc = include_str!("../README.md")]
#![cfg_attr(any(doc, doctest), doc = include_str!("../docs/guarantees.md"))]
//
// A name such as LIST-1 in the comments of these sources is that of a rule. docs/design.md lists them all, with the file that
// argues for each, and what checks it. Two words say what is not obvious of a line, for who thinks of leaving it out or weakening
// it:
//
//   CHEAPER:   without it the program is as right, but slower, larger, or waits longer. `ci/mutants` shows that: such changes
//              pass the models, the suites, and a stress on many threads.
//   UNTESTED:  without it the program may be wrong, by the argument that stands there, but no check sees it, for the reason that
//              stands there. tests/README.md lists those that `ci/mutants` can make.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The nodes and the back-offs are there all the same.
#![cfg_attr(not(feature = "alloc"), allow(dead_code, unused_imports, unused_macros))]

#[cfg(feature = "alloc")]
extern crate alloc;

/// Guides: the files of the folder `docs`. This module is in the documentation only.
#[cfg(any(doc, doctest))]
pub mod docs {
    #[doc = include_str!("../docs/links.md")]
    #[doc = include_str!("../docs/firmware.md")]
    pub mod firmware {}

    #[doc = include_str!("../docs/links.md")]
    #[doc = include_str!("../docs/kernels.md")]
    pub mod kernels {}

    #[doc = include_str!("../docs/links.md")]
    #[doc = include_str!("../docs/servers.md")]
    pub mod servers {}

    #[doc = include_str!("../docs/links.md")]
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}

    #[doc = include_str!("../docs/tuning.md")]
    pub mod tuning {}
}

mod backoff;
mod bulk;
mod engine;
mod error;
mod handle;
#[cfg(feature = "alloc")]
mod heap;
mod interrupt;
mod layout;
#[cfg(feature = "alloc")]
mod list;
mod model;
#[cfg(feature = "alloc")]
mod reclaim;
mod small;
mod source;
mod stack;
mod stats;
mod sync;
mod treiber;

pub use backoff::{Backoff, Elimination, Exponential, NoBackoff};
pub use bulk::{IntoIter, TakeAll};
pub use engine::{DefaultEngine, Engine};
pub use error::{NoSlot, OutOfMemory, PushError, PushErrorKind, Rest};
pub use handle::Handle;
pub use interrupt::Interrupt;
#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub use reclaim::Haphazard;
#[cfg(feature = "alloc")]
pub use reclaim::{Reclaim, Slots};
pub use small::Fixed;
#[cfg(feature = "critical-section")]
pub use small::Masked;
#[doc(no_inline)]
pub use spin::RelaxStrategy;
pub use stack::Stack;
#[cfg(feature = "stats")]
pub use stats::Stats;
