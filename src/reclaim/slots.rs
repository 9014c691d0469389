//! Engine `Slots<N>`: hazard pointers in claimed slots, and nodes that are used again.
//!
//! # The life of a node
//!
//! ```text
//!   allocator <------------------------------+
//!      |                     surplus         |
//!      v                                     |
//!    push --> list --> pop --> retired --> spare --> push
//!               (or eliminated)     scan     ^ |
//!                                            | v  whole batches
//!                                           depot
//! ```
//!
//! # Invariants
//!
//! 1. A spare node is protected by nobody: it was retired, and a scan after that saw no hazard on it; or it
//!    comes fresh from the allocator. It may be used, freed, or put in the depot.
//! 2. A node that a pop has won, through the head or by elimination, is retired, not spare: a slower context may
//!    protect it, because it was the head, or because it was the first node of a batch in the depot.
//! 3. At rest, a slot holds at most `RETIRE_LIMIT` retired nodes (or as many as there are slots, if these are
//!    more) and at most `SPARE_LIMIT` spare ones.
//!
//! # Bounds
//!
//! All limits are in nodes and depend on `N` alone. The retired list must be longer than the number of hazards,
//! or a scan may find every node protected; four times `N` keeps the cost of a scan at a quarter of a load for
//! each pop and still leaves small systems small. Measured with bursts of 64: a limit of 8 nodes cost 32 ns a
//! pair, 16 nodes 16 ns, and 32 to 1024 the same 14 ns.

use super::chain::Chain;
use super::depot::Depot;
use super::pool::{Claim, FEW, Owner, Pool, Slot};
use super::{Domain, Guard, Permit, sealed};
use crate::OutOfMemory;
use crate::stats::Counters;
use crate::sync::{Initial, hash, initial, scan_barrier};
use crate::treiber::{Node, NodePtr};

/// The default engine: `N` slots in the stack itself, each with one hazard, one list of retired and one of spare
/// nodes; further slots are allocated when all are claimed at once.
///
/// A context (a thread, a core, a level of interrupt) claims a slot for the time of one operation, or as long as
/// it keeps a [`Handle`](crate::Handle). So `N` should be the number of contexts that can be inside at once:
/// on bare metal, cores times (1 + interrupt levels). `N` is at least 1 and below 65536.
///
/// Nodes are used again: in a steady state no call of the allocator is left.
///
/// | bound | nodes |
/// |---|---|
/// | retired in a slot before it scans | [`RETIRE_LIMIT`](Slots::RETIRE_LIMIT) = 4 `N` |
/// | spare in a slot | [`SPARE_LIMIT`](Slots::SPARE_LIMIT) = 4 `N` |
/// | moved to or from the depot at once | [`BATCH`](Slots::BATCH) = 2 `N` |
/// | kept in the depot beyond what is reserved | [`DEPOT_LIMIT`](Slots::DEPOT_LIMIT) = 4 `N`² |
/// | held back by `N` slots and the depot | [`IDLE_NODES`](crate::Stack::IDLE_NODES) = 12 `N`² + 2 `N` - 1 |
///
/// Hazard pointers are from M. Michael, *Hazard pointers: safe memory reclamation for lock-free objects*, TPDS
/// 2004; the depot of batches follows J. Bonwick and J. Adams, *Magazines and vmem*, USENIX 2001.
#[derive(Debug)]
pub enum Slots<const N: usize> {}

// The model checker explores every interleaving, so it gets limits that a few operations reach.
impl<const N: usize> Slots<N> {
    /// Retired nodes in one slot at which its owner scans the hazards.
    pub const RETIRE_LIMIT: usize = if cfg!(loom) { 1 } else { 4 * N };
    /// Spare nodes that one slot keeps.
    pub const SPARE_LIMIT: usize = if cfg!(loom) { 1 } else { 4 * N };
    /// Nodes that go to the depot, or come from it, at once.
    pub const BATCH: usize = if cfg!(loom) { 1 } else { 2 * N };
    /// Nodes that the depot keeps beyond those that are reserved.
    pub const DEPOT_LIMIT: usize = if cfg!(loom) { 2 } else { 4 * N * N };
}

