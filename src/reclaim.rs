//! The seam to the engines: what the stack's loop needs of one, to get nodes, protect them and let them go.
//!
//! # Rules
//!
//! A [`Guard`] is the ownership of a slot by one context. With `node` any node of the stack:
//!
//! * **GUARD-1**: After [`Guard::protect`] (or [`Domain::enter_protecting`]) with `node`, if [`Head::confirm`] then says that it
//!   is the top, `node` stays allocated, and does not become the top of that list again once it was unlinked, until the guard
//!   protects something else, unprotects it or ends. The barrier between the two steps is in `confirm`.
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
//!   the top only as what was pushed then.
//!   Checked by `handle_against_reuse_of_what_it_pushed` in `tests/loom/tests/loom.rs`.
//!
//! [`Head::confirm`]: crate::treiber::Head::confirm

pub(crate) mod chain;
pub(crate) mod depot;
#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub(crate) mod haphazard;
pub(crate) mod pool;
pub(crate) mod slots;

use crate::OutOfMemory;
use crate::stats::Counters;
use crate::sync::Initial;
use crate::treiber::NodePtr;
use ::alloc::alloc::Layout;
use chain::{Chain, List};
use core::ops::{Deref, DerefMut};

#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub use haphazard::Haphazard;
pub use slots::Slots;

/// An engine: a way to reclaim nodes that slower contexts may still read. Implemented by [`Slots`] and, on
/// targets with compare-exchange, by `Haphazard`; sealed.
pub trait Reclaim: sealed::Engine {}

impl<R: sealed::Engine> Reclaim for R {}

/// What a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// To call the allocator.
    Allocator,
    /// Neither to allocate nor to free: the calls meant for interrupt handlers.
    Nothing,
}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::Domain;
    use crate::backoff::sealed::Local;

    /// An engine, as a name for its domains.
    pub trait Engine {
        /// See [`Stack::IDLE_NODES`](crate::Stack::IDLE_NODES).
        const IDLE_NODES: usize;
        /// See [`Stack::SLOT_NODES`](crate::Stack::SLOT_NODES).
        const SLOT_NODES: usize;
        /// Nodes that `push_all` and `TakeAll` get or let go at once, at most.
        const BATCH: usize;

        /// The engine's part of a stack of `T`; each slot also holds an `L`.
        type Domain<T, L: Local>: Domain<T, L>;
    }
}

/// A way into a slot, which ends by an explicit call: of the context that claimed the slot, or lent by it.
pub trait Leave {
    /// Frees the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot; nothing that was lent of this is used any more.
    unsafe fn leave(self);
}

/// What its owner has claimed itself, as opposed to what is lent; so it may leave, once. Dropping it loses the slot.
#[must_use = "dropping it loses the slot"]
pub struct Own<O>(O);

impl<O: Leave> Own<O> {
    /// # Safety
    ///
    /// The slot was claimed for this.
    #[inline(always)]
    pub(crate) unsafe fn new(claimed: O) -> Self {
        Self(claimed)
    }

    /// The same slot, seen as something else.
    #[inline(always)]
    pub(crate) fn map<Q: Leave>(self, as_other: impl FnOnce(O) -> Q) -> Own<Q> {
        Own(as_other(self.0))
    }

    #[inline(always)]
    pub(crate) fn leave(self) {
        // SAFETY: the slot was claimed for this, as `new` demands, and what was lent borrows this, so it is not used any more.
        unsafe { self.0.leave() }
    }
}

impl<O> Deref for Own<O> {
    type Target = O;

    #[inline(always)]
    fn deref(&self) -> &O {
        &self.0
    }
}

impl<O> DerefMut for Own<O> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut O {
        &mut self.0
    }
}

/// One stack's part of an engine.
///
/// # Safety
///
/// The implementation keeps the rules GUARD-1 to GUARD-5 of the module.
pub unsafe trait Domain<T, L>: Initial {
    /// What a further slot needs of the allocator.
    const SLOT_LAYOUT: Layout;

    type Guard<'a>: Guard<T, L>
    where
        Self: 'a;

    /// Claims the slot that this context tries first, if it is free: the fast path of [`Domain::enter`].
    fn enter_home(&self) -> Option<Own<Self::Guard<'_>>>;

    /// The same, and protects `node` with it (GUARD-1): the fast path of [`Domain::enter_protecting`].
    fn enter_home_protecting(&self, node: NodePtr<T>) -> Option<Own<Self::Guard<'_>>>;

    /// Claims a slot. If none is free, adds one if that is permitted and there is memory.
    fn enter(&self, permit: Permit) -> Option<Own<Self::Guard<'_>>>;

    /// Claims a free slot and protects `node` with it (GUARD-1). Never adds a slot.
    fn enter_protecting(&self, node: NodePtr<T>) -> Option<Own<Self::Guard<'_>>>;

