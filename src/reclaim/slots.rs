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
//!    more) and at most `SPARE_LIMIT` spare ones; a further slot also one that was given to it.
//! 4. Unless retired nodes are said to be foreign, no slot keeps any of them (contract 5): each was a spare node, or the
//!    first one of a batch, so then nobody kept it; this slot's owner pushed it and kept it until it popped it, and only who
//!    pushes a node keeps it. Pops of others may have found it on top meanwhile.
//!
//! # Whole chains
//!
//! A scan that finds no hazard, as nearly all do, moves all retired nodes on without a look at one of them: they become
//! the spare ones, if there are none; else they are just enough for a batch of the depot. So a push that runs out of
//! spare nodes first has its own retired ones scanned, if these are many; and where pushes and pops alternate, the same
//! nodes go to and fro between the two lists, and the depot is left alone. Moving them one by one cost 16 instructions a
//! pair, this costs 2.
//!
//! To look at each of them takes long where two threads work at once: of nodes that the allocator has made side by side two
//! share a cache line, and one of these has come to the other thread. All 32 at a time took 130 ns, and were the slowest
//! operations of a thousand: 310 ns through `Handle` on 2 threads, if each is timed. So a scan that finds a hazard, and others'
//! nodes among the retired ones, looks at as many as there are slots: 175 ns, where a `std` mutex has 190. The next one looks at
//! all, unless others' have come: else pairs on 8 threads take 11.8 instead of 10.8. With nodes on cache lines of their own it
//! would be 190, too, but a value from one thread to another takes 58 instead of 38 then, and pushes and pops as 9 to 1 take 76
//! instead of 31 (medians of 8 samples).
//!
//! A handle that rests keeps the node that it pushed last, and so does one that was interrupted between a push and a pop: where
//! threads outnumber the cores, nearly all. By invariant 4 the handles that run need not heed them: pairs on 32 threads and 2
//! cores take 12.3 ns. If they heed all, 13.1; if a handle in a further slot keeps no node, so that each pop there publishes its
//! hazard, 16.8; and 12.1 on one thread (medians of 10 samples).
//!
//! # Bounds
//!
//! All limits are in nodes and depend on `N` alone. The retired list must be longer than the number of hazards,
//! or a scan may find every node protected; four times `N` keeps the cost of a scan at a quarter of a load for
//! each pop and still leaves small systems small. Measured with bursts of 64: a limit of 8 nodes cost 32 ns a
//! pair, 16 nodes 16 ns, and 32 to 1024 the same 14 ns.
//!
//! A depot of 16 `N`² nodes would hold twice as many back in all; values from one thread to another, which gets far ahead,
//! take 93 instead of 96 ns then through handles, and 96 instead of 115 without (medians of 15 samples, from 64 to 152).

mod inside;

use self::inside::Extent;
use super::chain::{Chain, List, Retired};
use super::depot::Depot;
use super::pool::{FEW, Owner, Pool, PrivateRef};
use super::{Domain, Guard, Leave, Own, Permit, sealed};
use crate::OutOfMemory;
use crate::backoff::sealed::Local;
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::initial;
use crate::treiber::{Node, NodePtr};
use ::alloc::alloc::Layout;
use core::mem;

/// The default engine: `N` slots in the stack itself, each with one hazard, one list of retired and one of spare
/// nodes; further slots are allocated when all are claimed at once.
///
/// A context (a thread, a core, a level of interrupt) claims a slot for the time of one operation, or as long as
/// it keeps a [`Handle`](crate::Handle). So `N` should be the number of contexts that can be inside at once:
/// on bare metal, cores times (1 + interrupt levels). `N` is at least 1, and at most [`MOST`](Slots::MOST): 65535 on processors of
/// 64 bits, 13377 of 32, 52 of 16. Another one does not compile where a stack is made:
///
/// ```compile_fail
/// use elimination_stack::{NoBackoff, Slots, Stack};
///
/// static NONE: Stack<u8, Slots<0>, NoBackoff> = Stack::custom();
/// ```
///
/// Nodes are used again: in a steady state no call of the allocator is left.
///
/// | bound | nodes |
/// |---|---|
/// | retired in a slot before it scans | [`RETIRE_LIMIT`](Slots::RETIRE_LIMIT) = 4 `N` |
/// | spare in a slot | [`SPARE_LIMIT`](Slots::SPARE_LIMIT) = 4 `N` |
/// | moved to or from the depot at once | [`BATCH`](Slots::BATCH) = 4 `N` |
/// | kept in the depot beyond what is reserved | [`DEPOT_LIMIT`](Slots::DEPOT_LIMIT) = 4 `N`² |
/// | held back by `N` slots and the depot | [`IDLE_NODES`](crate::Stack::IDLE_NODES) = 12 `N`² + 4 `N` - 1 |
///
/// Hazard pointers are from M. Michael, *Hazard pointers: safe memory reclamation for lock-free objects*, TPDS
/// 2004; the depot of batches follows J. Bonwick and J. Adams, *Magazines and vmem*, USENIX 2001.
#[derive(Debug)]
pub enum Slots<const N: usize> {}

