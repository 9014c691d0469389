//! What goes on inside a slot, out of the common case: nodes for one that has none, scans, surplus.

use super::{Guard, Slots};
use crate::engine::Permit;
use crate::layout::{FAST_PATHS, slow_path};
use crate::model::{self, limit};
use crate::reclaim::chain::List;
use crate::reclaim::pool::{Hazards, InUse};
use crate::reclaim::sealed::Heap;
use crate::sync::{Initial, scan_barrier};
use crate::treiber::NodePtr;

/// Entries of the table of hazards with up to 32 slots in use, and with more: 512 bytes and 4 KiB of the context's stack, on 64
/// bits. tuning.md, "What each optimisation is worth".
const FEW_ENTRIES: usize = 64;
const MANY_ENTRIES: usize = 512;

impl<T, L: Initial, const N: usize> Guard<'_, T, L, N> {
    /// Takes a batch out of the depot. Returns the first node, which has to be pushed or retired (DEPOT-1); the others become the
    /// slot's spare nodes, of which it has none before (DEPOT-2).
    #[inline(never)]
    pub(super) fn take_batch(self) -> Option<NodePtr<T>> {
        let batch = self.pool.shared.take(Slots::<N>::BATCH, |node| self.protect(node));
        // This may be a handle's slot, and stay for long; its hazard would make others' scans look at each node.
        self.unprotect();
        let (first, rest) = batch?;
        self.with(|private| private.spare = rest);
        Some(first)
    }

    /// Scans the hazards and makes retired nodes that nobody protects spare ones, in this slot or in the depot.
    ///
    /// A retired node was unlinked by a read-modify-write of the head, before the barrier here. So for each slot either its
    /// owner's hazard is seen here, or the owner finds the head changed when it looks again (BARRIER-1). A node seen unprotected
    /// stays so, because it is no longer at the head for anybody to protect.
    #[cold]
    #[inline(never)]
    pub(super) fn scan(self) {
        // Our own hazard, if any, is on a node that this context is done with.
        self.unprotect();
        self.counters().scans(1);
        scan_barrier();
        let slots = self.pool.in_use();
        let protects_any = slots.protects_any();
        let (before, has_spare) = self.with(|private| (private.retired.len(), !private.spare.is_empty()));
        // If nobody protects anything, no look at each node is needed: either there are no spare nodes, or pops outnumber pushes
        // here, and there is a batch for others. More than a batch may be retired where many slots were in use.
        // CHEAPER: where this is left out, sorting them one by one comes to the same, and takes longer.
        if FAST_PATHS && !protects_any && before <= Slots::<N>::BATCH && !has_spare {
            self.with(|private| private.spare = private.retired.take());
        } else if FAST_PATHS && !protects_any && before == Slots::<N>::BATCH {
            let batch = self.with(|private| private.retired.take());
            // SAFETY: DEPOT-3: there is no hazard.
            unsafe { self.pool.shared.put(batch, Slots::<N>::BATCH) };
        } else {
            self.sort(slots, protects_any);
        }
        self.count_retired();
        // So scans are short again once a crowd has gone.
        self.pool.forget_unused(slots);
    }

    /// Frees this slot's spare nodes. Returns how many.
    pub(super) fn free_spare(self) -> usize {
        // SAFETY: NODES-1.
        let freed = self.with(|private| unsafe { private.spare.free() });
        self.counters().allocator_calls(freed);
        freed
    }

    /// Frees this slot's spare nodes, and takes others from the depot; whether there were any. What is freed is counted in the
    /// depot no more, so as much stays there as has to.
    #[cold]
    #[inline(never)]
    pub(super) fn free_surplus(self) -> bool {
        self.free_spare();
        let Some(node) = self.take_batch() else { return false };
        // SAFETY: DEPOT-1: the node is ours.
        unsafe { Slots::retire(self, node) };
        Slots::settle(self, Permit::Nothing);
        true
    }

    slow_path! {
        /// Looks at the hazards, and at each retired node.
        fn sort(self, slots: InUse<'_, T, Slots<N>, L>, protects_any: bool) {
            let nodes = self.with(|private| private.retired.take());
            if !FAST_PATHS {
                self.make_spare(nodes, |node| protects_any && slots.protects(node));
                return;
            }
            // CHEAPER: a larger table takes longer to clear, a smaller one has to be filled more often.
            if slots.count() <= FEW_ENTRIES / 2 {
                self.sort_by_table::<FEW_ENTRIES>(nodes, slots);
            } else {
                self.sort_by_table::<MANY_ENTRIES>(nodes, slots);
            }
            self.with(|private| {
                let crowd = private.retired.len().saturating_sub(N);
                // As many again, so that each node pays for a look at one other; but not more than half of what the depot has
                // room for.
                let more = crowd.min(Slots::<N>::DEPOT_LIMIT.saturating_sub(Slots::<N>::BATCH) / 2);
                // Without it scans in a crowd make few nodes spare, and so there are more of them.
                private.retired.let_wait(limit(crowd + more, model::WAITING));
            });
        }
    }

    /// Has a table of hazards on the context's stack, which is no larger than need be.
    #[inline(never)]
    fn sort_by_table<const ENTRIES: usize>(self, mut nodes: List<T>, slots: InUse<'_, T, Slots<N>, L>) {
        let mut hazards = Hazards::<T, ENTRIES>::new();
        for node in slots.hazards() {
            hazards.add(node, |hazards| {
                self.with(|private| private.retired.move_from(&mut nodes, |node| hazards.protect(node)));
            });
        }
        self.make_spare(nodes, |node| hazards.protect(node));
    }

    /// Retires again those of the nodes that are protected, makes the others spare, and passes what is too much of spare ones on
    /// to the depot.
    #[inline(always)]
    fn make_spare(self, mut nodes: List<T>, is_protected: impl Fn(NodePtr<T>) -> bool) {
        let mut spares = self.with(|private| private.spare.count());
        debug_assert!(spares <= Slots::<N>::BATCH, "NODES-3");
        while let Some(node) = nodes.pop() {
            // SAFETY: the nodes were in our list. What is not protected becomes spare (NODES-1), and may be put in the depot
            // (DEPOT-3).
            unsafe {
                if is_protected(node) {
                    self.with(|private| private.retired.push(node));
                } else {
                    if spares == Slots::<N>::BATCH {
                        self.pool.shared.put(self.with(|private| private.spare.take()), Slots::<N>::BATCH);
                        spares = 0;
                    }
                    self.with(|private| private.spare.push(node));
                    spares += 1;
                }
            }
        }
    }
}
