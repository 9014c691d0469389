//! What a handle keeps.

use super::session::Session;
use super::{GuardOf, SharedList};
use crate::backoff::Backoff;
use crate::layout::IfFast;
use crate::reclaim::{Guard, Reclaim, Search};
use crate::sync::{Initial, initial};
use crate::treiber::{Head, Node, NodePtr};

/// A slot that stays claimed, and what its owner has pushed last.
pub struct Seat<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a> {
    pub(super) guard: GuardOf<'a, T, R, B>,
    pub(super) kept: IfFast<Kept<T>>,
}

impl<'a, T, R: Reclaim, B: Backoff> Seat<'a, T, R, B> {
    pub(super) fn new(guard: GuardOf<'a, T, R, B>) -> Self {
        Self { guard, kept: initial!(_) }
    }

    /// The slot, for one operation.
    #[inline(always)]
    pub(super) fn session(&mut self) -> Session<'a, T, R, B, true> {
        // SAFETY: the slot is claimed, and stays.
        unsafe { Session::new(self.guard) }
    }

    /// Moves to a slot that has a spare node, if there is one, and takes the node. At no time has the handle two slots of the
    /// `N`, so it stays one context.
    #[cold]
    pub(super) fn move_to_spare(&mut self, list: &'a SharedList<T, R, B>) -> Option<NodePtr<T>> {
        // SAFETY: another one takes its place below. Until then nothing looks at it, since nothing here unwinds.
        unsafe { R::leave(self.guard) };
        let (guard, node) = match list.pool.claim_with_spare() {
            Some((guard, node)) => (guard, Some(node)),
            None => loop {
                // Unless there are more contexts than slots, one is free.
                match R::enter(&list.pool, Search::Free, None) {
                    Some(guard) => break (guard, None),
                    None => B::relax(),
                }
            },
        };
        self.guard = guard;
        node
    }
}

/// What lies below the node that a handle has pushed last and keeps protected; so a pop that finds the node on top has nothing to
/// publish, and need not read its link. The node itself is in the word of the handle's slot, which is its hazard.
///
/// * **KEPT-1**: While the handle's guard keeps a node (GUARD-5), `below` is the address above which the node was pushed. For
///   only [`Kept::push`] keeps nodes and writes `below`, and it keeps none if its exchange fails; whatever protects something
///   else in that slot ends the keeping; and whatever has protected a node there that the handle did not push takes that hazard
///   away before it ends, since it looks as if the node was kept.
///   Checked by `handle_keeps_nothing_after_a_pop_of_nothing`, `handle_keeps_nothing_after_an_elimination` in
///   `tests/loom/tests/loom_handle.rs`.
pub(super) struct Kept<T> {
    /// The address in the link of the node that is kept; without meaning if none is.
    below: *mut Node<T>,
}

initial! { impl[T] Kept<T> { below } }

impl<T> Kept<T> {
    /// Pushes a node with a value above `top`, if that is the top, and keeps it, if the caller is a handle, whose `kept` this is.
    /// Else returns the address of the top, and keeps none.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and may push it above `top`; if this succeeds, the list does.
    #[inline(always)]
    pub(super) unsafe fn push<R: Reclaim, L: Initial>(
        kept: Option<&mut Self>,
        head: &Head<T>,
        guard: Guard<'_, T, R, L>,
        node: NodePtr<T>,
        top: *mut Node<T>,
    ) -> Result<(), *mut Node<T>> {
        let Some(kept) = kept else {
            // SAFETY: the caller's contract.
            return unsafe { head.try_push(top, node, node) };
        };
        // Before the exchange, since after it the compiler would read this once more.
        if kept.below != top {
            kept.below = top;
        }
        R::keep(guard, node);
        // SAFETY: the caller's contract.
        let pushed = unsafe { head.try_push(top, node, node) };
        if pushed.is_err() {
            // KEPT-1: the node will be pushed above another top, or is retired.
            R::unprotect(guard);
        }
        pushed
    }

    /// Pops the node that is kept, if it is the top: the caller owns it then. Else returns the address of the top. `None` if no
    /// node is kept.
    #[inline(always)]
    pub(super) fn pop<R: Reclaim, L: Initial>(
        &self,
        head: &Head<T>,
        guard: Guard<'_, T, R, L>,
    ) -> Option<Result<NodePtr<T>, *mut Node<T>>> {
        // CHEAPER: if no node is kept, a pop has a hazard to publish, which only takes longer.
        let node = R::kept(guard)?;
        // SAFETY: GUARD-5: the node is protected, and if it is the top, then above what it was pushed above, `below` (KEPT-1).
        Some(unsafe { head.try_pop_above(self.below, node) }.map(|()| node))
    }
}