impl<const N: usize> Slots<N> {
    /// The most slots in place: with more, the nodes that they hold back would have no address each.
    pub const MOST: usize = most_slots();
    /// Retired nodes in one slot at which its owner scans the hazards.
    pub const RETIRE_LIMIT: usize = limit(4 * Self::SLOTS, model::RETIRE_LIMIT);
    /// Nodes that go to the depot, or come from it, at once.
    pub const BATCH: usize = Self::RETIRE_LIMIT;
    /// Spare nodes that one slot keeps.
    pub const SPARE_LIMIT: usize = Self::BATCH;
    /// Nodes that the depot keeps beyond those that are reserved.
    pub const DEPOT_LIMIT: usize = limit(4 * Self::SLOTS * Self::SLOTS, model::DEPOT_LIMIT);
}

/// The largest `N` of which `IDLE_NODES` is a size.
#[expect(clippy::cast_possible_truncation, reason = "at most 65535")]
const fn most_slots() -> usize {
    let most = isize::MAX.unsigned_abs() as u64;
    let mut slots = u16::MAX as u64;
    while 12 * slots * slots + 4 * slots - 1 > most {
        // Half way to what would be right if the first term was all, which is never too far.
        slots -= (slots - most / (12 * slots)).div_ceil(2);
    }
    slots as usize
}

impl<const N: usize> Slots<N> {
    /// `N`, if it is one that can be.
    const SLOTS: usize = {
        let message =
            "Slots<N>: N is at least 1, and at most 65535 on processors of 64 bits, 13377 of 32 bits, 52 of 16 bits";
        assert!(N >= 1 && N <= Self::MOST, "{}", message);
        N
    };
    /// Retired nodes in a slot from which on a push without a spare node scans for one, before it asks for others.
    const SCAN_LIMIT: usize = limit(3 * N, model::SCAN_LIMIT);
    /// Nodes in the depot, beyond those reserved, from which on it gives a batch back.
    const SURPLUS: usize = Self::DEPOT_LIMIT + Self::BATCH;
}

impl<const N: usize> sealed::Engine for Slots<N> {
    // With the one that may be given to it.
    const SLOT_NODES: usize = Self::RETIRE_LIMIT + Self::SPARE_LIMIT + 1;
    const BATCH: usize = Self::BATCH;
    // A last incomplete batch may stay in the depot above its limit.
    const IDLE_NODES: usize = N * (Self::RETIRE_LIMIT + Self::SPARE_LIMIT) + Self::SURPLUS - 1;

    type Domain<T, L: Local> = SlotsDomain<T, L, N>;
}

/// What the owner of a slot alone touches.
pub struct Private<T, L> {
    retired: Retired<T>,
    spare: List<T>,
    local: L,
}

initial! { impl[T, L: Local] Private<T, L> = Private {
    retired: initial!(Retired<T>),
    spare: initial!(List<T>),
    local: initial!(L),
} }

/// The engine's part of one stack.
#[repr(C)]
pub struct SlotsDomain<T, L, const N: usize> {
    depot: Depot<T>,
    pool: Pool<T, Private<T, L>, N>,
}

initial! { impl[T, L: Local, const N: usize] SlotsDomain<T, L, N> = SlotsDomain {
    pool: {
        assert!(Slots::<N>::SLOTS == N);
        initial!(Pool<T, Private<T, L>, N>)
    },
    depot: initial!(Depot<T>),
} }

/// One context in one slot.
pub struct SlotsGuard<'a, T, L, const N: usize> {
    domain: &'a SlotsDomain<T, L, N>,
    owner: Owner<'a, T, Private<T, L>>,
}

// SAFETY: contract 1 is `SlotsGuard::scan`'s, see there. 2 is invariant 1 of this module and rule 1 of the depot. 3 is
// invariant 2. 4: nothing here calls a closure of the user's or panics.
unsafe impl<T, L: Local, const N: usize> Domain<T, L> for SlotsDomain<T, L, N> {
    const SLOT_LAYOUT: Layout = Pool::<T, Private<T, L>, N>::LAYOUT;

    type Guard<'a>
        = SlotsGuard<'a, T, L, N>
    where
        Self: 'a;

