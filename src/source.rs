//! Where a push finds its value: in its hands, or, if it is large, where the caller has it.

use core::mem;

/// What a push puts into its node, and gives back if there is none.
pub trait Source<T>: Sized {
    /// Copies the value to a place.
    ///
    /// # Safety
    ///
    /// The pointer is valid for a write. Of the two only one is used from now on, and the other one is not dropped either.
    unsafe fn copy_to(&self, place: *mut T);

    /// Gives the value back.
    fn into_value(self) -> T;
}

/// The value itself: in registers, where the compiler can have it there.
impl<T> Source<T> for T {
    #[inline(always)]
    unsafe fn copy_to(&self, place: *mut T) {
        // SAFETY: the caller's contract.
        unsafe { place.copy_from_nonoverlapping(self, 1) };
    }

    fn into_value(self) -> T {
        self
    }
}

/// A value that stays where it is until it is put into a node or given back: without optimisation, to hand a large one from
/// function to function takes room for it in each.
pub(crate) struct Parked<T>(*const T);

impl<T> Parked<T> {
    /// Parks the value at `value`.
    ///
    /// # Safety
    ///
    /// The pointer is valid for a read for as long as this is used, and nobody else uses or drops the value from now on.
    #[inline(always)]
    pub(crate) unsafe fn new(value: *const T) -> Self {
        Self(value)
    }

    /// Whether a value would be handed over in memory in any case.
    pub(crate) const fn is_large() -> bool {
        // CHEAPER: a small value takes some instructions more if it is parked.
        mem::size_of::<T>() > 2 * mem::size_of::<usize>()
    }
}

impl<T> Source<T> for Parked<T> {
    #[inline(always)]
    unsafe fn copy_to(&self, place: *mut T) {
        // SAFETY: the caller's contract for the place, and that of `new` for the value.
        unsafe { place.copy_from_nonoverlapping(self.0, 1) };
    }

    fn into_value(self) -> T {
        // SAFETY: the contract of `new`: the value is valid, and not used after this.
        unsafe { self.0.read() }
    }
}

/// `parked!(value: T => push)`: the expression, with the value parked if it is large.
macro_rules! parked {
    ($value:ident: $T:ty => $push:expr) => {
        if const { crate::source::Parked::<$T>::is_large() } {
            // Before the push: afterwards the value may be in the list, and somebody else may have popped and dropped it.
            let $value = core::mem::ManuallyDrop::new($value);
            // SAFETY: the value is valid, and not used again here.
            let $value = unsafe { crate::source::Parked::new(&raw const *$value) };
            $push
        } else {
            $push
        }
    };
}

pub(crate) use parked;
