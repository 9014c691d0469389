//! Many values at once: `push_all`, `take_all`, and the traits of collections.

use crate::backoff::{Backoff, Elimination};
use crate::engine::{DefaultEngine, Engine, drop_all, sealed::Inner};
use crate::error::{PushError, Rest};
use crate::{Handle, Stack};
use core::fmt;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};

impl<T, R: Engine, B: Backoff> Stack<T, R, B> {
    /// Pushes as many of the values as there are nodes for, all at once; the last one is on top. Gives the others back.
    ///
    /// If the iterator panics, no value has been pushed, and those that it has given are dropped.
    ///
    /// Allocates: for each value for which there is no spare node; when no slot is free; on [`Fixed`](crate::Fixed) and `Masked`
    /// never. Waits: on `Masked` never; on `Fixed` only if the iterator panics, since nodes are let go then as by
    /// [`Stack::take_all`]; elsewhere as `push_all`. Lock-free: as the allocator and the iterator, but on `Masked`. From an
    /// interrupt handler: only if the allocator permits it, if there is one.
    ///
    /// # Errors
    ///
    /// Why there is no node for a value. [`OutOfMemory`](crate::PushErrorKind::OutOfMemory), or without an allocator
    /// [`NoSpareNode`](crate::PushErrorKind::NoSpareNode); or [`NoSlot`](crate::PushErrorKind::NoSlot). The error's value is an
    /// iterator of what was not pushed: that value, and those that the iterator has not given yet.
    ///
    /// ```
    /// use elimination_stack::Stack;
    ///
    /// let stack = Stack::new();
    /// if let Err(refused) = stack.try_push_all(1..=3) {
    ///     let _not_pushed: Vec<i32> = refused.into_value().collect();
    /// }
    /// assert_eq!(stack.pop(), Some(3));
    /// ```
    pub fn try_push_all<I: IntoIterator<Item = T>>(&self, values: I) -> Result<(), PushError<Rest<I::IntoIter>>> {
        self.inner.push_all(None, values.into_iter()).map_err(PushError::of_many)
    }

    /// Takes all values at once, with one swap of the head; the iterator goes from the top down.
    ///
    /// Values that the iterator is not asked for are dropped with it.
    ///
    /// Allocates: never on [`Slots`](crate::Slots). Frees: the iterator may give surplus nodes back. Waits: the iterator needs a
    /// slot after each [`BATCH`](crate::Slots::BATCH) values (on [`Fixed`](crate::Fixed) after each one), after the last one and
    /// when it is dropped, and waits for one as [`Stack::pop`] does: where that may be for ever, call [`Stack::try_pop`] until
    /// there is nothing. Lock-free: yes, while a slot is free. From an interrupt handler: no.
    ///
    /// ```
    /// let stack: elimination_stack::Stack<_> = [1, 2, 3].into_iter().collect();
    /// assert!(stack.take_all().eq([3, 2, 1]));
    /// assert!(stack.is_empty());
    /// ```
    pub fn take_all(&self) -> TakeAll<'_, T, R, B> {
        TakeAll { stack: self, taken: self.inner.detach() }
    }
}

impl<T, R: Engine, B: Backoff> Handle<'_, T, R, B> {
    /// As [`Stack::try_push_all`].
    ///
    /// # Errors
    ///
    /// As there; the values that were not pushed are in the error.
    pub fn try_push_all<I: IntoIterator<Item = T>>(&mut self, values: I) -> Result<(), PushError<Rest<I::IntoIter>>> {
        let pushed = self.stack.inner.push_all(Some(&mut self.seat), values.into_iter());
        pushed.map_err(PushError::of_many)
    }
}

/// The values that [`Stack::take_all`] took, from the top down.
///
/// It holds the nodes of the values that it has not given yet, and, until it ends, those of up to
/// [`BATCH`](crate::Slots::BATCH) - 1 others: so many more values count for [`Stack::IDLE_NODES`] and [`Stack::reserve`].
/// Leaking it leaks them.
pub struct TakeAll<'a, T, R: Engine = DefaultEngine, B: Backoff = Elimination<32>> {
    stack: &'a Stack<T, R, B>,
    /// From this stack.
    taken: <R::Inner<T, B> as Inner<T>>::Taken,
}

// SAFETY: the iterator owns its values, and hands them to the thread that it was sent to.
unsafe impl<T: Send, R: Engine, B: Backoff> Send for TakeAll<'_, T, R, B> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<T: Send, R: Engine, B: Backoff> Sync for TakeAll<'_, T, R, B> {}

// A panic in the user's code never meets a half-done operation.
impl<T, R: Engine, B: Backoff> UnwindSafe for TakeAll<'_, T, R, B> {}
impl<T, R: Engine, B: Backoff> RefUnwindSafe for TakeAll<'_, T, R, B> {}

impl<T, R: Engine, B: Backoff> TakeAll<'_, T, R, B> {
    fn is_empty(&self) -> bool {
        R::Inner::<T, B>::has_none(&self.taken)
    }
}

impl<T, R: Engine, B: Backoff> Iterator for TakeAll<'_, T, R, B> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        // SAFETY: it was taken from this stack. The value is moved out.
        unsafe { self.stack.inner.next(&mut self.taken, |value| value.read()) }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.is_empty() { (0, Some(0)) } else { (1, None) }
    }
}

impl<T, R: Engine, B: Backoff> FusedIterator for TakeAll<'_, T, R, B> {}

impl<T, R: Engine, B: Backoff> Drop for TakeAll<'_, T, R, B> {
    fn drop(&mut self) {
        // SAFETY: it was taken from this stack. The value is dropped.
        drop_all(|| unsafe { self.stack.inner.next(&mut self.taken, |value| value.drop_in_place()).is_some() });
    }
}

impl<T, R: Engine, B: Backoff> fmt::Debug for TakeAll<'_, T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeAll").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

/// The values of a stack, from the top down.
///
/// ```
/// let stack: elimination_stack::Stack<_> = [1, 2].into_iter().collect();
/// let mut values = stack.into_iter();
/// assert_eq!((values.next(), values.size_hint()), (Some(2), (1, None)));
/// assert_eq!((values.next(), values.size_hint()), (Some(1), (0, Some(0))));
/// ```
pub struct IntoIter<T, R: Engine = DefaultEngine, B: Backoff = Elimination<32>>(Stack<T, R, B>);

impl<T, R: Engine, B: Backoff> Iterator for IntoIter<T, R, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.inner.pop_mut()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // UNTESTED: by the suites, of an iterator that has come to its end. The example of `IntoIter` objects.
        if self.0.is_empty() { (0, Some(0)) } else { (1, None) }
    }
}

impl<T, R: Engine, B: Backoff> FusedIterator for IntoIter<T, R, B> {}

impl<T, R: Engine, B: Backoff> fmt::Debug for IntoIter<T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.0).finish()
    }
}

impl<T, R: Engine, B: Backoff> IntoIterator for Stack<T, R, B> {
    type Item = T;
    type IntoIter = IntoIter<T, R, B>;

    /// From the top down.
    fn into_iter(self) -> IntoIter<T, R, B> {
        IntoIter(self)
    }
}
