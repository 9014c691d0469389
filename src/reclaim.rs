//! The seam to the engines: what the stack's loop needs of one, to get nodes, protect them and let them go.
//!
//! # Rules
//!
//! A [`Guard`] is the ownership of a slot by one context. With `node` any node of the stack:
//!
//! * **GUARD-1**: After [`Guard::protect`] (or [`Heap::enter`](sealed::Heap::enter)) with `node`, if [`Head::confirm`] then says
//!   that it is the top, `node` stays allocated, and once it was unlinked becomes the top of that list again only above the same
//!   node as before, until the guard protects something else, unprotects it or ends. The barrier between the two steps is in
//!   `confirm`.
//!   Checked by `pop_against_reuse_of_the_node`, `handle_against_reuse_of_the_node` in `tests/loom/tests/loom.rs`,
//!   `pop_against_reuse_of_the_node` in `tests/loom/tests/loom_haphazard.rs`.
//! * **GUARD-2**: What [`Guard::node`], [`Guard::spare`], [`Guard::spares`] and [`Guard::refill`] give are nodes without a value,
//!   which the caller owns and may push. Nobody else writes them any more; a slower context may still read their links.
//!   Checked by `depot_take_against_take` in `tests/loom/tests/loom.rs`.
//! * **GUARD-3**: [`Guard::retire`] takes a node of this domain, without a value, that the caller owns, whether it was ever
//!   reachable from a head or not, and whether others still protect it or not.
//!   Checked by `elimination`, `take_all_and_push_against_pop` in `tests/loom/tests/loom.rs`.
//! * **GUARD-4**: No method runs code of the user's but the allocator's, and none unwinds. What [`Guard::with_local`] is given
//!   runs steps of waiting at most, and a panic in one of these ends the program.
//!   Checked by `in_iterator_while_values_hold_slots` in `tests/panics.rs`, `a_panic_while_waiting_aborts` in `tests/faults.rs`.
//! * **GUARD-5**: After [`Guard::keep`] with `node`, which the caller then pushes, it is protected as by GUARD-1 for as long as
//!   [`Guard::kept`] returns it, without a barrier and without a second look at the head (BARRIER-2). So meanwhile the node is
//!   the top only above the node that it was pushed above then.
//!   Checked by `handle_against_reuse_of_what_it_pushed` in `tests/loom/tests/loom.rs`.
//! * **GUARD-6**: What [`Guard::again`] gives for `top` is a node without a value, whose link is `top`, and which others may
//!   protect. The caller pushes it above `top`, or retires it. In return, whoever retires a node has left its link as others may
//!   have confirmed it at the stack's head.
//!   Checked by `pop_against_node_pushed_again`, `node_is_not_pushed_again_above_another`, `handle_pushes_a_node_again` in
//!   `tests/loom/tests/loom.rs`.
//!
//! [`Head::confirm`]: crate::treiber::Head::confirm

pub(crate) mod chain;
pub(crate) mod depot;
#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub(crate) mod haphazard;
pub(crate) mod pool;
pub(crate) mod slots;

use crate::OutOfMemory;
use crate::backoff::sealed::Local;
use crate::engine::Permit;
use crate::stats::Counters;
use crate::sync::{Initial, initial};
use crate::treiber::{Node, NodePtr};
use chain::List;
use core::alloc::Layout;
use pool::Owner;

#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub use haphazard::Haphazard;
pub use slots::Slots;

/// An engine whose nodes come from the allocator, and that reclaims those which slower contexts may still read. Implemented by
/// [`Slots`] and, on targets with compare-exchange, by `Haphazard`; sealed.
pub trait Reclaim: sealed::Heap {}

impl<R: sealed::Heap> Reclaim for R {}

/// What the owner of a slot alone touches.
pub struct Private<T, L, Q> {
    retired: Q,
    spare: List<T>,
    /// The back-off's.
    local: L,
}

initial! { impl[T, L: Local, Q: Initial] Private<T, L, Q> = Private {
    retired: initial!(Q),
    spare: initial!(List<T>),
    local: initial!(L),
} }

