//! Atomics whose every access is an event of the simulated machine.

use crate::cache::Kind;
use crate::simulation::access;
use std::fmt;
use std::sync::atomic::{self, Ordering};

/// What all three types have.
macro_rules! common {
    ([$($generics:tt)*] $name:ident, $value:ty, $inner:ty) => {
        impl<$($generics)*> $name<$($generics)*> {
            /// An atomic with a value to start from.
            pub const fn new(value: $value) -> Self {
                Self(<$inner>::new(value))
            }

            #[inline]
            fn access(&self, kind: Kind) -> &$inner {
                access((&raw const self.0).addr(), kind);
                &self.0
            }

            /// Reads.
            #[inline]
            pub fn load(&self, order: Ordering) -> $value {
                self.access(Kind::Read).load(order)
            }

            /// Writes.
            #[inline]
            pub fn store(&self, value: $value, order: Ordering) {
                self.access(Kind::Write).store(value, order);
            }

            /// Writes, and returns what was there.
            #[inline]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.access(Kind::ReadModifyWrite).swap(value, order)
            }

            /// Writes `new` if `current` is there.
            ///
            /// # Errors
            ///
            /// What else is there.
            #[inline]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.access(Kind::ReadModifyWrite).compare_exchange(current, new, success, failure)
            }

            /// The same: the simulated processor has compare-exchange, which does not fail without a reason.
            ///
            /// # Errors
            ///
            /// What else is there.
            #[inline]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }

        impl<$($generics)*> fmt::Debug for $name<$($generics)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! integer {
    ($name:ident, $value:ty) => {
        common! { [] $name, $value, atomic::$name }

        impl $name {
            /// Adds, and returns what was there.
            #[inline]
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.access(Kind::ReadModifyWrite).fetch_add(value, order)
            }

            /// Subtracts, and returns what was there.
            #[inline]
            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.access(Kind::ReadModifyWrite).fetch_sub(value, order)
            }
        }
    };
}

/// As [`std::sync::atomic::AtomicPtr`].
#[repr(transparent)]
pub struct AtomicPtr<T>(atomic::AtomicPtr<T>);

/// As [`std::sync::atomic::AtomicIsize`].
#[repr(transparent)]
pub struct AtomicIsize(atomic::AtomicIsize);

/// As [`std::sync::atomic::AtomicUsize`].
#[repr(transparent)]
pub struct AtomicUsize(atomic::AtomicUsize);

common! { [T] AtomicPtr, *mut T, atomic::AtomicPtr<T> }
integer! { AtomicIsize, isize }
integer! { AtomicUsize, usize }

/// An atomic number that the machine does not see: free of charge, and no core runs in between. For the library's
/// counters, so that what is measured is the library without them.
pub type Uncounted = atomic::AtomicUsize;

/// Nothing: the machine is sequentially consistent, and fences of its own would cost what no access needs.
#[inline]
pub fn fence(_: Ordering) {}
