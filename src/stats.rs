//! Counters, behind the feature `stats`.
//!
//! Each slot has its own, which its owner alone writes: a relaxed load and a relaxed store, no
//! read-modify-write. Without the feature the type is empty and counting is nothing.

use crate::sync::initial;
#[cfg(feature = "stats")]
use crate::sync::{AtomicUsize, Relaxed};

/// What the counters of one stack add up to, from [`Stack::stats`](crate::Stack::stats).
///
/// All are counts since the stack was made. Taken while others use the stack, the numbers need not belong to
/// one moment. A pop that found the stack empty at once is not counted.
#[cfg(feature = "stats")]
#[cfg_attr(docsrs, doc(cfg(feature = "stats")))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stats {
    /// Values pushed, one by one or with `push_all`.
    pub pushes: usize,
    /// Values popped, one by one or out of a `TakeAll`, which counts them when it lets their nodes go.
    pub pops: usize,
    /// Attempts on the head, by pushes and pops, that another context was faster in.
    pub lost_races: usize,
    /// Pushes that handed their value to a pop in the elimination array.
    pub eliminated_pushes: usize,
    /// Pops that took their value from a push in the elimination array.
    pub eliminated_pops: usize,
    /// Offers taken back from the elimination array because nobody came.
    pub withdrawals: usize,
    /// Scans of the hazards.
    pub scans: usize,
    /// Nodes that are retired now: unlinked, but not yet known to be unprotected.
    pub retired: usize,
    /// At most so many nodes were retired at once: the sum of the highest number of each slot.
    pub retired_peak: usize,
    /// Calls of the allocator, for nodes and to give them back.
    pub allocator_calls: usize,
}

/// Declares the counters once: those that count up, and those that are set.
macro_rules! counters {
    (count: $($count:ident),*; set: $($set:ident),*) => {
        /// The counters of one slot.
        #[cfg(feature = "stats")]
        pub struct Counters { $($count: Counter,)* $($set: Counter,)* }

        #[cfg(feature = "stats")]
        initial! { impl[] Counters { $($count,)* $($set),* } }

        #[cfg(feature = "stats")]
        impl Stats {
            pub(crate) fn add(&mut self, counters: &Counters) {
                $(self.$count = self.$count.wrapping_add(counters.$count.get());)*
                $(self.$set = self.$set.wrapping_add(counters.$set.get());)*
            }
        }

        #[allow(clippy::unused_self, clippy::used_underscore_binding, reason = "without the feature nothing is used")]
        impl Counters {
            $(
                #[inline(always)]
                pub(crate) fn $count(&self, _more: usize) {
                    #[cfg(feature = "stats")]
                    self.$count.set(self.$count.get().wrapping_add(_more));
                }
            )*
        }
    };
}

counters! {
    count: pushes, pops, lost_races, eliminated_pushes, eliminated_pops, withdrawals, scans, allocator_calls;
    set: retired, retired_peak
}

/// The counters of one slot: none.
#[cfg(not(feature = "stats"))]
pub struct Counters;

#[cfg(not(feature = "stats"))]
initial! { impl[] Counters = Counters }

#[allow(clippy::unused_self, clippy::used_underscore_binding, reason = "without the feature nothing is used")]
impl Counters {
    /// Notes how many nodes the slot has retired now.
    #[inline(always)]
    pub(crate) fn set_retired(&self, _now: usize) {
        #[cfg(feature = "stats")]
        {
            self.retired.set(_now);
            self.retired_peak.set(self.retired_peak.get().max(_now));
        }
    }
}

/// A number that one context writes and all may read.
#[cfg(feature = "stats")]
struct Counter(AtomicUsize);

#[cfg(feature = "stats")]
initial! { impl[] Counter { 0 } }

#[cfg(feature = "stats")]
impl Counter {
    #[inline(always)]
    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, value: usize) {
        self.0.store(value, Relaxed);
    }
}
