//! One slot: its word, which says who owns it and what its owner protects, and what the owner alone may touch.
//!
//! # States of a slot's word
//!
//! ```text
//!                 claim(CLAIMED)               protect(node), keep(node)
//!          FREE ----------------> CLAIMED (sentinel) --------------> node (protected)
//!           ^ ^                      |   ^                            |   |  ^
//!           | +----- leave ----------+   +------- unprotect ----------+   |  | protect(other), keep(other)
//!           +------------------------------- leave -----------------------+--+
//!          FREE ----------------- claim(node) -----------------------> node
//! ```
//!
//! `FREE` is what [`free`] returns, and `CLAIMED` what [`claimed`] does. A node is protected by a pop that found it on top, or
//! kept by the owner, who has pushed it.
//!
//! The rules SLOT-1 to SLOT-5 are the [`pool`](super)'s.

use super::{Further, Pool};
use crate::layout::{IfFast, in_this_order};
use crate::reclaim::{Private, sealed::Heap};
use crate::stats::Counters;
use crate::sync::{AtomicPtr, CLAIM, Initial, Relaxed, Release, UnsafeCell, initial, publish};
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};

/// Nobody owns the slot.
pub(super) const fn free<T>() -> *mut Node<T> {
    ptr::null_mut()
}

/// Somebody owns the slot, and protects nothing. No node has this address, since nodes are aligned.
pub(super) const fn claimed<T>() -> *mut Node<T> {
    ptr::without_provenance_mut(1)
}

in_this_order! {
    /// One hazard, plus what its owner alone may touch.
    pub struct Slot<T, R: Heap, L: Initial> {
        pub(super) word: AtomicPtr<Node<T>>,
        /// Written by the owner, read by everybody.
        pub(super) counters: Counters,
        pub(super) private: UnsafeCell<Private<T, R, L>>,
        /// The further slot that this is; null if it is in place. Written before the slot is added, and never again. Not noted
        /// where code is short.
        further: IfFast<*mut Further<T, R, L>>,
        /// Of a slot in place: what stands for the slot that was claimed last instead of it, as [`Pool::place_of`] says; or null.
        pub(super) instead: IfFast<AtomicPtr<Further<T, R, L>>>,
    }
}

initial! { impl[T, R: Heap, L: Initial] Slot<T, R, L> { word, counters, private, further, instead } }

impl<T, R: Heap, L: Initial> Slot<T, R, L> {
    /// A slot that is not in place, with this word.
    pub(super) fn of(further: *mut Further<T, R, L>, word: *mut Node<T>) -> Self {
        Self { word: AtomicPtr::new(word), further: IfFast::new(further), ..initial!(Self) }
    }

    /// Takes the slot if it is free; `word` is [`claimed`] or a node to protect.
    #[inline(always)]
    pub(super) fn try_claim(&self, word: *mut Node<T>) -> bool {
        // Weak: it may fail for no reason, and who needs the slot tries again.
        self.word.compare_exchange_weak(free(), word, CLAIM, Relaxed).is_ok()
    }

    /// Null if the slot is in place, or where code is short.
    #[inline(always)]
    pub(super) fn further(&self) -> *mut Further<T, R, L> {
        self.further.get().map_or(ptr::null_mut(), |further| *further)
    }
}

/// The right of a slot's owner to the slot (SLOT-1, SLOT-2): two references, to be passed by value. All copies are in the hands
/// of one context, and it ends with [`Heap::leave`] or [`Guard::end_stay`].
pub struct Guard<'a, T, R: Heap, L: Initial> {
    pub(in crate::reclaim) pool: &'a Pool<T, R, L>,
    pub(super) slot: &'a Slot<T, R, L>,
}

impl<T, R: Heap, L: Initial> Clone for Guard<'_, T, R, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, R: Heap, L: Initial> Copy for Guard<'_, T, R, L> {}

impl<'a, T, R: Heap, L: Initial> Guard<'a, T, R, L> {
    /// Gives `action` what the owner alone may touch. `action` must not ask for it again (SLOT-2); loom would object.
    #[inline(always)]
    pub(in crate::reclaim) fn with<O>(self, action: impl FnOnce(&mut Private<T, R, L>) -> O) -> O {
        // SAFETY: SLOT-2: this is the slot's owner, who looks once at a time.
        self.slot.private.with_mut(|private| action(unsafe { &mut *private }))
    }

    #[inline(always)]
    pub(crate) fn counters(self) -> &'a Counters {
        &self.slot.counters
    }

    /// Protects `node` instead of what was protected before.
    #[inline(always)]
    pub(in crate::reclaim) fn protect(self, node: NodePtr<T>) {
        publish(&self.slot.word, node.as_ptr());
    }

    /// Keeps `node`, which is ours, protected instead of what was protected before.
    #[inline(always)]
    pub(in crate::reclaim) fn keep(self, node: NodePtr<T>) {
        // Release pairs with `READ_HAZARD` (BARRIER-3): a pop that lost the race for the node protected before has read it.
        self.slot.word.store(node.as_ptr(), Release);
    }

    /// The node that is kept, if there is one; while no pop protects one.
    #[inline(always)]
    pub(in crate::reclaim) fn kept(self) -> Option<NodePtr<T>> {
        // Relaxed: nobody else writes the word (SLOT-1).
        let word = self.slot.word.load(Relaxed);
        // SAFETY: SLOT-1: the slot has an owner, so the word is not null.
        (word != claimed()).then(|| unsafe { NonNull::new_unchecked(word) })
    }

    /// Protects nothing any more.
    #[inline(always)]
    pub(in crate::reclaim) fn unprotect(self) {
        // Release pairs with `READ_HAZARD` (BARRIER-3).
        self.slot.word.store(claimed(), Release);
    }

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// No copy of this is used afterwards.
    #[inline(always)]
    pub(in crate::reclaim) unsafe fn leave(self) {
        // Release pairs with the Acquire of the next claim (SLOT-2), and with `READ_HAZARD` (BARRIER-3).
        self.slot.word.store(free(), Release);
    }
}