/// Which slot a context enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// The one that it tries first, if that is free.
    Home,
    /// Any that is free.
    Free,
    /// Any that is free; if none is, a further one, if there is memory.
    Grow,
}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::{Guard, Initial, Layout, Local, NodePtr, OutOfMemory, Search};

    /// What an engine does for a [`SharedList`](crate::list::SharedList): its part of each, and the ways into a slot of that.
    ///
    /// # Safety
    ///
    /// The implementation keeps the rules GUARD-1 to GUARD-6 of the module.
    pub unsafe trait Heap: Sized {
        /// See [`Stack::IDLE_NODES`](crate::Stack::IDLE_NODES).
        const IDLE_NODES: usize;
        /// See [`Stack::SLOT_NODES`](crate::Stack::SLOT_NODES).
        const SLOT_NODES: usize;
        /// Nodes that `push_all` and `TakeAll` get or let go at once, at most.
        const BATCH: usize;

        /// The engine's part of a stack of `T`; each slot also holds an `L`.
        type Domain<T, L: Local>: Initial;
        /// One context in a slot of it.
        type Guard<'a, T: 'a, L: Local + 'a>: Guard<'a, T, L>;

        /// What a further slot needs of the allocator.
        fn slot_layout<T, L: Local>() -> Layout;

        /// Claims a slot; and protects `node` with it, if there is one (GUARD-1).
        fn enter<T, L: Local>(
            domain: &Self::Domain<T, L>,
            search: Search,
            node: Option<NodePtr<T>>,
        ) -> Option<Self::Guard<'_, T, L>>;

        /// Claims each slot that is free when its turn comes. Each of the guards has to leave.
        fn free_slots<'a, T: 'a, L: Local + 'a>(
            domain: &'a Self::Domain<T, L>,
        ) -> impl Iterator<Item = Self::Guard<'a, T, L>>;

        /// Claims some slot that has a node for a push (GUARD-2), and takes the node. Neither allocates nor frees.
        #[cold]
        fn enter_with_spare<T, L: Local>(domain: &Self::Domain<T, L>) -> Option<(Self::Guard<'_, T, L>, NodePtr<T>)> {
            Self::free_slots(domain).find_map(|guard| {
                let node = guard.own();
                if node.is_none() {
                    // SAFETY: it is not used any more.
                    unsafe { guard.leave() };
                }
                node.map(|node| (guard, node))
            })
        }

        /// Claims a slot for long: sees to it that those who stay leave one to the others, if there is memory.
        fn enter_to_stay<T, L: Local>(domain: &Self::Domain<T, L>) -> Option<Self::Guard<'_, T, L>>;

        /// Has to follow once for each guard of `enter_to_stay` whose context does not stay any longer: leaves its slot, which
        /// need not be the same one any more.
        ///
        /// # Safety
        ///
        /// As [`Guard::leave`].
        unsafe fn end_stay<T, L: Local>(guard: Self::Guard<'_, T, L>);

        /// See [`Stack::reserve`](crate::Stack::reserve).
        fn reserve<T, L: Local>(domain: &Self::Domain<T, L>, nodes: usize) -> Result<(), OutOfMemory>;

        /// See [`Stack::reclaim`](crate::Stack::reclaim).
        fn reclaim<T, L: Local>(domain: &Self::Domain<T, L>) -> usize;

        #[cfg(feature = "stats")]
        fn stats<T, L: Local>(domain: &Self::Domain<T, L>) -> crate::Stats;
    }
}

