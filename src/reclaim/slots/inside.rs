//! What goes on inside a slot, out of the common case: nodes for one that has none, scans, surplus.

use super::{Private, Slots, SlotsDomain, SlotsGuard};
use crate::backoff::sealed::Local;
use crate::engine::Permit;
use crate::layout::{FAST_PATHS, slow_path};
use crate::reclaim::chain::Retired;
use crate::reclaim::pool::InUse;
use crate::sync::{hash, scan_barrier};
use crate::treiber::{Node, NodePtr};
use core::mem;
use core::ops::BitOr;

impl<T, L: Local, const N: usize> SlotsGuard<'_, T, L, N> {
    /// A node for a slot that has no spare one.
    #[cold]
    #[inline(never)]
    pub(super) fn find_node(self, permit: Permit) -> Option<NodePtr<T>> {
        // Where code is short this is left out: then a slot holds as many nodes as it may retire.
        if FAST_PATHS && self.retired() >= Slots::<N>::SCAN_LIMIT {
            if let Some(node) = self.own_retired() {
                return Some(node);
            }
        }
        if let Some(node) = self.take_batch() {
            return Some(node);
        }
        if permit == Permit::All {
            self.owner.counters().allocator_calls(1);
            if let Some(node) = Node::allocate() {
                return Some(node);
            }
        }
        self.own_retired()
    }

    /// A node of this slot, which has no spare one, if a scan finds one of its retired nodes unprotected.
    pub(super) fn own_retired(self) -> Option<NodePtr<T>> {
        self.collect_given();
        // CHEAPER: a scan of nothing takes time, in each slot that a crowd has left.
        if FAST_PATHS && self.retired() == 0 {
            return None;
        }
        self.scan(Extent::Part);
        self.owner.private().spare.pop_exclusive()
    }

    /// Retires the node that was given to this slot, for the scan that follows, which takes the slot's own hazard away at first.
    #[inline(always)]
    fn collect_given(self) {
        if let Some(node) = self.owner.take_given() {
            // SAFETY: the node is ours since it was taken out.
            unsafe { self.owner.private().retired.push(node) };
        }
    }

    /// Takes a batch out of the depot. Returns the first node, which has to be pushed or retired (DEPOT-1); the others become the
    /// slot's spare nodes, of which it has none before (DEPOT-2).
    #[inline(never)]
    fn take_batch(self) -> Option<NodePtr<T>> {
        let owner = self.owner;
        let batch = self.domain.depot.take(Slots::<N>::BATCH, |node| owner.protect(node));
        // The owner may be a handle, and stay for long; its hazard would make others' scans look at each node.
        owner.unprotect();
        let (first, rest) = batch?;
        owner.private().spare = rest;
        Some(first)
    }

    /// Scans the hazards and makes retired nodes that nobody protects spare ones, in this slot or in the depot: all, or some if
    /// there are many to look at.
    ///
    /// A retired node was unlinked by a read-modify-write of the head, before the barrier here. So for each slot either its
    /// owner's hazard is seen here, or the owner finds the head changed when it looks again (BARRIER-1). A node seen unprotected
    /// stays so, because it is no longer at the head for anybody to protect.
    #[cold]
    #[inline(never)]
    pub(super) fn scan(self, extent: Extent) {
        // Our own hazard, if any, is on a node that this context is done with.
        self.owner.unprotect();
        self.owner.counters().scans(1);
        self.collect_given();
        scan_barrier();
        let slots = self.domain.pool.in_use();
        let filter = filter(slots);
        {
            let mut private = self.owner.private();
            let private = &mut *private;
            let before = private.retired.len();
            // If nobody protects anything, no look at each node is needed: either there are no spare nodes, or pops
            // outnumber pushes here, and there is a batch for others. More than a batch may be retired where many slots are in
            // use, or a node was given to this one.
            // CHEAPER: where this is left out, sorting them one by one comes to the same, and takes longer.
            if FAST_PATHS && filter == 0 && before <= Slots::<N>::BATCH && private.spare.is_empty() {
                private.spare = private.retired.take();
            } else if FAST_PATHS && filter == 0 && before == Slots::<N>::BATCH {
                // SAFETY: DEPOT-3: there is no hazard.
                unsafe { self.domain.depot.put(private.retired.take(), Slots::<N>::BATCH) };
            } else {
                self.domain.sort(private, slots, filter, extent);
            }
        }
        self.count_retired();
        // So scans are short again once a crowd has gone.
        self.domain.pool.forget_unused(slots);
    }

    /// Frees this slot's spare nodes. Returns how many.
    pub(super) fn free_spare(self) -> usize {
        // SAFETY: NODES-1.
        let freed = unsafe { self.owner.private().spare.free() };
        self.owner.counters().allocator_calls(freed);
        freed
    }

    /// Frees this slot's spare nodes, and takes others from the depot, until that has no surplus. What is freed is counted in the
    /// depot no more, so as much stays there as has to.
    #[cold]
    #[inline(never)]
    pub(super) fn free_surplus(self) {
        loop {
            self.free_spare();
            let Some(node) = self.take_batch() else { break };
            // SAFETY: DEPOT-1: the node is ours.
            unsafe { self.owner.private().retired.push(node) };
            self.scan(Extent::Part);
            if !self.domain.depot.exceeds(Slots::<N>::SURPLUS) {
                break;
            }
        }
    }
}