impl<const N: usize> Slots<N> {
    /// Nodes in the depot, beyond those reserved, from which on it gives a batch back.
    const SURPLUS: usize = Self::DEPOT_LIMIT + Self::BATCH;
}

impl<const N: usize> sealed::Engine for Slots<N> {
    const SLOT_NODES: usize = Self::RETIRE_LIMIT + Self::SPARE_LIMIT;
    // A last incomplete batch may stay in the depot above its limit.
    const IDLE_NODES: usize = N * Self::SLOT_NODES + Self::SURPLUS - 1;

    type Domain<T, L: Initial> = SlotsDomain<T, L, N>;
}

/// What the owner of a slot alone touches.
pub struct Private<T, L> {
    retired: Chain<T>,
    spare: Chain<T>,
    local: L,
}

initial! { impl[T, L: Initial] Private<T, L> = Private {
    retired: initial!(Chain<T>),
    spare: initial!(Chain<T>),
    local: initial!(L),
} }

/// The engine's part of one stack.
#[repr(C)]
pub struct SlotsDomain<T, L, const N: usize> {
    depot: Depot<T>,
    pool: Pool<T, Private<T, L>, N>,
}

initial! { impl[T, L: Initial, const N: usize] SlotsDomain<T, L, N> = SlotsDomain {
    pool: initial!(Pool<T, Private<T, L>, N>),
    depot: initial!(Depot<T>),
} }

/// One context in one slot.
pub struct SlotsGuard<'a, T, L, const N: usize> {
    domain: &'a SlotsDomain<T, L, N>,
    claim: Claim<'a, T, Private<T, L>>,
}

/// The same, lent for a while. Two words, passed by value.
struct Inside<'a, T, L, const N: usize> {
    domain: &'a SlotsDomain<T, L, N>,
    owner: Owner<'a, T, Private<T, L>>,
}

// SAFETY: contract 1 is `sort_retired`'s, see there. 2 is invariant 1 of this module and rule 1 of the depot. 3 is
// invariant 2. 4: nothing here calls a closure of the user's or panics.
unsafe impl<T, L: Initial, const N: usize> Domain<T, L> for SlotsDomain<T, L, N> {
    type Guard<'a>
        = SlotsGuard<'a, T, L, N>
    where
        Self: 'a;

    #[inline(always)]
    fn enter(&self, permit: Permit) -> Option<Self::Guard<'_>> {
        Some(self.guard(self.pool.claim(permit == Permit::Allocator)?))
    }

    #[inline(always)]
    fn enter_protecting(&self, node: NodePtr<T>) -> Option<Self::Guard<'_>> {
        Some(self.guard(self.pool.claim_protecting(node)?))
    }

    fn enter_to_stay(&self) -> Option<Self::Guard<'_>> {
        let guard = self.enter(Permit::Allocator)?;
        self.pool.keep_one_free();
        Some(guard)
    }

    #[cold]
    fn enter_with_spare(&self) -> Option<(Self::Guard<'_>, NodePtr<T>)> {
        self.pool.iter().find_map(|slot| {
            let mut guard = self.guard(slot.claim()?);
            let spare = guard.claim.0.private().spare.pop_exclusive();
            let node = spare.or_else(|| guard.inside().own_spare())?;
            Some((guard, node))
        })
    }

    fn reserve(&self, nodes: usize) -> Result<(), OutOfMemory> {
        let mut made = Chain::allocate(nodes)?;
        let Some(mut guard) = self.enter(Permit::Allocator) else {
            // SAFETY: nobody has seen these nodes.
            unsafe { made.free() };
            return Err(OutOfMemory);
        };
        guard.counters().allocator_calls(nodes);
        self.depot.reserve(nodes);
        while made.len() >= Slots::<N>::BATCH {
            // SAFETY: nobody has seen these nodes.
            unsafe { self.depot.put(&mut made, Slots::<N>::BATCH) };
        }
        // Too few for a batch: they find their way as nodes that were popped do.
        while let Some(node) = made.pop() {
            // SAFETY: the node is ours and has no value.
            unsafe { guard.retire(node) };
        }
        Ok(())
    }

    fn reclaim(&self) -> usize {
        let mut freed = 0;
        self.depot.unreserve();
        if let Some(mut guard) = self.enter(Permit::Nothing) {
            self.depot.take_all(Slots::<N>::BATCH, |first, mut rest| {
                // SAFETY: rules 1 and 2 of the depot.
                unsafe {
                    freed += rest.free();
                    guard.claim.0.private().retired.push(first);
                }
            });
            guard.counters().allocator_calls(freed);
        }
        for slot in self.pool.iter() {
            let Some(claim) = slot.claim() else { continue };
            let mut guard = self.guard(claim);
            guard.inside().sort_retired();
            // SAFETY: invariant 1.
            let spare = unsafe { guard.claim.0.private().spare.free() };
            guard.counters().allocator_calls(spare);
            freed += spare;
        }
        freed
    }

    #[cfg(feature = "stats")]
    fn stats(&self) -> crate::Stats {
        self.pool.stats()
    }
}

