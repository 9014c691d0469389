//! A context that keeps its slot.

use crate::Stack;
use crate::backoff::{Backoff, Elimination};
use crate::error::{NoSlot, PushError, PushErrorKind};
use crate::layout::IfFast;
use crate::reclaim::{Guard, Permit, Reclaim, Search, Slots};
use crate::session::{Session, SessionOf};
use crate::source::{Source, parked};
use crate::stack::GuardOf;
use crate::treiber::{Head, Node, NodePtr};
use core::fmt;
use core::mem;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr;

/// One context's access to a [`Stack`], which keeps a slot claimed: the fast path of a worker.
///
/// Its methods do what those of the stack do, without claiming a slot each time. It counts as a context that is
/// inside all the time, see [`Slots`]. It can be sent to another thread, but not shared.
///
/// Where others' operations fit in between its own, because there is other work in between, it does not wait after a race lost
/// now and then.
///
/// It may keep the node of its last push from reuse until it pushes or pops another value, wherever the first one has gone.
///
/// Leaking a handle loses its slot, and the spare nodes in it, until the stack is dropped.
///
/// ```
/// use elimination_stack::Stack;
/// use std::thread;
///
/// let stack: Stack<u32> = (0..1000).collect();
/// let sum = thread::scope(|scope| {
///     let workers = [(); 4].map(|()| {
///         scope.spawn(|| {
///             let mut handle = stack.handle();
///             std::iter::from_fn(|| handle.pop()).sum::<u32>()
///         })
///     });
///     workers.map(|worker| worker.join().unwrap()).iter().sum::<u32>()
/// });
/// assert_eq!(sum, 499_500);
/// ```
pub struct Handle<'a, T, R: Reclaim = Slots<8>, B: Backoff = Elimination<32>> {
    pub(crate) stack: &'a Stack<T, R, B>,
    pub(crate) guard: GuardOf<'a, T, R, B>,
    kept: IfFast<Kept<T>>,
}

// SAFETY: SLOT-2: what the slot holds is used by its owner alone, and the handle takes the ownership along. A push or pop in the
// other thread moves values between threads, which `T: Send` permits.
unsafe impl<T: Send, R: Reclaim, B: Backoff> Send for Handle<'_, T, R, B> {}

// A panic in the user's code never meets a half-done operation.
impl<T, R: Reclaim, B: Backoff> UnwindSafe for Handle<'_, T, R, B> {}
impl<T, R: Reclaim, B: Backoff> RefUnwindSafe for Handle<'_, T, R, B> {}

impl<'a, T, R: Reclaim, B: Backoff> Handle<'a, T, R, B> {
    pub(crate) fn new(stack: &'a Stack<T, R, B>, guard: GuardOf<'a, T, R, B>) -> Self {
        Self { stack, guard, kept: IfFast::new(Kept::NOTHING) }
    }

    /// The handle's slot, for one operation.
    #[inline(always)]
    fn session(&mut self) -> SessionOf<'a, T, R, B, true> {
        // SAFETY: the handle's slot is claimed, and stays.
        unsafe { Session::new(self.guard) }
    }

    /// The stack.
    #[must_use]
    pub fn stack(&self) -> &'a Stack<T, R, B> {
        self.stack
    }

    /// As [`Stack::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// As [`Stack::push`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does.
    #[inline]
    pub fn push(&mut self, value: T) {
        let stack = self.stack;
        let Ok(()) =
            parked!(value: T => stack.push_from(self.session(), value, self.kept.get_mut(), Stack::<T, R, B>::never));
    }

    /// As [`Stack::try_push`].
    ///
    /// # Errors
    ///
    /// [`PushErrorKind::OutOfMemory`]; the value is in the error.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        let stack = self.stack;
        parked!(value: T => stack.push_from(self.session(), value, self.kept.get_mut(), PushError::refuse))
    }

    /// As [`Stack::push_spare`]; but if more contexts than `N` of `Slots<N>` are inside, and neither the handle's slot
    /// nor the depot has a spare node, it may wait for a slot. Where that may be for ever, as in [`Stack::pop`], call
    /// [`Stack::push_spare`] instead, as a context without a handle.
    ///
    /// # Errors
    ///
    /// [`PushErrorKind::NoSpareNode`]; the value is in the error.
    pub fn push_spare(&mut self, value: T) -> Result<(), PushError<T>> {
        parked!(value: T => self.push_without_allocator(value))
    }

    fn push_without_allocator<V: Source<T>>(&mut self, value: V) -> Result<(), PushError<T>> {
        match self.guard.node(Permit::Nothing).or_else(|| self.move_to_spare()) {
            Some(node) => {
                self.stack.push_without_waiting(self.guard, node, value);
                Ok(())
            }
            None => Err(PushError::refuse(PushErrorKind::NoSpareNode, value)),
        }
    }

    /// Moves to a slot that has a spare node, if there is one, and takes the node. At no time has the handle two
    /// slots, so it stays one context.
    #[cold]
    fn move_to_spare(&mut self) -> Option<NodePtr<T>> {
        let domain = &self.stack.domain;
        let homeless = Homeless;
        // SAFETY: another one takes its place below. Until then nothing looks at it, since whatever unwinds ends the program.
        unsafe { self.guard.leave() };
        let (guard, node) = match R::enter_with_spare(domain) {
            Some((guard, node)) => (guard, Some(node)),
            None => loop {
                // Unless there are more contexts than slots, one is free.
                match R::enter(domain, Search::Free, None) {
                    Some(guard) => break (guard, None),
                    None => B::relax(),
                }
            },
        };
        self.guard = guard;
        mem::forget(homeless);
        node
    }

    /// As [`Stack::pop`], except that it never waits for a slot.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let (stack, session) = (self.stack, self.session());
        match self.kept.get() {
            Some(kept) => stack.pop_kept(session, kept),
            // Where code is short there is only the slow way.
            None => stack.pop_found(session, Permit::Allocator),
        }
    }

    /// As [`Stack::try_pop`], except that there always is a slot.
    ///
    /// # Errors
    ///
    /// None: it is `Ok`.
    pub fn try_pop(&mut self) -> Result<Option<T>, NoSlot> {
        Ok(self.stack.pop_found(self.session(), Permit::Nothing))
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for Handle<'_, T, R, B> {
    fn drop(&mut self) {
        // SAFETY: the handle ends, and with it its guard.
        unsafe { R::end_stay(self.guard) };
    }
}

/// Stands for a handle's slot while it has none. If it is dropped, something unwinds, and a second panic ends the program.
struct Homeless;

impl Drop for Homeless {
    fn drop(&mut self) {
        panic!("a handle that changes its slot must not unwind");
    }
}

impl<T, R: Reclaim, B: Backoff> fmt::Debug for Handle<'_, T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("stack", self.stack).finish_non_exhaustive()
    }
}

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
    pub(crate) unsafe fn push<'g, L>(
        &mut self,
        head: &Head<T>,
        guard: impl Guard<'g, T, L>,
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
    pub(crate) fn pop<'g, L>(
        &self,
        head: &Head<T>,
        guard: impl Guard<'g, T, L>,
    ) -> Option<Result<NodePtr<T>, *mut Node<T>>> {
        // CHEAPER: if no node is kept, a pop has a hazard to publish, which only takes longer.
        let node = guard.kept()?;
        // SAFETY: GUARD-5: the node is protected, and if it is the top, then as it was pushed, which was above `below` (KEPT-1).
        Some(unsafe { head.try_pop_above(self.below, node) }.map(|()| node))
    }
}
