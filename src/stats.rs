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
/// one moment. A pop that found nothing is not counted, but the races that it lost are.
#[cfg(feature = "stats")]
#[cfg_attr(docsrs, doc(cfg(feature = "stats")))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stats {
    /// Values pushed, one by one or with `push_all`.
    pub pushes: usize,
    /// Values popped, one by one or out of a `TakeAll`, which counts them when it lets their nodes go.
    pub pops: usize,
    /// Attempts on the head, by pushes and pops, that another context was faster in; but for those of a handle that takes what it
    /// keeps for the top.
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
        pub struct Counters { $($count: Counter,)* $($set: Counter),* }

        initial! { impl[] Counters { $($count,)* $($set),* } }

        #[cfg(feature = "stats")]
        impl Stats {
            pub(crate) fn add(&mut self, counters: &Counters) {
                $(self.$count = self.$count.wrapping_add(counters.$count.get());)*
                $(self.$set = self.$set.wrapping_add(counters.$set.get());)*
            }
        }

        impl Counters {
            $(
                #[inline(always)]
                pub(crate) fn $count(&self, more: usize) {
                    self.$count.set(self.$count.get().wrapping_add(more));
                }
            )*
        }
    };
}

counters! {
    count: pushes, pops, lost_races, eliminated_pushes, eliminated_pops, withdrawals, scans, allocator_calls;
    set: retired, retired_peak
}

impl Counters {
    /// Notes how many nodes the slot has retired now.
    #[inline(always)]
    pub(crate) fn set_retired(&self, now: usize) {
        self.retired.set(now);
        self.retired_peak.set(self.retired_peak.get().max(now));
    }
}

/// A number that one context writes and all may read; without the feature nothing.
struct Counter {
    #[cfg(feature = "stats")]
    number: AtomicUsize,
}

initial! { impl[] Counter = Self {
    #[cfg(feature = "stats")]
    number: initial!(_),
} }

#[cfg(feature = "stats")]
impl Counter {
    #[inline(always)]
    fn get(&self) -> usize {
        self.number.load(Relaxed)
    }

    #[inline(always)]
    fn set(&self, number: usize) {
        self.number.store(number, Relaxed);
    }
}

#[cfg(not(feature = "stats"))]
#[expect(clippy::unused_self, reason = "there is nothing to use")]
impl Counter {
    #[inline(always)]
    fn get(&self) -> usize {
        0
    }

    #[inline(always)]
    fn set(&self, _: usize) {}
}
