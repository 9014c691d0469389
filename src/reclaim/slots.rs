//! Engine `Slots<N>`: hazard pointers in claimed slots, and nodes that are used again.
//!
//! `docs/design.md` draws the life of a node: spare, pushed, popped, retired, and pushed again, or spare after a scan.
//!
//! # Rules
//!
//! * **NODES-1**: Nobody protects a spare node: a scan has seen no hazard on it since it was retired, or it came out of the depot
//!   as one of DEPOT-2, or it is new. It may be used, freed, or put in the depot.
//!   Checked by `pop_against_reuse_of_the_node`, `slot_changes_hands` in `tests/loom/tests/loom.rs`.
//! * **NODES-2**: A node that a pop has won, through the head or by elimination, is retired, not spare: a slower context may
//!   protect it, because it was the head, or because it was the first node of a batch in the depot.
//!   Checked by `pop_against_reuse_by_two_others`, `depot_take_against_take` in `tests/loom/tests/loom.rs`.
//! * **NODES-3**: At rest, a slot holds at most `RETIRE_LIMIT` retired nodes, and two more for each further slot; and at most
//!   `SPARE_LIMIT` spare ones.
//!   Checked by `bound_with_one_thread`, `bound_of_one_who_only_takes`, `bound_of_one_beside_many_who_keep` in
//!   `tests/allocator.rs`.
//!
//! # Again
//!
//! Where pushes and pops alternate, a slot needs one node: the push finds the top that the node retired last was above, and puts
//! it there again, without a scan. Else all the nodes of a slot would go round; each is on a cache line with nodes of other
//! slots, which do the same, so a context that takes the list over would get all these lines from others one by one. tuning.md,
//! "Scans and nodes".
//!
//! # Scans
//!
//! If a scan finds more than `N` of its nodes protected, as where many handles rest and each keeps a node, the next one is due
//! one node later for each beyond `N`, and one more for each, up to half of what the depot has room for. So about half of what it
//! looks at becomes spare.
//!
//! # Bounds
//!
//! All limits are in nodes, and depend on `N` alone, but for what waits because it is protected. The retired list must be longer
//! than the number of hazards, or a scan may find every node protected. tuning.md, "Scans and nodes".

mod inside;

use super::chain::{List, Retired};
use super::depot::Depot;
use super::pool::Pool;
use super::{Search, sealed};
use crate::OutOfMemory;
use crate::engine::Permit;
use crate::layout::FAST_PATHS;
use crate::model::{self, limit};
use crate::sync::{Initial, initial};
use crate::treiber::{Node, NodePtr};
use core::mem;

/// The default engine: `N` slots in the stack itself, each with one hazard, one list of retired and one of spare
/// nodes; further slots are allocated when all are claimed at once.
///
/// A context (a thread, a core, a level of interrupt) claims a slot for the time of one operation, or as long as it keeps a
/// [`Handle`](crate::Handle). So `N` should be the number of contexts that can be inside at once: on bare metal, cores times (1 +
/// interrupt levels). `N` is at least 1, and at most [`MOST`](Slots::MOST): 65535 on processors of 64 bits, 13377 of 32, 52 of
/// 16. Another one does not compile where a stack is made:
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
/// | retired in a slot before it scans | [`RETIRE_LIMIT`](Slots::RETIRE_LIMIT) = 4 `N`, and 2 for each slot beyond `N` |
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
    pub const MOST: usize = match usize::BITS {
        16 => 52,
        32 => 13377,
        _ => 65535,
    };
    /// Retired nodes in one slot at which its owner scans the hazards; with slots beyond `N`, two more for each of these.
    pub const RETIRE_LIMIT: usize = limit(4 * Self::SLOTS, model::retire_limit(N));
    /// Nodes that go to the depot, or come from it, at once.
    pub const BATCH: usize = Self::RETIRE_LIMIT;
    /// Spare nodes that one slot keeps.
    pub const SPARE_LIMIT: usize = Self::BATCH;
    /// Nodes that the depot keeps beyond those that are reserved.
    pub const DEPOT_LIMIT: usize = limit(4 * Self::SLOTS * Self::SLOTS, model::DEPOT_LIMIT);
    /// `N`, if it is one that can be.
    const SLOTS: usize = {
        let message =
            "Slots<N>: N is at least 1, and at most 65535 on processors of 64 bits, 13377 of 32 bits, 52 of 16 bits";
        assert!(N >= 1 && N <= Self::MOST, "{}", message);
        N
    };
    /// With so many nodes in the depot, beyond those reserved, a batch is given back.
    const SURPLUS: usize = Self::DEPOT_LIMIT + Self::BATCH;
}

