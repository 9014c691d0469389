//! A context's stay in a slot, for the time of one operation.

use crate::reclaim::{Guard, Leave, Own};
use core::ops::{Deref, DerefMut};

/// A stay in a slot for the time of one operation.
pub(crate) trait Stay<G>: DerefMut<Target = G> {
    /// Says that what the operation protects is not needed any more.
    fn release<T, L>(&mut self)
    where
        G: Guard<T, L>;

    /// Ends it.
    fn end(self);
}

/// The stay of an operation on the stack: it ends by leaving the slot, which releases the hazard, too.
impl<G: Leave> Stay<G> for Own<G> {
    #[inline(always)]
    fn release<T, L>(&mut self)
    where
        G: Guard<T, L>,
    {
    }

    #[inline(always)]
    fn end(self) {
        self.leave();
    }
}

/// The stay of an operation through a handle, which stays in the slot. It has the guard by value, so that this need not be read
/// from memory again after each exchange.
pub(crate) struct Lent<G>(pub(crate) G);

impl<G> Stay<G> for Lent<G> {
    #[inline(always)]
    fn release<T, L>(&mut self)
    where
        G: Guard<T, L>,
    {
        // CHEAPER: left as it is, the hazard costs others time, but no more nodes than the bound says.
        self.0.unprotect();
    }

    #[inline(always)]
    fn end(self) {}
}

impl<G> Deref for Lent<G> {
    type Target = G;

    #[inline(always)]
    fn deref(&self) -> &G {
        &self.0
    }
}

impl<G> DerefMut for Lent<G> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut G {
        &mut self.0
    }
}
