#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod backoff;
mod bulk;
mod error;
mod handle;
mod layout;
mod model;
mod operation;
mod reclaim;
mod stack;
mod stats;
mod sync;
mod treiber;

pub use backoff::{Backoff, Elimination, Exponential, NoBackoff};
pub use bulk::{IntoIter, TakeAll};
pub use error::{NoSlot, OutOfMemory, PushError, PushErrorKind};
pub use handle::Handle;
#[cfg(target_has_atomic = "ptr")]
pub use reclaim::Haphazard;
pub use reclaim::{Reclaim, Slots};
#[doc(no_inline)]
pub use spin::RelaxStrategy;
pub use stack::Stack;
#[cfg(feature = "stats")]
pub use stats::Stats;