/// One context in one slot.
type Guard<'a, T, L, const N: usize> = super::Guard<'a, T, Slots<N>, L>;

// SAFETY: GUARD-1: nothing but a scan makes retired nodes spare, and `Guard::scan` says why that spares protected ones;
// else a node that may be protected at the stack's own head is pushed by GUARD-6 only.
// GUARD-2: what is given is a spare node (NODES-1), a new one, or the first one of a batch (DEPOT-1). GUARD-3: what comes is
// retired (NODES-2). GUARD-4: nothing here calls a closure of the user's or panics. GUARD-5: BARRIER-2. GUARD-6: the retired list
// leaves links as they are.
unsafe impl<const N: usize> sealed::Heap for Slots<N> {
    const SLOT_NODES: usize = Self::RETIRE_LIMIT + Self::SPARE_LIMIT;
    const BATCH: usize = Self::BATCH;
    // A last incomplete batch may stay in the depot above its limit.
    const IDLE_NODES: usize = N * Self::SLOT_NODES + Self::SURPLUS - 1;

    type Slots<S: Initial> = [S; N];
    type Shared<T> = Depot<T>;
    type Retired<T> = Retired<T>;

    fn own<T, L: Initial>(guard: Guard<'_, T, L, N>) -> Option<NodePtr<T>> {
        guard.spare().or_else(|| guard.own_retired())
    }

    #[cold]
    #[inline(never)]
    fn refill<T, L: Initial>(guard: Guard<'_, T, L, N>, permit: Permit) -> Option<NodePtr<T>> {
        if let Some(node) = guard.take_batch() {
            return Some(node);
        }
        if permit == Permit::All {
            guard.counters().allocator_calls(1);
            if let Some(node) = Node::allocate() {
                return Some(node);
            }
        }
        guard.own_retired()
    }

    #[inline(always)]
    fn keep<T, L: Initial>(guard: Guard<'_, T, L, N>, node: NodePtr<T>) {
        guard.keep(node);
    }

    #[inline(always)]
    fn kept<T, L: Initial>(guard: Guard<'_, T, L, N>) -> Option<NodePtr<T>> {
        guard.kept()
    }

    #[inline(always)]
    unsafe fn retire<T, L: Initial>(guard: Guard<'_, T, L, N>, node: NodePtr<T>) {
        // SAFETY: the caller's contract.
        guard.with(|private| unsafe { private.retired.push(node) });
        guard.count_retired();
    }

    #[inline(always)]
    fn again<T, L: Initial>(guard: Guard<'_, T, L, N>, top: *mut Node<T>) -> Option<NodePtr<T>> {
        // CHEAPER: another node serves as well, and takes longer.
        let node = guard.with(|private| private.retired.pop_above(top));
        guard.count_retired();
        node
    }

    unsafe fn retire_whole<T, L: Initial>(guard: Guard<'_, T, L, N>, nodes: List<T>, len: usize) -> List<T> {
        // CHEAPER: to retire the nodes one by one comes to the same, and takes longer.
        if !FAST_PATHS || len != Self::BATCH {
            return nodes;
        }
        // They are scanned as they are, without a look at one of them if nobody protects any. What was retired before waits
        // meanwhile.
        let before = guard.with(|private| mem::replace(&mut private.retired, Retired::new(nodes, len)));
        guard.counters().set_retired(before.len() + len);
        // CHEAPER: without the scan all of them come back, and are retired one by one.
        guard.scan();
        let mut protected = guard.with(|private| mem::replace(&mut private.retired, before));
        guard.count_retired();
        protected.take()
    }

    #[inline(always)]
    fn is_due<T, L: Initial>(guard: Guard<'_, T, L, N>) -> bool {
        // CHEAPER: `settle` looks for itself, so a yes in vain only takes time.
        guard.with(|private| private.retired.reach(Self::RETIRE_LIMIT - 1)) || Self::has_surplus(guard)
    }

    #[inline(always)]
    fn has_surplus<T, L: Initial>(guard: Guard<'_, T, L, N>) -> bool {
        guard.pool.shared.exceeds(Self::SURPLUS)
    }