impl<T, L: Local, const N: usize> SlotsDomain<T, L, N> {
    slow_path! {
        /// Sorts retired nodes one by one, and passes what is too much of spare ones on to the depot.
        fn sort(&self, private: &mut Private<T, L>, slots: InUse<'_, T, Private<T, L>, N>, filter: usize, extent: Extent) {
            // CHEAPER: to look at all of them takes longer at a time.
            let part = FAST_PATHS && extent == Extent::Part;
            // Two at least: since the last scan as many may have come, one that was popped, and one that was given to this slot.
            let mut more = if part { slots.count().max(2) } else { 0 };
            let mut left = private.retired.len();
            let mut nodes = private.retired.take();
            let mut spares = private.spare.count();
            debug_assert!(spares <= Slots::<N>::BATCH, "NODES-3");
            while let Some(node) = nodes.pop() {
                left -= 1;
                // SAFETY: the nodes were in our lists, or we have got them from `give` for some that were. What is not protected
                // becomes spare (NODES-1), and may be put in the depot (DEPOT-3).
                unsafe {
                    // CHEAPER: without the filter the look at all hazards says the same, and takes longer.
                    let protector = if filter & filter_bit(node.as_ptr()) != 0 { slots.protector(node) } else { None };
                    if let Some(protector) = protector {
                        // What comes in exchange may be younger than the barrier here, so it waits for the next scan.
                        if let Some(node) = protector.give(node) {
                            private.retired.push(node);
                        }
                    } else {
                        if spares == Slots::<N>::BATCH {
                            self.depot.put(private.spare.take(), Slots::<N>::BATCH);
                            spares = 0;
                        }
                        private.spare.push(node);
                        spares += 1;
                        if part {
                            more -= 1;
                            if more == 0 {
                                break;
                            }
                        }
                    }
                }
            }
            if FAST_PATHS {
                let mut protected = mem::replace(&mut private.retired, Retired::new(nodes, left)).take();
                while let Some(node) = protected.pop() {
                    // SAFETY: the nodes are retired.
                    unsafe { private.retired.push(node) };
                }
            }
        }
    }
}

/// Reads the hazards. Returns a bit for each of them, see [`filter_bit`], so that nearly all nodes pass without a look at each
/// hazard for each node. Where code is short, all bits or none.
#[inline(always)]
fn filter<T, P, const N: usize>(slots: InUse<'_, T, P, N>) -> usize {
    if !FAST_PATHS {
        // CHEAPER: with all bits a scan looks for each node's hazard in vain, which only takes time.
        return if slots.protects_any() { usize::MAX } else { 0 };
    }
    slots.hazards().map(filter_bit).fold(0, BitOr::bitor)
}

/// How many nodes a scan sorts one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// Until as many have become spare as there are slots. See "Whole chains" in [`slots`](super).
    Part,
}

/// One of a word's bits, chosen by a node's address.
fn filter_bit<T>(node: *mut Node<T>) -> usize {
    1 << (hash(node.addr()) >> (u32::BITS - usize::BITS.ilog2()))
}
