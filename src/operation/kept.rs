//! The node that a handle keeps, and what lies below it.

use crate::reclaim::Guard;
use crate::treiber::{Head, Node, NodePtr};
use core::ptr;

/// What a handle has pushed last and keeps protected, with what lies below it: so a pop that finds it on top has nothing to
/// publish, and need not read its link.
///
/// It is made by [`Kept::push`] alone, and only if the push succeeds, so `below` is what the node was pushed above. The node
/// itself is in the word of the handle's slot, which is its hazard: whatever protects something else there, or nothing, has lost
/// both at once.
pub(super) struct Kept<T> {
    /// The address in the link of the node that is kept. If none is, what was the top after the last operation, or before, if that
    /// was not a common one: then it only tells whether others have come in between.
    below: *mut Node<T>,
}

impl<T> Kept<T> {
    pub(super) const NOTHING: Self = Self { below: ptr::null_mut() };

    /// What was the top after the last operation through this `guard`.
    pub(super) fn top<L>(&self, guard: &impl Guard<T, L>) -> *mut Node<T> {
        guard.kept().map_or(self.below, NodePtr::as_ptr)
    }

    /// Keeps nothing any more, nor protects anything; `top` is what the top is.
    #[inline(always)]
    pub(super) fn lose<L>(&mut self, top: *mut Node<T>, guard: &mut impl Guard<T, L>) {
        guard.unprotect();
        self.below = top;
    }

    /// Whether `top` is what was the top after the last operation, or what lies below the node that is kept.
    #[inline(always)]
    pub(super) fn is_undisturbed<L>(&self, top: *mut Node<T>, guard: &impl Guard<T, L>) -> bool {
        // CHEAPER: it only tells whether others come in between, and so how long to wait.
        top == self.below || guard.keeps(top)
    }

    /// Pushes a node with a value above `top`, if that is the top, and keeps it. Else says what is, and keeps none.
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
        // Before the exchange, for after it the compiler would read this once more.
        if self.below != top {
            self.below = top;
        }
        let keeps = guard.keep(node);
        // SAFETY: the caller's contract.
        let pushed = unsafe { head.try_push(top, node, node) };
        if pushed.is_err() {
            // Required: once the node is pushed above another top, `below` is not what lies below it.
            guard.unprotect();
        } else if !keeps {
            self.below = node.as_ptr();
        }
        pushed
    }

    /// Pops the node that is kept, if it is the top: the caller owns it then. Else says what is. `None` if no node is kept.
    #[inline(always)]
    pub(super) fn pop<L>(&self, head: &Head<T>, guard: &impl Guard<T, L>) -> Option<Result<NodePtr<T>, *mut Node<T>>> {
        // CHEAPER: without what is kept there is a hazard to publish, which only takes longer.
        let node = guard.kept()?;
        // SAFETY: contract 5: the node is protected, and if it is the top, as it was pushed: above `below`.
        Some(unsafe { head.try_pop_above(self.below, node) }.map(|()| node))
    }
}
