//! What an interrupt handler may call.

use crate::Stack;
use crate::backoff::{Backoff, Elimination};
use crate::engine::Engine;
use crate::error::{NoSlot, PushError};
use crate::reclaim::Slots;
use core::fmt;

/// A [`Stack`] as an interrupt handler sees it, from [`Stack::interrupt`]: none of its calls allocates, frees or waits, so whoever
/// holds only this cannot make a wrong one.
///
/// All of it holds for [`Slots`]; for [`Haphazard`](crate::Haphazard) only what [`Stack::push_spare`] and [`Stack::try_pop`] say.
pub struct Interrupt<'a, T, R: Engine = Slots<8>, B: Backoff = Elimination<32>>(&'a Stack<T, R, B>);

impl<'a, T, R: Engine, B: Backoff> Interrupt<'a, T, R, B> {
    pub(crate) const fn new(stack: &'a Stack<T, R, B>) -> Self {
        Self(stack)
    }

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