    #[inline(always)]
    fn settle<T, L: Initial>(guard: Guard<'_, T, L, N>, permit: Permit) {
        // CHEAPER: a scan before it is due only takes time.
        if guard.with(|private| private.retired.reach(Self::RETIRE_LIMIT)) {
            guard.scan();
        }
        if permit == Permit::All {
            Self::give_back(guard);
        }
    }

    #[inline(always)]
    fn give_back<T, L: Initial>(guard: Guard<'_, T, L, N>) {
        while Self::has_surplus(guard) && guard.free_surplus() {}
    }

    fn reserve<T, L: Initial>(pool: &Pool<T, Self, L>, nodes: usize) -> Result<(), OutOfMemory> {
        let mut made = List::allocate(nodes)?;
        let Some(guard) = pool.claim(Search::Grow, None) else {
            // SAFETY: nobody has seen these nodes.
            unsafe { made.free() };
            return Err(OutOfMemory);
        };
        guard.counters().allocator_calls(nodes);
        pool.shared.reserve(nodes);
        let (mut batch, mut len) = (initial!(List<T>), 0);
        while let Some(node) = made.pop() {
            // SAFETY: nobody has seen these nodes.
            unsafe {
                batch.push(node);
                len += 1;
                if len == Self::BATCH {
                    pool.shared.put(batch.take(), len);
                    len = 0;
                }
            }
        }
        // Those that are too few for a batch are retired, and find their way as nodes that were popped do. Not by `retire_all`,
        // which gives surplus back: this call does not free.
        while let Some(node) = batch.pop() {
            // SAFETY: the node is ours and has no value.
            unsafe { Self::retire(guard, node) };
            Self::settle(guard, Permit::Nothing);
        }
        // SAFETY: it is not used any more.
        unsafe { Self::leave(guard) };
        Ok(())
    }

    fn reclaim<T, L: Initial>(pool: &Pool<T, Self, L>) -> usize {
        let mut freed = 0;
        pool.shared.unreserve();
        // The depot comes last, since what a scan finds in a slot may go there.
        for guard in pool.claim_each() {
            freed += guard.empty();
            // SAFETY: it is not used any more.
            unsafe { Self::leave(guard) };
        }
        if let Some(guard) = pool.claim(Search::Free, None) {
            // First makes room in this slot: a batch that is taken out of the depot counts nowhere until it is freed.
            freed += guard.empty();
            pool.shared.take_all(Self::BATCH, |first, mut rest| {
                // SAFETY: DEPOT-2.
                let others = unsafe { rest.free() };
                guard.counters().allocator_calls(others);
                freed += others;
                // SAFETY: DEPOT-1: the node is ours, without a value, and may be protected.
                unsafe { Self::retire(guard, first) };
                freed += guard.empty();
            });
            // SAFETY: it is not used any more.
            unsafe { Self::leave(guard) };
        }
        // Whoever claims a further slot, as was done to all free ones here, notes it as in use.
        pool.forget_unused(pool.in_use());
        freed
    }

    fn clear<T, L: Initial>(pool: &mut Pool<T, Self, L>) {
        // SAFETY: nobody is in a slot, so nobody protects anything.
        pool.for_each_private(|private| unsafe {
            private.retired.take().free();
            private.spare.free();
        });
        pool.shared.take_all(Self::BATCH, |first, mut rest| {
            // SAFETY: nobody protects anything.
            unsafe {
                rest.free();
                Node::free(first);
            }
        });
    }
}

impl<T, L: Initial, const N: usize> Guard<'_, T, L, N> {
    /// A node of this slot, which has no spare one, if a scan finds one of its retired nodes unprotected.
    fn own_retired(self) -> Option<NodePtr<T>> {
        // CHEAPER: a scan of nothing takes time, in each slot that a crowd has left.
        if FAST_PATHS && self.with(|private| private.retired.len()) == 0 {
            return None;
        }
        self.scan();
        self.spare()
    }

    /// Notes in the counters how many nodes are retired.
    #[inline(always)]
    fn count_retired(self) {
        self.counters().set_retired(self.with(|private| private.retired.len()));
    }

    /// Frees the spare nodes, and the retired ones that nobody protects. Returns how many.
    fn empty(self) -> usize {
        // So there is room for what the scan makes spare, unless more than a batch is retired.
        let freed = self.free_spare();
        self.scan();
        freed + self.free_spare()
    }
}