/// One context's stay in a slot: two references, to be passed by value. All copies are one stay, which ends with [`Guard::leave`]
/// or [`Heap::end_stay`](sealed::Heap::end_stay).
///
/// # Safety
///
/// The implementation keeps the rules GUARD-1 to GUARD-6 of the module.
pub unsafe trait Guard<'a, T: 'a, L: 'a>: Copy {
    /// What a slot notes of the nodes that it has retired, and not let go yet.
    type Retired: 'a;

    /// The slot, which is the guard's.
    fn owner(self) -> Owner<'a, T, Private<T, L, Self::Retired>>;

    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// No copy of the guard is used afterwards.
    #[inline(always)]
    unsafe fn leave(self) {
        // SAFETY: the caller's contract.
        unsafe { self.owner().leave() };
    }

    /// A node for a push (GUARD-2): a spare one of the slot.
    #[inline(always)]
    fn spare(self) -> Option<NodePtr<T>> {
        self.owner().private().spare.pop_exclusive()
    }

    /// Nodes for pushes (GUARD-2): all spare ones of the slot, at most [`Heap::BATCH`](sealed::Heap::BATCH).
    #[inline(always)]
    fn spares(self) -> List<T> {
        self.owner().private().spare.take()
    }

    /// A node for a push (GUARD-2): one of the slot, retired ones that nobody protects among them.
    fn own(self) -> Option<NodePtr<T>> {
        self.spare()
    }

    /// A node for a push (GUARD-2), for a slot without a spare one: of the depot, or, if permitted, from the allocator.
    fn refill(self, permit: Permit) -> Option<NodePtr<T>>;

    /// A node for a push (GUARD-2), from wherever there is one.
    fn node(self, permit: Permit) -> Option<NodePtr<T>> {
        self.spare().or_else(|| self.refill(permit))
    }

    /// Protects `node` (GUARD-1) instead of what was protected before.
    fn protect(self, node: NodePtr<T>);

    /// Protects `node`, which the caller owns and pushes next (GUARD-5), instead of what was protected before; unless the engine
    /// keeps none.
    fn keep(self, node: NodePtr<T>);

    /// The node that is kept (GUARD-5), if there is one; for a guard that does not protect another one instead.
    fn kept(self) -> Option<NodePtr<T>>;

    /// Protects nothing any more; for a guard that stays.
    fn unprotect(self);

    /// Lets a node go (GUARD-3). Does not call the allocator on `Slots`. [`Guard::settle`] has to follow, unless
    /// [`Guard::is_due`] has said before that it need not, or the node came from [`Guard::again`].
    ///
    /// # Safety
    ///
    /// The caller owns the node, it came from this engine's part of the stack, holds no value, and is not used afterwards. If
    /// others may have confirmed it at the stack's head, its link is what it was there (GUARD-6).
    unsafe fn retire(self, node: NodePtr<T>);

    /// The node that was retired last, if it was above `top`, for a push above that (GUARD-6).
    #[inline(always)]
    fn again(self, _top: *mut Node<T>) -> Option<NodePtr<T>> {
        None
    }

    /// Lets go what can be of so many nodes, all at once, and returns the others.
    ///
    /// # Safety
    ///
    /// As [`Guard::retire`], of each node that is not returned.
    unsafe fn retire_whole(self, nodes: List<T>, _len: usize) -> List<T> {
        nodes
    }

    /// Lets nodes go, and settles; may call the allocator.
    ///
    /// # Safety
    ///
    /// As [`Guard::retire`], of each node.
    unsafe fn retire_all(self, mut nodes: List<T>) {
        while let Some(node) = nodes.pop() {
            // SAFETY: the caller's contract, of each node.
            unsafe { self.retire(node) };
            self.settle(Permit::Nothing);
        }
        self.give_back();
    }

    /// Whether there will be something to settle once one more node is retired.
    fn is_due(self) -> bool;

    /// Whether there are more spare nodes than need be kept.
    fn has_surplus(self) -> bool;

    /// Scans if enough nodes are retired, and gives back if the allocator may be called.
    fn settle(self, permit: Permit);

    /// Gives surplus, if there is any, back to the allocator.
    fn give_back(self);

    /// Gives `action` what the back-off keeps in this slot.
    #[inline(always)]
    fn with_local<O>(self, action: impl FnOnce(&mut L) -> O) -> O {
        action(&mut self.owner().private().local)
    }

    #[inline(always)]
    fn counters(self) -> &'a Counters {
        self.owner().counters()
    }

    /// One of so many places, each of which is shared by neighbouring slots, two at least.
    fn neighbourhood(self, places: usize) -> usize;
}
