//! What a handle keeps, and how its pops begin with it.

use super::exchanges_first;
use super::popped;
use super::stay::{Lent, Stay};
use crate::Stack;
use crate::backoff::Backoff;
use crate::layout::slow_path;
use crate::reclaim::{Guard, Reclaim};
use crate::stack::GuardOf;
use crate::treiber::{Head, Node, NodePtr};
use core::ptr::{self, NonNull};

/// What lies below the node that a handle has pushed last and keeps protected; so a pop that finds the node on top has nothing to
/// publish, and need not read its link. The node itself is in the word of the handle's slot, which is its hazard.
///
/// * **KEPT-1**: While the handle's guard keeps a node (GUARD-5), `below` is the address above which the node was pushed. For
///   only [`Kept::push`] keeps nodes and writes `below`, and it keeps none if its exchange fails; and whatever protects something
///   else in that slot, or nothing, ends the keeping.
///   Checked by `histories_are_linearizable` in `tests/simulation/library/tests/schedules.rs`.
pub(crate) struct Kept<T> {
    /// The address in the link of the node that is kept; without meaning if none is.
    below: *mut Node<T>,
}

impl<T> Kept<T> {
    pub(crate) const NOTHING: Self = Self { below: ptr::null_mut() };

    /// Pushes a node with a value above `top`, if that is the top, and keeps it. Else returns the address of the top, and keeps
    /// none.
    ///
    /// # Safety
    ///
    /// The caller owns the node; if this succeeds, the list does.
    #[inline(always)]
    pub(super) unsafe fn push<L>(
        &mut self,
        head: &Head<T>,
        guard: &mut impl Guard<T, L>,
        node: NodePtr<T>,
        top: *mut Node<T>,
    ) -> Result<(), *mut Node<T>> {
        // Before the exchange, since after it the compiler would read this once more.
        if self.below != top {
            self.below = top;
        }
        guard.keep(node);
        // SAFETY: the caller's contract.
        let pushed = unsafe { head.try_push(top, node, node) };
        if pushed.is_err() {
            // KEPT-1: the node will be pushed above another top.
            guard.unprotect();
        }
        pushed
    }

    /// Pops the node that is kept, if it is the top: the caller owns it then. Else returns the address of the top. `None` if no
    /// node is kept.
    #[inline(always)]
    fn pop<L>(&self, head: &Head<T>, guard: &impl Guard<T, L>) -> Option<Result<NodePtr<T>, *mut Node<T>>> {
        // CHEAPER: if no node is kept, a pop has a hazard to publish, which only takes longer.
        let node = guard.kept()?;
        // SAFETY: GUARD-5: the node is protected, and if it is the top, then as it was pushed, which was above `below` (KEPT-1).
        Some(unsafe { head.try_pop_above(self.below, node) }.map(|()| node))
    }
}

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// Pops through a handle. It takes what it keeps for the top, without a look: the hazard is shown already, and if the guess
    /// is wrong, the exchange still brings the head's cache line for writing.
    #[inline(always)]
    pub(crate) fn pop_kept<'a>(&'a self, mut guard: Lent<GuardOf<'a, T, R, B>>, kept: &Kept<T>) -> Option<T> {
        if exchanges_first::<T, R, B>(&mut guard) {
            return self.pop_exchanging(guard);
        }
        match kept.pop(&self.head, &*guard) {
            None => self.pop_other(guard, NonNull::new(self.head.top())?),
            Some(Ok(node)) => {
                guard.release();
                Some(popped::<T, R, B, _>(guard, node, true))
            }
            Some(Err(top)) => self.pop_interleaved(guard, top),
        }
    }

    /// Pops through a handle that keeps nothing. Out of line, so that a pop is short enough to be in line where pushes and pops
    /// alternate. tuning.md, "Code paths".
    #[inline(never)]
    fn pop_other<'a>(&'a self, mut guard: Lent<GuardOf<'a, T, R, B>>, top: NodePtr<T>) -> Option<T> {
        guard.protect(top);
        self.pop_in(guard, top)
    }

    slow_path! {
        /// Pops through a handle, after the exchange has found another `top` than the node that is kept.
        fn pop_interleaved<'a>(&'a self, mut guard: Lent<GuardOf<'a, T, R, B>>, top: *mut Node<T>) -> Option<T> {
            let Some(top) = NonNull::new(top) else {
                guard.release();
                return None;
            };
            guard.protect(top);
            self.pop_in(guard, top)
        }
    }
}
