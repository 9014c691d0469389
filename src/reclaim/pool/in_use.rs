//! The slots that a scan reads, and what it wants to know of them.

use super::Pool;
use super::further::Further;
use super::slot::{Slot, claimed};
use crate::layout::{FAST_PATHS, IfFast};
use crate::reclaim::sealed::Heap;
use crate::sync::{Initial, READ_HAZARD, hash};
use crate::treiber::{Node, NodePtr};
use core::iter;
use core::ptr;

/// The slots in place, and the further ones down from the newest that was in use at some moment. A scan that has asked for this
/// after its barrier finds all hazards in these slots that it has to see (SLOT-5).
pub(crate) struct InUse<'a, T, R: Heap, L: Initial> {
    pub(super) pool: &'a Pool<T, R, L>,
    pub(super) newest: IfFast<*mut Further<T, R, L>>,
}

impl<T, R: Heap, L: Initial> Clone for InUse<'_, T, R, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, R: Heap, L: Initial> Copy for InUse<'_, T, R, L> {}

impl<'a, T, R: Heap, L: Initial> InUse<'a, T, R, L> {
    #[inline(always)]
    pub(super) fn newest(self) -> *mut Further<T, R, L> {
        self.newest.get().map_or_else(|| self.pool.used(), |newest| *newest)
    }

    pub(crate) fn count(self) -> usize {
        self.pool.in_place().len() + Pool::number(self.newest())
    }

    pub(super) fn further(self) -> impl Iterator<Item = &'a Slot<T, R, L>> {
        let mut next = self.newest();
        iter::from_fn(move || {
            // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
            let further = unsafe { next.as_ref() }?;
            next = further.older;
            Some(&further.slot)
        })
    }

    /// A slot whose word is from `least` to `least + span` when it is looked at, if there is one. Begins with the slot in place
    /// of index `start`.
    #[inline(never)]
    pub(super) fn find(self, start: usize, least: usize, span: usize) -> Option<&'a Slot<T, R, L>> {
        let matches = |slot: &Slot<T, R, L>| slot.word.load(READ_HAZARD).addr().wrapping_sub(least) <= span;
        let in_place = self.pool.in_place();
        for index in 0..in_place.len() {
            let slot = &in_place[if FAST_PATHS { (start + index) % in_place.len() } else { index }];
            if matches(slot) {
                return Some(slot);
            }
        }
        self.further().find(|slot| matches(slot))
    }

    #[inline(always)]
    pub(crate) fn protects_any(self) -> bool {
        let any = if FAST_PATHS {
            self.words().fold(0, |all, word| all | protected(word)) != 0
        } else {
            let first = claimed::<T>().addr() + 1;
            self.find(0, first, usize::MAX - first).is_some()
        };
        // CHEAPER: after a yes the scan looks for each node's hazard in vain, which only takes time.
        any
    }

    /// Whether a slot protects `node`.
    #[inline(always)]
    pub(crate) fn protects(self, node: NodePtr<T>) -> bool {
        // UNTESTED: by what runs on this machine, since scans ask where code is short alone. `cortex-m4-sweep-careless` in
        // `ci/firmware` is a scan that does not, and is noticed.
        self.find(0, node.as_ptr().addr(), 0).is_some()
    }

    /// The nodes that are protected.
    #[inline(always)]
    pub(crate) fn hazards(self) -> impl Iterator<Item = *mut Node<T>> {
        self.words().filter(|word| protected(*word) != 0)
    }

    #[inline(always)]
    fn words(self) -> impl Iterator<Item = *mut Node<T>> {
        let in_place = self.pool.in_place().iter().map(|slot| &slot.0);
        in_place.chain(self.further()).map(|slot| slot.word.load(READ_HAZARD))
    }
}

/// The address of the node that a slot's word protects, or 0: it has bits that neither a free slot nor a claimed one has.
#[inline(always)]
fn protected<T>(word: *mut Node<T>) -> usize {
    word.addr() & !claimed::<T>().addr()
}

/// Some of the nodes that are protected: a hash table, whose entries are null or a node, which is in the first free one from
/// its hash on. There are a power of two.
pub(crate) struct Hazards<T, const ENTRIES: usize> {
    nodes: [*mut Node<T>; ENTRIES],
    len: usize,
}

impl<T, const ENTRIES: usize> Hazards<T, ENTRIES> {
    pub(crate) fn new() -> Self {
        Self { nodes: [ptr::null_mut(); ENTRIES], len: 0 }
    }

    /// Adds one. If half of the table is full, `visit` first gets it, and then it is empty.
    #[inline(always)]
    pub(crate) fn add(&mut self, node: *mut Node<T>, visit: impl FnOnce(&Self)) {
        if self.len == ENTRIES / 2 {
            visit(self);
            *self = Self::new();
        }
        let entry = self.entry(node);
        self.nodes[entry] = node;
        self.len += 1;
    }

    #[inline(always)]
    pub(crate) fn protect(&self, node: NodePtr<T>) -> bool {
        !self.nodes[self.entry(node.as_ptr())].is_null()
    }

    /// Where the node is, or would be.
    #[inline(always)]
    fn entry(&self, node: *mut Node<T>) -> usize {
        let mut entry = (hash(node.addr()) >> (u32::BITS - ENTRIES.ilog2())) as usize;
        while !self.nodes[entry].is_null() && self.nodes[entry] != node {
            entry = (entry + 1) % ENTRIES;
        }
        entry
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    extern crate std;

    use super::*;
    use core::ptr::NonNull;
    use std::vec::Vec;

    const ENTRIES: usize = 64;
    type Table = Hazards<u32, ENTRIES>;

    /// Each node that was added is found, and no other, also where many have the same hash; and a full table is looked at first.
    #[test]
    fn hazards_are_found() {
        let nodes = || (1..).filter_map(|number| NonNull::new(ptr::without_provenance_mut::<Node<u32>>(16 * number)));
        let at_the_end = |node: &NodePtr<u32>| Table::new().entry(node.as_ptr()) >= ENTRIES - 2;
        let all: [Vec<_>; 2] = [nodes().take(ENTRIES).collect(), nodes().filter(at_the_end).take(ENTRIES).collect()];
        for all in all {
            let (added, others) = all.split_at(ENTRIES / 2);
            let mut hazards = Table::new();
            for node in added {
                hazards.add(node.as_ptr(), |_| panic!("there is room"));
            }
            let found =
                |hazards: &Table| all.iter().filter(|node| hazards.protect(**node)).copied().collect::<Vec<_>>();
            assert_eq!(found(&hazards), added);
            let mut looked_at = None;
            hazards.add(others[0].as_ptr(), |full| looked_at = Some(found(full)));
            assert_eq!(looked_at.as_deref(), Some(added));
            assert_eq!(found(&hazards), [others[0]]);
        }
    }
}
