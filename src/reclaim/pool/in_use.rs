//! The slots that a scan reads, and what it wants to know of them.

use super::further::Further;
use super::slot::{Slot, claimed};
use super::{Place, Pool};
use crate::layout::{FAST_PATHS, IfFast};
use crate::sync::{AcqRel, READ_HAZARD};
use crate::treiber::{Node, NodePtr};
use core::iter;
use core::ptr::{self, NonNull};

/// The slots in place, and the further ones down from the newest that was in use at some moment. A scan that has asked for this
/// after its barrier finds all hazards in these slots that it has to see (SLOT-5).
pub(crate) struct InUse<'a, T, P, const N: usize> {
    pub(super) pool: &'a Pool<T, P, N>,
    pub(super) newest: IfFast<*mut Further<T, P>>,
}

impl<T, P, const N: usize> Clone for InUse<'_, T, P, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P, const N: usize> Copy for InUse<'_, T, P, N> {}

impl<'a, T, P, const N: usize> InUse<'a, T, P, N> {
    #[inline(always)]
    pub(super) fn newest(self) -> *mut Further<T, P> {
        self.newest.get().map_or_else(|| self.pool.used(), |newest| *newest)
    }

    pub(crate) fn count(self) -> usize {
        N + Pool::<T, P, N>::number(self.newest())
    }

    pub(super) fn further(self) -> impl Iterator<Item = Place<'a, T, P>> {
        let mut next = self.newest();
        iter::from_fn(move || {
            // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
            let further = unsafe { next.as_ref() }?;
            next = further.older;
            Some(Place::of(further))
        })
    }

    /// A slot whose word is from `least` to `least + span` when it is looked at, if there is one. Begins with the slot in place
    /// of index `start`.
    #[inline(never)]
    pub(super) fn find(self, start: usize, least: usize, span: usize) -> Option<Place<'a, T, P>> {
        let matches = |slot: &Slot<T, P>| slot.word.load(READ_HAZARD).addr().wrapping_sub(least) <= span;
        for index in 0..N {
            let slot = &self.pool.slots[if FAST_PATHS { (start + index) % N } else { index }];
            if matches(slot) {
                return Some(Place::new(slot, ptr::null_mut()));
            }
        }
        self.further().find(|place| matches(place.slot))
    }

    pub(crate) fn protects_any(self) -> bool {
        let first = claimed::<T>().addr() + 1;
        // CHEAPER: after a yes the scan looks for each node's hazard in vain, which only takes time.
        self.find(0, first, usize::MAX - first).is_some()
    }

    /// A slot that protects `node`, if there is one.
    #[inline(always)]
    pub(crate) fn protector(self, node: NodePtr<T>) -> Option<Place<'a, T, P>> {
        self.find(0, node.as_ptr().addr(), 0)
    }

    /// The nodes that are protected.
    #[inline(always)]
    pub(crate) fn hazards(self) -> impl Iterator<Item = *mut Node<T>> {
        let in_place = self.pool.slots.iter().map(|slot| &slot.0);
        let slots = in_place.chain(self.further().map(|place| place.slot));
        // A node's address has bits that neither a free slot nor a claimed one has.
        slots.map(|slot| slot.word.load(READ_HAZARD)).filter(|word| word.addr() & !claimed::<T>().addr() != 0)
    }
}

impl<T, P> Place<'_, T, P> {
    /// Gives `node`, which is retired, to the owner of this slot, which protects it, or did. Returns what the caller has to retire
    /// instead: nothing, or what was given to that slot before, and may have been unlinked after the caller's barrier, so that it
    /// takes another one; or the same node, where code is short.
    ///
    /// So the node that a resting owner keeps waits in that owner's slot, and not in a list that would be scanned the sooner for
    /// it.
    #[inline(always)]
    pub(crate) fn give(self, node: NodePtr<T>) -> Option<NodePtr<T>> {
        let Some(given) = self.slot.given.get() else { return Some(node) };
        // Release pairs with the Acquire of `take_given`: the node was unlinked, and its body written, before what is done there.
        // Acquire pairs with the Release of whoever gave the other node, since that one was unlinked before, too.
        // UNTESTED: in the form of the barrier that loom checks, a scan's fence follows, and is an Acquire as well.
        NonNull::new(given.swap(node.as_ptr(), AcqRel))
    }
}