    #[inline(always)]
    fn enter_home(&self) -> Option<Own<Self::Guard<'_>>> {
        Some(self.guard(self.pool.claim_home()?))
    }

    #[inline(always)]
    fn enter_home_protecting(&self, node: NodePtr<T>) -> Option<Own<Self::Guard<'_>>> {
        Some(self.guard(self.pool.claim_home_protecting(node)?))
    }

    #[inline(always)]
    fn enter(&self, permit: Permit) -> Option<Own<Self::Guard<'_>>> {
        Some(self.guard(self.pool.claim(permit == Permit::Allocator)?))
    }

    #[inline(always)]
    fn enter_protecting(&self, node: NodePtr<T>) -> Option<Own<Self::Guard<'_>>> {
        Some(self.guard(self.pool.claim_protecting(node)?))
    }

    fn enter_to_stay(&self) -> Option<Own<Self::Guard<'_>>> {
        Some(self.guard(self.pool.claim_to_stay()?))
    }

    fn end_stay(&self, guard: Own<Self::Guard<'_>>) {
        self.pool.end_stay();
        guard.leave();
        self.pool.forget_unused(self.pool.in_use());
    }

    #[inline(always)]
    fn lend<'g>(guard: &'g mut Self::Guard<'_>) -> Self::Guard<'g> {
        guard.lend()
    }

    #[cold]
    fn enter_with_spare(&self) -> Option<(Own<Self::Guard<'_>>, NodePtr<T>)> {
        self.pool.iter().find_map(|place| {
            let mut guard = self.guard(self.pool.claim_free(place)?);
            if let Some(node) = guard.spare().or_else(|| guard.lend().own_retired()) {
                return Some((guard, node));
            }
            guard.leave();
            None
        })
    }

    fn reserve(&self, nodes: usize) -> Result<(), OutOfMemory> {
        let mut made = Chain::allocate(nodes)?;
        let Some(mut guard) = self.enter(Permit::Allocator) else {
            // SAFETY: nobody has seen these nodes.
            unsafe { made.into_list().free() };
            return Err(OutOfMemory);
        };
        guard.counters().allocator_calls(nodes);
        self.depot.reserve(nodes);
        let mut batch = initial!(Chain<T>);
        while let Some(node) = made.pop() {
            // SAFETY: nobody has seen these nodes.
            unsafe {
                batch.push(node);
                if batch.len() == Slots::<N>::BATCH {
                    self.depot.put(batch.take().into_list(), Slots::<N>::BATCH);
                }
            }
        }
        // Too few for a batch: they find their way as nodes that were popped do.
        while let Some(node) = batch.pop() {
            // SAFETY: the node is ours and has no value.
            unsafe { guard.retire(node, false) };
            guard.settle(Permit::Nothing);
        }
        guard.leave();
        Ok(())
    }

    fn reclaim(&self) -> usize {
        let mut freed = 0;
        self.depot.unreserve();
        if let Some(mut guard) = self.enter(Permit::Nothing) {
            // Makes room for the batch that is in our hands, of which the depot's count knows no more.
            freed += guard.empty();
            self.depot.take_all(Slots::<N>::BATCH, |first, mut rest| {
                // SAFETY: rule 2 of the depot.
                let others = unsafe { rest.free() };
                guard.counters().allocator_calls(others);
                freed += others;
                // SAFETY: rule 1.
                unsafe { guard.retire(first, false) };
                freed += guard.empty();
            });
            guard.leave();
        }
        for place in self.pool.iter() {
            let Some(own) = self.pool.claim_free(place) else { continue };
            let mut guard = self.guard(own);
            freed += guard.empty();
            guard.leave();
        }
        // Each that was in use no more is the newest in use now.
        self.pool.forget_unused(self.pool.in_use());
        freed
    }

    #[cfg(feature = "stats")]
    fn stats(&self) -> crate::Stats {
        self.pool.stats()
    }
}

impl<T, L: Local, const N: usize> SlotsDomain<T, L, N> {
    #[inline(always)]
    fn guard<'a>(&'a self, own: Own<Owner<'a, T, Private<T, L>>>) -> Own<SlotsGuard<'a, T, L, N>> {
        own.map(|owner| SlotsGuard { domain: self, owner })
    }
}

impl<T, L, const N: usize> Leave for SlotsGuard<'_, T, L, N> {
    #[inline(always)]
    unsafe fn leave(self) {
        // SAFETY: the caller's contract.
        unsafe { self.owner.leave() };
    }
}

