//! A context's stay in a slot, for the time of one operation.

use crate::backoff::Backoff;
use crate::reclaim::{Guard, Reclaim};
use crate::stack::GuardOf;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr;

/// A context's stay in a slot for the time of one operation. Dropping it ends the stay, or what it protects.
pub(crate) trait Stay<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a>:
    DerefMut<Target = GuardOf<'a, T, R, B>>
{
}

impl<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, G: DerefMut<Target = GuardOf<'a, T, R, B>>> Stay<'a, T, R, B> for G {}

/// The stay of an operation on the stack: leaves the slot.
pub(crate) struct Own<G>(pub(crate) G);

impl<G> Deref for Own<G> {
    type Target = G;

    #[inline(always)]
    fn deref(&self) -> &G {
        &self.0
    }
}

impl<G> DerefMut for Own<G> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut G {
        &mut self.0
    }
}

/// The stay of one operation through a handle, which stays in the slot. By value: so a guard need not be read from memory again
/// after each exchange.
pub(crate) struct Lent<'g, 'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a> {
    guard: ManuallyDrop<GuardOf<'a, T, R, B>>,
    lender: PhantomData<&'g mut GuardOf<'a, T, R, B>>,
}

impl<'g, 'a, T, R: Reclaim, B: Backoff> Lent<'g, 'a, T, R, B> {
    #[inline(always)]
    pub(crate) fn of(guard: &'g mut GuardOf<'a, T, R, B>) -> Self {
        // SAFETY: contract 6. Its owner lends it, so it is not used meanwhile, and this copy is not dropped.
        Self { guard: ManuallyDrop::new(unsafe { ptr::read(guard) }), lender: PhantomData }
    }
}

impl<'a, T, R: Reclaim, B: Backoff> Deref for Lent<'_, 'a, T, R, B> {
    type Target = GuardOf<'a, T, R, B>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.guard
    }
}

impl<T, R: Reclaim, B: Backoff> DerefMut for Lent<'_, '_, T, R, B> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.guard
    }
}

/// The stay of a pop through a handle: protects nothing any more when it ends.
pub(super) struct Protecting<'g, 'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a>(pub(super) Lent<'g, 'a, T, R, B>);

impl<'a, T, R: Reclaim, B: Backoff> Deref for Protecting<'_, 'a, T, R, B> {
    type Target = GuardOf<'a, T, R, B>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T, R: Reclaim, B: Backoff> DerefMut for Protecting<'_, '_, T, R, B> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for Protecting<'_, '_, T, R, B> {
    #[inline(always)]
    fn drop(&mut self) {
        // Unchecked: left as it is, the hazard costs others time, but no more nodes than the bound says.
        self.0.unprotect();
    }
}
