//! The seam to the engines: what the stack's loop needs of one, to get nodes, protect them and let them go.
//!
//! # Rules
//!
//! A [`Guard`] is the ownership of a slot by one context. With `node` any node of the stack:
//!
//! * **GUARD-1**: After [`Heap::protect`] (or [`Heap::enter`]) with `node`, if [`Head::confirm`] then says that it is the top,
//!   `node` stays allocated, and once it was unlinked becomes the top of that list again only above the same node as before,
//!   until the guard protects something else, unprotects it or ends. The barrier between the two steps is in `confirm`.
//!   Checked by `pop_against_reuse_of_the_node`, `handle_against_reuse_of_the_node` in `tests/loom/tests/loom.rs`,
//!   `pop_against_reuse_of_the_node` in `tests/loom/tests/loom_haphazard.rs`.
//! * **GUARD-2**: What [`Guard::node`], [`Guard::spare`], [`Guard::spares`], [`Heap::own`], [`Heap::refill`] and
//!   [`Pool::claim_with_spare`] give are nodes without a value, which the caller owns and may push. Nobody else writes them any
//!   more; a slower context may still read their links.
//!   Checked by `depot_take_against_take` in `tests/loom/tests/loom.rs`.
//! * **GUARD-3**: [`Heap::retire`] takes a node of this stack, without a value, that the caller owns, whether it was ever
//!   reachable from a head or not, and whether others still protect it or not.
//!   Checked by `elimination`, `take_all_and_push_against_pop` in `tests/loom/tests/loom.rs`.
//! * **GUARD-4**: No method runs code of the user's but the allocator's, and none unwinds while a slot is claimed. What
//!   [`Guard::with_local`] is given runs steps of waiting at most, and a panic in one of these ends the program.
//!   Checked by `in_iterator_while_values_hold_slots` in `tests/panics.rs`, `a_panic_while_waiting_aborts` in `tests/faults.rs`.
//! * **GUARD-5**: After [`Heap::keep`] with `node`, which the caller then pushes, it is protected as by GUARD-1 for as long as
//!   [`Heap::kept`] returns it, without a barrier and without a second look at the head (BARRIER-2). So meanwhile the node is
//!   the top only above the node that it was pushed above then.
//!   Checked by `handle_against_reuse_of_what_it_pushed` in `tests/loom/tests/loom.rs`.
//! * **GUARD-6**: What [`Heap::again`] gives for `top` is a node without a value, whose link is `top`, and which others may
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

use self::chain::List;
use self::pool::Pool;
use self::sealed::Heap;
use crate::OutOfMemory;
use crate::engine::Permit;
use crate::sync::{Initial, initial};
use crate::treiber::{Node, NodePtr};

#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub use self::haphazard::Haphazard;
pub use self::pool::Guard;
pub use self::slots::Slots;

/// An engine whose nodes come from the allocator, and that reclaims those which slower contexts may still read. Implemented by
/// [`Slots`] and, on targets with compare-exchange, by `Haphazard`; sealed.
pub trait Reclaim: Heap {}

impl<R: Heap> Reclaim for R {}

/// What the owner of a slot alone touches.
pub struct Private<T, R: Heap, L> {
    retired: R::Retired<T>,
    spare: List<T>,
    /// The back-off's.
    local: L,
}

