//! A context that keeps its slot.

use crate::Stack;
use crate::backoff::{Backoff, Elimination};
use crate::engine::{DefaultEngine, Engine, Permit, sealed::Inner};
use crate::error::{NoSlot, PushError};
use crate::source::parked;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// One context's access to a [`Stack`], which keeps a slot claimed: the fast path of a worker.
///
/// Its methods do what those of the stack do, without claiming a slot each time. It counts as a context that is
/// inside all the time, see [`Slots`](crate::Slots). It can be sent to another thread, but not shared.
///
/// Where others' operations fit in between its own, because there is other work in between, it does not wait after a race lost
/// now and then.
///
/// It may keep the node of its last push from reuse until it pushes or pops another value, wherever the first one has gone.
///
/// Leaking a handle loses its slot, and the nodes in it, see [`SLOT_NODES`](Stack::SLOT_NODES), until the stack is dropped.
/// If it is one beyond the first `N`, whoever looks at all hazards looks at it from then on.
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
pub struct Handle<'a, T, R: Engine = DefaultEngine, B: Backoff = Elimination<32>> {
    pub(crate) stack: &'a Stack<T, R, B>,
    pub(crate) seat: SeatOf<'a, T, R, B>,
    /// Not shared, whatever the engine's seat is.
    alone: PhantomData<Cell<()>>,
}

type SeatOf<'a, T, R, B> = <<R as crate::engine::sealed::Engine>::Inner<T, B> as Inner<T>>::Seat<'a>;

// SAFETY: SLOT-2: what the slot holds is used by its owner alone, and the handle takes the ownership along. A push or pop in the
// other thread moves values between threads, which `T: Send` permits.
unsafe impl<T: Send, R: Engine, B: Backoff> Send for Handle<'_, T, R, B> {}

// A panic in the user's code never meets a half-done operation.
impl<T, R: Engine, B: Backoff> UnwindSafe for Handle<'_, T, R, B> {}
impl<T, R: Engine, B: Backoff> RefUnwindSafe for Handle<'_, T, R, B> {}

impl<T, R: Engine, B: Backoff> Stack<T, R, B> {
    /// As [`Stack::handle`], but fails when there is no slot, and no memory for another. Without memory it may take the
    /// last slot; then [`Stack::pop`] waits until a slot is free again.
    ///
    /// # Errors
    ///
    /// [`NoSlot`].
    pub fn try_handle(&self) -> Result<Handle<'_, T, R, B>, NoSlot> {
        let seat = self.inner.sit().ok_or(NoSlot)?;
        Ok(Handle { stack: self, seat, alone: PhantomData })
    }
}

impl<'a, T, R: Engine, B: Backoff> Handle<'a, T, R, B> {
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

    /// As [`Stack::try_push`].
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`](crate::PushErrorKind::OutOfMemory), or what [`Stack::try_push`] says without an allocator; the value is in
    /// the error.
    #[inline]
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        let (inner, seat) = (&self.stack.inner, &mut self.seat);
        parked!(value: T => inner.push(Some(seat), value, Permit::All, PushError::refuse))
    }

    /// As [`Stack::push_spare`]; but if more contexts than `N` of `Slots<N>` are inside, and neither the handle's slot
    /// nor the depot has a spare node, it may wait for a slot. Where that may be for ever, as in [`Stack::pop`], call
    /// [`Stack::push_spare`] instead, as a context without a handle.
    ///
    /// # Errors
    ///
    /// [`NoSpareNode`](crate::PushErrorKind::NoSpareNode), or on [`Fixed`](crate::Fixed), where a handle keeps no slot,
    /// [`NoSlot`](crate::PushErrorKind::NoSlot); the value is in the error.
    pub fn push_spare(&mut self, value: T) -> Result<(), PushError<T>> {
        let (inner, seat) = (&self.stack.inner, &mut self.seat);
        parked!(value: T => inner.push(Some(seat), value, Permit::Nothing, PushError::refuse))
    }

    /// As [`Stack::pop`], except that it never waits for a slot; but on [`Fixed`](crate::Fixed), where a handle keeps none.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.stack.inner.pop(Some(&mut self.seat), Permit::All).unwrap_or(None)
    }

    /// As [`Stack::try_pop`], except that there always is a slot; but on [`Fixed`](crate::Fixed), where a handle keeps none.
    ///
    /// # Errors
    ///
    /// [`NoSlot`], on `Fixed`.
    pub fn try_pop(&mut self) -> Result<Option<T>, NoSlot> {
        self.stack.inner.pop(Some(&mut self.seat), Permit::Nothing)
    }
}

impl<T, R: Engine, B: Backoff> Drop for Handle<'_, T, R, B> {
    fn drop(&mut self) {
        // SAFETY: the handle ends, and with it its seat.
        unsafe { self.stack.inner.stand(&mut self.seat) };
    }
}

impl<T, R: Engine, B: Backoff> fmt::Debug for Handle<'_, T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("stack", self.stack).finish_non_exhaustive()
    }
}