impl<T, L: Initial, const N: usize> SlotsDomain<T, L, N> {
    #[inline(always)]
    fn guard<'a>(&'a self, claim: Claim<'a, T, Private<T, L>>) -> SlotsGuard<'a, T, L, N> {
        SlotsGuard { domain: self, claim }
    }
}

// SAFETY: as for the domain.
unsafe impl<T, L: Initial, const N: usize> Guard<T, L> for SlotsGuard<'_, T, L, N> {
    #[inline(always)]
    fn node(&mut self, permit: Permit) -> Option<NodePtr<T>> {
        let spare = self.claim.0.private().spare.pop_exclusive();
        match spare {
            None => self.inside().refill(permit),
            node => node,
        }
    }

    #[inline(always)]
    fn protect(&mut self, node: NodePtr<T>) {
        self.claim.0.protect(node);
    }

    #[inline(always)]
    fn unprotect(&mut self) {
        self.claim.0.unprotect();
    }

    #[inline(always)]
    unsafe fn retire(&mut self, node: NodePtr<T>) {
        // SAFETY: the caller's contract.
        unsafe { self.inside().retire(node) };
    }

    #[inline(always)]
    fn tidy(&mut self) {
        if self.domain.depot.exceeds(Slots::<N>::SURPLUS) {
            self.inside().free_surplus();
        }
    }

    #[inline(always)]
    fn with_local<O>(&mut self, action: impl FnOnce(&mut L, &Counters) -> O) -> O {
        let (mut private, counters) = self.claim.0.split();
        action(&mut private.local, counters)
    }

    #[inline(always)]
    fn counters(&self) -> &Counters {
        self.claim.0.counters()
    }
}

impl<T, L: Initial, const N: usize> SlotsGuard<'_, T, L, N> {
    #[inline(always)]
    fn inside(&mut self) -> Inside<'_, T, L, N> {
        Inside { domain: self.domain, owner: self.claim.0.lend() }
    }
}