    /// Claims a slot for long: sees to it that those who stay leave one to the others, if there is memory.
    fn enter_to_stay(&self) -> Option<Own<Self::Guard<'_>>>;

    /// Has to follow once for each guard of `enter_to_stay` whose context does not stay any longer: leaves its slot, which need
    /// not be the same one any more.
    fn end_stay(&self, guard: Own<Self::Guard<'_>>);

    /// The slot of a guard, for one operation.
    fn lend<'g>(guard: &'g mut Self::Guard<'_>) -> Self::Guard<'g>;

    /// Claims some slot that has a spare node, and takes the node. Neither allocates nor frees.
    fn enter_with_spare(&self) -> Option<(Own<Self::Guard<'_>>, NodePtr<T>)>;

    /// See [`Stack::reserve`](crate::Stack::reserve).
    fn reserve(&self, nodes: usize) -> Result<(), OutOfMemory>;

    /// See [`Stack::reclaim`](crate::Stack::reclaim).
    fn reclaim(&self) -> usize;

    #[cfg(feature = "stats")]
    fn stats(&self) -> crate::Stats;
}

/// One context's stay in a slot: two references, to be passed by value.
///
/// # Safety
///
/// The implementation keeps the rules GUARD-1 to GUARD-5 of the module.
pub unsafe trait Guard<T, L>: Leave {
    /// A node for a push (GUARD-2): a spare one of the slot.
    fn spare(&mut self) -> Option<NodePtr<T>>;

    /// Nodes for pushes (GUARD-2): all spare ones of the slot, at most [`Engine::BATCH`](sealed::Engine::BATCH).
    fn spares(&mut self) -> List<T>;

    /// A node for a push (GUARD-2), for a slot without a spare one: of the depot, or, if permitted, from the allocator.
    fn refill(&mut self, permit: Permit) -> Option<NodePtr<T>>;

    /// A node for a push (GUARD-2), from wherever there is one.
    fn node(&mut self, permit: Permit) -> Option<NodePtr<T>> {
        self.spare().or_else(|| self.refill(permit))
    }

    /// Protects `node` (GUARD-1) instead of what was protected before.
    fn protect(&mut self, node: NodePtr<T>);

    /// Protects `node`, which the caller owns and pushes next (GUARD-5), instead of what was protected before; unless the engine
    /// keeps none.
    fn keep(&mut self, node: NodePtr<T>);

    /// The node that is kept (GUARD-5), if there is one; for a guard that does not protect another one instead.
    fn kept(&self) -> Option<NodePtr<T>>;

    /// Protects nothing any more; for a guard that stays.
    fn unprotect(&mut self);

    /// Lets a node go (GUARD-3). Does not call the allocator on `Slots`. [`Guard::settle`] has to follow, unless
    /// [`Guard::is_due`] has said before that it need not.
    ///
    /// # Safety
    ///
    /// The caller owns the node, it came from this domain, holds no value, and is not used afterwards. If it was `kept`, this
    /// guard got it (GUARD-2), pushed it, and kept it until it popped it (GUARD-5).
    unsafe fn retire(&mut self, node: NodePtr<T>, kept: bool);

    /// Lets go what can be of a chain, all at once, and returns the others.
    ///
    /// # Safety
    ///
    /// As [`Guard::retire`], of each node that is not returned.
    unsafe fn retire_whole(&mut self, nodes: Chain<T>) -> List<T> {
        nodes.into_list()
    }

    /// Lets nodes go, and settles; may call the allocator.
    ///
    /// # Safety
    ///
    /// As [`Guard::retire`], of each node.
    unsafe fn retire_all(&mut self, mut nodes: List<T>) {
        while let Some(node) = nodes.pop() {
            // SAFETY: the caller's contract, of each node.
            unsafe { self.retire(node, false) };
            self.settle(Permit::Nothing);
        }
        self.give_back();
    }

    /// How many nodes the slot has retired and not let go yet. How many it lets go it tells the back-off's
    /// [`Local`](crate::backoff::sealed::Local).
    fn retired(&mut self) -> usize;

    /// Whether there will be something to settle once one more node is retired.
    fn is_due(&mut self) -> bool;

    /// Whether there are more spare nodes than need be kept.
    fn has_surplus(&self) -> bool;

    /// Scans if enough nodes are retired, and gives back if the allocator may be called.
    fn settle(&mut self, permit: Permit);

    /// Gives surplus, if there is any, back to the allocator.
    fn give_back(&mut self);

    /// Gives `action` what the back-off keeps in this slot.
    fn with_local<O>(&mut self, action: impl FnOnce(&mut L, &Counters) -> O) -> O;

    fn counters(&self) -> &Counters;

    /// One of so many places, each of which is shared by neighbouring slots, two at least.
    fn neighbourhood(&self, places: usize) -> usize;
}
