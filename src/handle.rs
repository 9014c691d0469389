//! A context that keeps its slot.

use crate::Stack;
use crate::backoff::{Backoff, Elimination};
use crate::error::{Outcome, PushError, PushErrorKind};
use crate::layout::FAST_PATHS;
use crate::operation::{Kept, Lent, Past, Source, parked};
use crate::reclaim::{Domain, Guard, Own, Permit, Reclaim, Slots};
use crate::stack::{DomainOf, GuardOf};
use crate::treiber::{Node, NodePtr};
use core::fmt;
use core::mem;
use core::ptr::{self, NonNull};

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
    pub(crate) guard: Own<GuardOf<'a, T, R, B>>,
    /// None where code is short.
    kept: [Kept<T>; FAST_PATHS as usize],
}

// SAFETY: SLOT-2: what the slot holds is used by its owner alone, and the handle takes the ownership along. A push or pop in the
// other thread moves values between threads, which `T: Send` permits.
unsafe impl<T: Send, R: Reclaim, B: Backoff> Send for Handle<'_, T, R, B> {}

impl<'a, T, R: Reclaim, B: Backoff> Handle<'a, T, R, B> {
    pub(crate) fn new(stack: &'a Stack<T, R, B>, guard: Own<GuardOf<'a, T, R, B>>) -> Self {
        Self { stack, guard, kept: [Kept::NOTHING; FAST_PATHS as usize] }
    }

    /// As [`Stack::push`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does.
    #[inline]
    pub fn push(&mut self, value: T) {
        parked!(value: T => self.push_in::<()>(value));
    }

    /// As [`Stack::try_push`].
    ///
    /// # Errors
    ///
    /// [`PushErrorKind::OutOfMemory`]; the value is in the error.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        parked!(value: T => self.push_in(value))
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

    #[inline(always)]
    fn push_in<O: Outcome<T>>(&mut self, value: impl Source<T>) -> O {
        self.stack.push_in(lent::<T, R, B>(&mut self.guard), value, self.kept.first_mut())
    }

    fn push_without_allocator(&mut self, value: impl Source<T>) -> Result<(), PushError<T>> {
        let node = match self.guard.node(Permit::Nothing) {
            None => self.move_to_spare(),
            node => node,
        };
        match node {
            Some(node) => {
                self.stack.push_without_waiting(&self.guard, node, value);
                Ok(())
            }
            None => Outcome::refused(PushErrorKind::NoSpareNode, Node::<T>::LAYOUT, value),
        }
    }

    /// Moves to a slot that has a spare node, if there is one, and takes the node. At no time has the handle two
    /// slots, so it stays one context.
    #[cold]
    fn move_to_spare(&mut self) -> Option<NodePtr<T>> {
        let domain = &self.stack.domain;
        let homeless = Homeless;
        // SAFETY: the field is written anew below. Until then nothing looks at it, since whatever unwinds ends the program.
        unsafe { ptr::read(&raw const self.guard) }.leave();
        let (guard, node) = match domain.enter_with_spare() {
            Some((guard, node)) => (guard, Some(node)),
            None => loop {
                // Unless there are more contexts than slots, one is free.
                match domain.enter(Permit::Nothing) {
                    Some(guard) => break (guard, None),
                    None => B::relax(),
                }
            },
        };
        // SAFETY: a field of a mutable reference is valid for writes.
        unsafe { ptr::write(&raw mut self.guard, guard) };
        mem::forget(homeless);
        node
    }

    /// As [`Stack::pop`], except that it never waits for a slot.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let mut guard = lent::<T, R, B>(&mut self.guard);
        if let Some(kept) = self.kept.first() {
            return self.stack.pop_kept(guard, kept);
        }
        // Where code is short there are only the general functions.
        let top = NonNull::new(self.stack.head.top())?;
        guard.protect(top);
        self.stack.pop_slowly(guard, top, Past::Nothing, Permit::Allocator)
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for Handle<'_, T, R, B> {
    fn drop(&mut self) {
        // SAFETY: the handle ends, and its field is not used any more: to drop an `Own` does nothing.
        self.stack.domain.end_stay(unsafe { ptr::read(&raw const self.guard) });
    }
}

/// The slot of a handle, for one of its operations.
#[inline(always)]
fn lent<'g, T, R: Reclaim, B: Backoff>(guard: &'g mut GuardOf<'_, T, R, B>) -> Lent<GuardOf<'g, T, R, B>> {
    Lent(<DomainOf<T, R, B> as Domain<T, B::Local>>::lend(guard))
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
