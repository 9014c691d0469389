//! What an interrupt handler may call.

use crate::Stack;
use crate::backoff::{Backoff, Elimination};
use crate::engine::{DefaultEngine, Engine};
use crate::error::{NoSlot, PushError};
use core::fmt;

/// A [`Stack`] as an interrupt handler sees it, from [`Stack::interrupt`]: none of its calls allocates, frees or waits, so
/// whoever holds only this cannot make a wrong one.
///
/// That holds for every engine but [`Haphazard`](crate::Haphazard), whose calls may allocate and free. With `Masked` on several
/// cores a call waits for the other core's critical section to end.
pub struct Interrupt<'a, T, R: Engine = DefaultEngine, B: Backoff = Elimination<32>>(&'a Stack<T, R, B>);

impl<T, R: Engine, B: Backoff> Stack<T, R, B> {
    /// The calls that an interrupt handler may make, and no others.
    ///
    /// ```
    /// use elimination_stack::{NoBackoff, Slots, Stack};
    ///
    /// static EVENTS: Stack<u16, Slots<2>, NoBackoff> = Stack::custom();
    ///
    /// fn handler() {
    ///     let events = EVENTS.interrupt();
    ///     if let Err(refused) = events.push(1) {
    ///         let _lost = refused.into_value();
    ///     }
    /// }
    /// # EVENTS.reserve_for(1).unwrap();
    /// # handler();
    /// # assert_eq!(EVENTS.interrupt().pop(), Ok(Some(1)));
    /// ```
    #[must_use]
    pub const fn interrupt(&self) -> Interrupt<'_, T, R, B> {
        Interrupt(self)
    }
}

impl<T, R: Engine, B: Backoff> Interrupt<'_, T, R, B> {
    /// As [`Stack::push_spare`].
    ///
    /// # Errors
    ///
    /// [`NoSpareNode`](crate::PushErrorKind::NoSpareNode) or [`NoSlot`](crate::PushErrorKind::NoSlot); the value is in the error.
    #[inline]
    pub fn push(self, value: T) -> Result<(), PushError<T>> {
        self.0.push_spare(value)
    }

    /// As [`Stack::try_pop`].
    ///
    /// # Errors
    ///
    /// [`NoSlot`].
    #[inline]
    pub fn pop(self) -> Result<Option<T>, NoSlot> {
        self.0.try_pop()
    }

    /// As [`Stack::is_empty`].
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<T, R: Engine, B: Backoff> Clone for Interrupt<'_, T, R, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, R: Engine, B: Backoff> Copy for Interrupt<'_, T, R, B> {}

impl<T, R: Engine, B: Backoff> fmt::Debug for Interrupt<'_, T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(self.0).finish()
    }
}