initial! { impl[T, R: Heap, L: Initial] Private<T, R, L> { retired, spare, local } }

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

    use super::{Guard, Initial, List, Node, NodePtr, OutOfMemory, Permit, Pool, Search};

    /// What an engine does for a [`SharedList`](crate::list::SharedList): what its slots hold and share, and what a context does
    /// from within one.
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

        /// The slots in place.
        type Slots<S: Initial>: Initial + AsRef<[S]>;
        /// What all slots of a stack share.
        type Shared<T>: Initial;
        /// What a slot notes of the nodes that it has retired, and not let go yet.
        type Retired<T>: Initial;

        /// Claims a slot; and protects `node` with it, if there is one (GUARD-1).
        #[inline(always)]
        fn enter<T, L: Initial>(
            pool: &Pool<T, Self, L>,
            search: Search,
            node: Option<NodePtr<T>>,
        ) -> Option<Guard<'_, T, Self, L>> {
            pool.claim(search, node)
        }

        /// Frees the slot.
        ///
        /// # Safety
        ///
        /// No copy of the guard is used afterwards.
        #[inline(always)]
        unsafe fn leave<T, L: Initial>(guard: Guard<'_, T, Self, L>) {
            // SAFETY: the caller's contract.
            unsafe { guard.leave() };
        }

        /// A node for a push (GUARD-2): one of the slot; of an engine that scans for itself, retired ones that nobody protects
        /// among them.
        fn own<T, L: Initial>(guard: Guard<'_, T, Self, L>) -> Option<NodePtr<T>> {
            guard.spare()
        }

        /// A node for a push (GUARD-2), for a slot without a spare one: of those that are shared, or, if permitted, from the
        /// allocator.
        fn refill<T, L: Initial>(guard: Guard<'_, T, Self, L>, permit: Permit) -> Option<NodePtr<T>>;

        /// Protects `node` (GUARD-1) instead of what was protected before.
        #[inline(always)]
        fn protect<T, L: Initial>(guard: Guard<'_, T, Self, L>, node: NodePtr<T>) {
            guard.protect(node);
        }

        /// Protects `node`, which the caller owns and pushes next (GUARD-5), instead of what was protected before; unless the
        /// engine keeps none.
        #[inline(always)]
        fn keep<T, L: Initial>(_: Guard<'_, T, Self, L>, _node: NodePtr<T>) {}

        /// The node that is kept (GUARD-5), if there is one; for a guard that does not protect another one instead.
        #[inline(always)]
        fn kept<T, L: Initial>(_: Guard<'_, T, Self, L>) -> Option<NodePtr<T>> {
            None
        }

        /// Protects nothing any more.
        #[inline(always)]
        fn unprotect<T, L: Initial>(guard: Guard<'_, T, Self, L>) {
            guard.unprotect();
        }

        /// Lets a node go (GUARD-3). Does not call the allocator on `Slots`. [`Heap::settle`] has to follow, unless
        /// [`Heap::is_due`] has said before that it need not, or the node came from [`Heap::again`].
        ///
        /// # Safety
        ///
        /// The caller owns the node, it came from this stack, holds no value, and is not used afterwards. If
        /// others may have confirmed it at the stack's head, its link is what it was there (GUARD-6).
        unsafe fn retire<T, L: Initial>(guard: Guard<'_, T, Self, L>, node: NodePtr<T>);

        /// The node that was retired last, if it was above `top`, for a push above that (GUARD-6).
        #[inline(always)]
        fn again<T, L: Initial>(_: Guard<'_, T, Self, L>, _top: *mut Node<T>) -> Option<NodePtr<T>> {
            None
        }

        /// Lets go what can be of so many nodes, all at once, and returns the others.
        ///
        /// # Safety
        ///
        /// As [`Heap::retire`], of each node that is not returned.
        unsafe fn retire_whole<T, L: Initial>(_: Guard<'_, T, Self, L>, nodes: List<T>, _len: usize) -> List<T> {
            nodes
        }

        /// Whether there will be something to settle once one more node is retired.
        fn is_due<T, L: Initial>(guard: Guard<'_, T, Self, L>) -> bool;

        /// Whether there are more spare nodes than need be kept.
        fn has_surplus<T, L: Initial>(guard: Guard<'_, T, Self, L>) -> bool;

        /// Scans if enough nodes are retired, and gives back if the allocator may be called.
        fn settle<T, L: Initial>(guard: Guard<'_, T, Self, L>, permit: Permit);

        /// Gives surplus, if there is any, back to the allocator.
        fn give_back<T, L: Initial>(guard: Guard<'_, T, Self, L>);

        /// See [`Stack::reserve`](crate::Stack::reserve).
        fn reserve<T, L: Initial>(pool: &Pool<T, Self, L>, nodes: usize) -> Result<(), OutOfMemory>;

        /// See [`Stack::reclaim`](crate::Stack::reclaim).
        fn reclaim<T, L: Initial>(pool: &Pool<T, Self, L>) -> usize;

        /// Frees the nodes that the slots hold and share, when nobody is in a slot any more, nor comes.
        fn clear<T, L: Initial>(pool: &mut Pool<T, Self, L>);
    }
}

impl<T, R: Heap, L: Initial> Guard<'_, T, R, L> {
    /// A node for a push (GUARD-2): a spare one of the slot.
    #[inline(always)]
    pub(crate) fn spare(self) -> Option<NodePtr<T>> {
        self.with(|private| private.spare.pop_exclusive())
    }

    /// Nodes for pushes (GUARD-2): all spare ones of the slot, at most [`Heap::BATCH`].
    pub(crate) fn spares(self) -> List<T> {
        self.with(|private| private.spare.take())
    }

    /// A node for a push (GUARD-2), from wherever there is one.
    pub(crate) fn node(self, permit: Permit) -> Option<NodePtr<T>> {
        self.spare().or_else(|| R::refill(self, permit))
    }

    /// Lets nodes go, and settles; may call the allocator.
    ///
    /// # Safety
    ///
    /// As [`Heap::retire`], of each node.
    pub(crate) unsafe fn retire_all(self, mut nodes: List<T>) {
        while let Some(node) = nodes.pop() {
            // SAFETY: the caller's contract, of each node.
            unsafe { R::retire(self, node) };
            R::settle(self, Permit::Nothing);
        }
        R::give_back(self);
    }

    /// Gives `action` what the back-off keeps in this slot.
    #[inline(always)]
    pub(crate) fn with_local<O>(self, action: impl FnOnce(&mut L) -> O) -> O {
        self.with(|private| action(&mut private.local))
    }
}

impl<T, R: Heap, L: Initial> Pool<T, R, L> {
    /// Claims some slot that has a node for a push (GUARD-2), and takes the node. Neither allocates nor frees.
    #[cold]
    pub(crate) fn claim_with_spare(&self) -> Option<(Guard<'_, T, R, L>, NodePtr<T>)> {
        self.claim_each().find_map(|guard| {
            let node = R::own(guard);
            if node.is_none() {
                // SAFETY: it is not used any more.
                unsafe { R::leave(guard) };
            }
            node.map(|node| (guard, node))
        })
    }
}
