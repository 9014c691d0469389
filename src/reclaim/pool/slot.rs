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
//! A node is protected by a pop that found it on top, or kept by the owner, who has pushed it.
//!
//! The rules SLOT-1 to SLOT-5 are the [`pool`](super)'s.

use crate::layout::{IfFast, in_this_order};
use crate::stats::Counters;
use crate::sync::{AtomicPtr, CLAIM, Initial, MutPtr, Relaxed, Release, UnsafeCell, initial, publish};
use crate::treiber::{Node, NodePtr};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
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
    pub struct Slot<T, P> {
        pub(super) word: AtomicPtr<Node<T>>,
        /// Written by the owner, read by everybody.
        pub(crate) counters: Counters,
        pub(super) private: UnsafeCell<P>,
        /// Which further slot it is; 0 if it is in place. Written before the slot is added, and never again.
        pub(super) number: IfFast<usize>,
    }
}

initial! { impl[T, P: Initial] Slot<T, P> = Slot {
    word: AtomicPtr::new(free()),
    counters: initial!(Counters),
    private: UnsafeCell::new(initial!(P)),
    number: IfFast::new(0),
} }

impl<T, P> Slot<T, P> {
    /// Takes the slot if it is free; `word` is [`claimed`] or a node to protect.
    #[inline(always)]
    pub(super) fn try_claim(&self, word: *mut Node<T>) -> Option<Owner<'_, T, P>> {
        // Weak: who fails for no reason comes back.
        self.word.compare_exchange_weak(free(), word, CLAIM, Relaxed).ok().map(|_| Owner(self))
    }
}

/// The right of a slot's owner to the slot (SLOT-1, SLOT-2), which ends with [`Owner::leave`]. All copies are in the hands of one
/// context, which looks at the private part once at a time.
pub struct Owner<'a, T, P>(pub(super) &'a Slot<T, P>);

impl<T, P> Clone for Owner<'_, T, P> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P> Copy for Owner<'_, T, P> {}

/// A slot's private part, while its owner looks at it.
pub(crate) struct PrivateRef<'a, P> {
    pointer: MutPtr<P>,
    owner: PhantomData<&'a mut P>,
}

impl<P> Deref for PrivateRef<'_, P> {
    type Target = P;

    #[inline(always)]
    fn deref(&self) -> &P {
        // SAFETY: SLOT-2: made by the slot's owner, who looks once at a time.
        unsafe { self.pointer.deref() }
    }
}

impl<P> DerefMut for PrivateRef<'_, P> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut P {
        // SAFETY: SLOT-2: made by the slot's owner, who looks once at a time.
        unsafe { self.pointer.deref() }
    }
}

impl<'a, T, P> Owner<'a, T, P> {
    /// What the owner alone may touch.
    #[inline(always)]
    pub(crate) fn private(self) -> PrivateRef<'a, P> {
        PrivateRef { pointer: self.0.private.get_mut(), owner: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn counters(self) -> &'a Counters {
        &self.0.counters
    }

    /// Protects `node` instead of what was protected before.
    #[inline(always)]
    pub(crate) fn protect(self, node: NodePtr<T>) {
        publish(&self.0.word, node.as_ptr());
    }

    /// Keeps `node`, which is ours, protected instead of what was protected before.
    #[inline(always)]
    pub(crate) fn keep(self, node: NodePtr<T>) {
        // Release pairs with `READ_HAZARD` (BARRIER-3): a pop that lost the race for the node protected before has read it.
        // UNTESTED: in a model a slot has got its node for a push since such a pop, behind a full barrier, unless it pushes one again.
        self.0.word.store(node.as_ptr(), Release);
    }

    /// The node that is kept, if there is one; while no pop protects one.
    #[inline(always)]
    pub(crate) fn kept(self) -> Option<NodePtr<T>> {
        // Relaxed: nobody else writes the word (SLOT-1).
        let word = self.0.word.load(Relaxed);
        // SAFETY: SLOT-1: the slot has an owner, so the word is not null.
        (word != claimed()).then(|| unsafe { NonNull::new_unchecked(word) })
    }

    /// Protects nothing any more.
    #[inline(always)]
    pub(crate) fn unprotect(self) {
        // Release pairs with `READ_HAZARD` (BARRIER-3).
        self.0.word.store(claimed(), Release);
    }

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// No copy of this is used afterwards.
    #[inline(always)]
    pub(crate) unsafe fn leave(self) {
        // Release pairs with the Acquire of the next claim (SLOT-2), and with `READ_HAZARD` (BARRIER-3).
        self.0.word.store(free(), Release);
    }
}