impl<T, L: Initial, const N: usize> Inside<'_, T, L, N> {
    #[inline(always)]
    fn lend(&mut self) -> Inside<'_, T, L, N> {
        Inside { domain: self.domain, owner: self.owner.lend() }
    }

    /// # Safety
    ///
    /// As [`Guard::retire`].
    #[inline(always)]
    unsafe fn retire(mut self, node: NodePtr<T>) {
        let len = {
            let retired = &mut self.owner.private().retired;
            // SAFETY: the caller's contract.
            unsafe { retired.push(node) };
            retired.len()
        };
        self.owner.counters().set_retired(len);
        if len >= Slots::<N>::RETIRE_LIMIT {
            self.scan();
        }
    }

    /// A node for a slot that has no spare one.
    #[cold]
    #[inline(never)]
    fn refill(mut self, permit: Permit) -> Option<NodePtr<T>> {
        if let Some(node) = self.lend().take_batch() {
            return Some(node);
        }
        if permit == Permit::Allocator {
            self.owner.counters().allocator_calls(1);
            if let Some(node) = Node::allocate() {
                return Some(node);
            }
        }
        self.own_spare()
    }

    /// A spare node of this slot, which has none without a scan.
    fn own_spare(mut self) -> Option<NodePtr<T>> {
        self.lend().sort_retired();
        self.owner.private().spare.pop_exclusive()
    }

    /// Takes a batch out of the depot: the first node, which has to be pushed or retired; the others are the slot's
    /// spare nodes, of which it has none before.
    #[inline(never)]
    fn take_batch(mut self) -> Option<NodePtr<T>> {
        let owner = &mut self.owner;
        let batch = self.domain.depot.take(Slots::<N>::BATCH, |node| owner.protect(node));
        let (first, rest) = batch?;
        owner.private().spare = rest;
        Some(first)
    }

    /// Moves retired nodes on, and what is too much in this slot to the depot.
    #[cold]
    #[inline(never)]
    fn scan(mut self) {
        self.lend().sort_retired();
        while self.owner.private().spare.len() > Slots::<N>::SPARE_LIMIT {
            // SAFETY: invariant 1.
            unsafe { self.domain.depot.put(&mut self.owner.private().spare, Slots::<N>::BATCH) };
        }
    }

    /// Scans the hazards and makes every retired node that nobody protects a spare one.
    ///
    /// A retired node was unlinked by a read-modify-write of the head. After the barrier, for each slot, either
    /// its owner's hazard is seen here, or the owner finds the head changed when it looks again (contract 1). A
    /// node seen unprotected stays so, because it is no longer the head for anybody to protect.
    fn sort_retired(mut self) {
        // Our own hazard, if any, is on a node that this context is done with.
        self.owner.unprotect();
        self.owner.counters().scans(1);
        let mut retired = self.owner.private().retired.take();
        scan_barrier();
        if self.owner.private().spare.len() == 0 && !self.domain.pool.protects_any() {
            // Mostly there is nothing to sort out.
            self.owner.private().spare = retired;
            return self.owner.counters().set_retired(0);
        }
        // With many slots, one look at each makes a filter, with one bit for each hazard: nearly all nodes pass. With
        // few slots that would be code for nothing.
        let mut filter = usize::MAX;
        if N > FEW {
            let hazards = self.domain.pool.iter().map(Slot::hazard).filter(|hazard| !hazard.is_null());
            filter = hazards.fold(0, |filter, hazard| filter | filter_bit(hazard));
        }
        while let Some(node) = retired.pop() {
            let protected = filter & filter_bit(node.as_ptr()) != 0 && self.domain.pool.protects(node);
            let mut private = self.owner.private();
            let private = &mut *private;
            let list = if protected { &mut private.retired } else { &mut private.spare };
            // SAFETY: the node was in our chain.
            unsafe { list.push(node) };
        }
        let left = self.owner.private().retired.len();
        self.owner.counters().set_retired(left);
    }

    /// Gives nodes back until the depot has no surplus: this slot's spare ones, which then come from the depot.
    ///
    /// What is freed is not counted in the depot, and what is counted there is enough; so enough stays.
    #[cold]
    #[inline(never)]
    fn free_surplus(mut self) {
        loop {
            // SAFETY: invariant 1.
            let freed = unsafe { self.owner.private().spare.free() };
            self.owner.counters().allocator_calls(freed);
            let Some(node) = self.lend().take_batch() else { break };
            // SAFETY: rule 1 of the depot.
            unsafe { self.owner.private().retired.push(node) };
            self.lend().scan();
            if !self.domain.depot.exceeds(Slots::<N>::SURPLUS) {
                break;
            }
        }
    }
}

/// One of a word's bits, chosen by a node's address.
fn filter_bit<T>(node: *mut Node<T>) -> usize {
    1 << (hash(node.addr()) >> (u32::BITS - usize::BITS.ilog2()))
}

impl<T, L, const N: usize> Drop for SlotsDomain<T, L, N> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody is in a slot, so nobody protects anything.
        self.pool.for_each_private(|private| unsafe {
            private.retired.free();
            private.spare.free();
        });
        self.depot.take_all(Slots::<N>::BATCH, |first, mut rest| {
            // SAFETY: as above.
            unsafe {
                rest.free();
                Node::free(first);
            }
        });
    }
}
