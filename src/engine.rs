//! The seam between a stack and its engine: what every stack does, whatever it is made of.

use crate::backoff::Backoff;
use crate::error::{Left, NoSlot, PushErrorKind};
use crate::source::Source;
use crate::sync::Initial;
use core::mem;

/// An engine: where a stack has its nodes, and how a node comes back that slower contexts may still read. Sealed.
///
/// Those that get their nodes from the allocator are [`Reclaim`](crate::Reclaim), too.
pub trait Engine: sealed::Engine {}

impl<R: sealed::Engine> Engine for R {}

/// The engine of a [`Stack`](crate::Stack) whose type names none. Without the feature `alloc` it is `Fixed<64>`.
#[cfg(feature = "alloc")]
pub type DefaultEngine = crate::Slots<8>;

/// The engine of a [`Stack`](crate::Stack) whose type names none. With the feature `alloc` it is `Slots<8>`.
#[cfg(not(feature = "alloc"))]
pub type DefaultEngine = crate::Fixed<64>;

/// What a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// To call the allocator, and to wait.
    All,
    /// Neither to allocate nor to free nor to wait: the calls meant for interrupt handlers.
    Nothing,
}

/// Drops values, where they are, until `drop_next` says that there are no more. If a value's `Drop` panics, the other values are
/// still dropped.
pub(crate) fn drop_all(drop_next: impl FnMut() -> bool) {
    struct Rest<F: FnMut() -> bool>(F);

    impl<F: FnMut() -> bool> Drop for Rest<F> {
        fn drop(&mut self) {
            while (self.0)() {}
        }
    }

    let mut rest = Rest(drop_next);
    while (rest.0)() {}
    mem::forget(rest);
}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::{Backoff, Initial, Left, NoSlot, Permit, PushErrorKind, Source};

    /// An engine, as a name for what a stack is on it.
    pub trait Engine: Sized {
        type Inner<T, B: Backoff>: Inner<T>;
    }

    /// A stack, behind its public face. Dropping it drops the values.
    ///
    /// Where a method takes a `seat`, that is the handle's through which it is called.
    pub trait Inner<T>: Initial {
        /// What a handle keeps.
        type Seat<'a>
        where
            Self: 'a;

        /// Values that [`Inner::detach`] has taken. Dropping it leaks them.
        type Taken;

        fn is_empty(&self) -> bool;

        /// Pushes a value; or returns what `refuse` makes of why not, and of the value.
        fn push<'a, V: Source<T>, E>(
            &'a self,
            seat: Option<&mut Self::Seat<'a>>,
            value: V,
            permit: Permit,
            refuse: impl FnOnce(PushErrorKind, V) -> E,
        ) -> Result<(), E>;

        /// Pops a value, if there is one. Never fails if all is permitted, or with a seat that is a slot.
        fn pop<'a>(&'a self, seat: Option<&mut Self::Seat<'a>>, permit: Permit) -> Result<Option<T>, NoSlot>;

        /// Pops a value, when nobody else uses the stack.
        fn pop_mut(&mut self) -> Option<T>;

        /// Pushes as many values as there are nodes for, all at once, and returns the others. All is permitted.
        fn push_all<'a, I: Iterator<Item = T>>(
            &'a self,
            seat: Option<&mut Self::Seat<'a>>,
            values: I,
        ) -> Result<(), Left<I>>;

        /// Takes all values at once.
        fn detach(&self) -> Self::Taken;

        /// Whether none is left of what was taken.
        fn has_none(taken: &Self::Taken) -> bool;

        /// Gives `action` the topmost value of what was taken, if there is one, where it is; `action` moves it out, or drops it.
        /// All is permitted.
        ///
        /// # Safety
        ///
        /// It was taken from this stack, and what `action` gets is no value any more afterwards, even if it unwinds.
        unsafe fn next<O>(&self, taken: &mut Self::Taken, action: impl Fn(*mut T) -> O) -> Option<O>;

        /// Makes a seat for a handle, if there is a slot for it.
        fn sit(&self) -> Option<Self::Seat<'_>>;

        /// Gives up a handle's seat, which is not used any more.
        ///
        /// # Safety
        ///
        /// It is called once for a seat.
        unsafe fn stand<'a>(&'a self, seat: &mut Self::Seat<'a>);
    }
}