// SAFETY: as for the domain.
unsafe impl<T, L: Local, const N: usize> Guard<T, L> for SlotsGuard<'_, T, L, N> {
    #[inline(always)]
    fn spare(&mut self) -> Option<NodePtr<T>> {
        self.private().spare.pop_exclusive()
    }

    #[inline(always)]
    fn spares(&mut self) -> List<T> {
        self.private().spare.take()
    }

    #[inline(always)]
    fn refill(&mut self, permit: Permit) -> Option<NodePtr<T>> {
        self.lend().refill(permit)
    }

    #[inline(always)]
    fn protect(&mut self, node: NodePtr<T>) {
        self.owner.protect(node);
    }

    #[inline(always)]
    fn keep(&mut self, node: NodePtr<T>) {
        self.owner.keep(node);
    }

    #[inline(always)]
    fn kept(&self) -> Option<NodePtr<T>> {
        self.owner.kept()
    }

    #[inline(always)]
    fn unprotect(&mut self) {
        self.owner.unprotect();
    }

    #[inline(always)]
    unsafe fn retire(&mut self, node: NodePtr<T>, kept: bool) {
        let len = {
            let retired = &mut self.private().retired;
            // SAFETY: the caller's contract.
            unsafe { retired.push(node, !kept) };
            retired.len()
        };
        self.counters().set_retired(len);
    }

    unsafe fn retire_whole(&mut self, nodes: Chain<T>) -> List<T> {
        // CHEAPER: nodes that are retired one by one come to the same, and take longer.
        if N <= FEW || nodes.len() != Slots::<N>::BATCH {
            return nodes.into_list();
        }
        // Scanned as they are, mostly without a look at one of them. What was retired before waits meanwhile.
        let before = mem::replace(&mut self.private().retired, Retired::foreign(nodes));
        // CHEAPER: those that stay are retired one by one.
        self.lend().scan(Extent::All);
        let waiting = before.len();
        let mut protected = mem::replace(&mut self.private().retired, before);
        self.counters().set_retired(waiting);
        protected.take().into_list()
    }

    #[inline(always)]
    fn is_due(&mut self) -> bool {
        // CHEAPER: `settle` looks for itself, so a yes in vain only takes time.
        self.private().retired.len() >= Slots::<N>::RETIRE_LIMIT - 1 || self.has_surplus()
    }

    #[inline(always)]
    fn has_surplus(&self) -> bool {
        self.domain.depot.exceeds(Slots::<N>::SURPLUS)
    }

    #[inline(always)]
    fn settle(&mut self, permit: Permit) {
        // CHEAPER: to scan fewer at a time takes longer.
        if self.private().retired.len() >= Slots::<N>::RETIRE_LIMIT {
            self.lend().scan(Extent::Part);
        }
        if permit == Permit::Allocator {
            self.give_back();
        }
    }

    #[inline(always)]
    fn give_back(&mut self) {
        if self.has_surplus() {
            self.lend().free_surplus();
        }
    }

    #[inline(always)]
    fn retired(&mut self) -> usize {
        self.private().retired.len()
    }

    #[inline(always)]
    fn with_local<O>(&mut self, action: impl FnOnce(&mut L, &Counters) -> O) -> O {
        let (mut private, counters) = self.owner.split();
        action(&mut private.local, counters)
    }

    #[inline(always)]
    fn counters(&self) -> &Counters {
        self.owner.counters()
    }

    fn neighbourhood(&self, places: usize) -> usize {
        self.domain.pool.neighbourhood(&self.owner, places)
    }
}

impl<T, L: Local, const N: usize> SlotsGuard<'_, T, L, N> {
    #[inline(always)]
    fn private(&mut self) -> PrivateRef<'_, Private<T, L>> {
        self.owner.private()
    }

    #[inline(always)]
    fn lend(&mut self) -> SlotsGuard<'_, T, L, N> {
        SlotsGuard { domain: self.domain, owner: self.owner.lend() }
    }

    /// Frees the spare nodes, and the retired ones that nobody protects. Returns how many.
    fn empty(&mut self) -> usize {
        // SAFETY: invariant 1.
        let spare = unsafe { self.private().spare.free() };
        // Now there is room for them, so none goes to the depot.
        self.lend().scan(Extent::All);
        // SAFETY: as above.
        let retired = unsafe { self.private().spare.free() };
        self.counters().allocator_calls(spare + retired);
        spare + retired
    }
}

impl<T, L, const N: usize> Drop for SlotsDomain<T, L, N> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody is in a slot, so nobody protects anything.
        self.pool.for_each_private(|private, given| unsafe {
            private.retired.take().into_list().free();
            private.spare.free();
            if let Some(node) = given {
                Node::free(node);
            }
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
