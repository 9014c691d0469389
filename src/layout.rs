//! Code and data as the processor wants them: long and apart, or short.
//!
//! Where cores share caches, what different ones write has to be on different cache lines, and it pays that the common case of an
//! operation has code of its own. A microcontroller has no caches, or none that its cores share, and little memory.
//!
//! A target does not say which of the two it is. Processors of 64 bits have such caches, and so have those of 32 bits that have
//! atomics of 64: the application and real-time profiles of Arm, x86. All others that run one of the usual operating systems are
//! taken to have them, too. What is left are microcontrollers (the M profile of Arm, riscv32, Xtensa, AVR, MSP430), whatever
//! small system they run.

use crate::sync::{Initial, initial};
use core::ops::Deref;

/// Chooses one of two items by a condition, which so stands in one place.
macro_rules! choose {
    (if $condition:meta $yes:item else $no:item) => {
        #[cfg($condition)]
        $yes
        #[cfg(not($condition))]
        $no
    };
}

choose! {
    if any(
        target_pointer_width = "64",
        target_has_atomic = "64",
        all(unix, not(any(target_os = "espidf", target_os = "nuttx"))),
    )
    mod imp {
        /// Whether the common case of an operation has code of its own, beside the general one. tuning.md, "Code paths".
        pub(crate) const FAST_PATHS: bool = true;

        /// Declares a function for what is not the common case: kept out of its caller, if that is to be a fast path.
        macro_rules! slow_path {
            ($($function:tt)*) => { #[cold] #[inline(never)] $($function)* };
        }

        /// Declares a type whose fields are in memory as they are in the source, so that what is read together is on one cache
        /// line; where there are none, the compiler's own order makes shorter code.
        macro_rules! in_this_order {
            ($($type:tt)*) => { #[repr(C)] $($type)* };
        }

        /// Keeps what different cores write on different cache lines, where these have at most 64 bytes. tuning.md, "Code paths".
        #[repr(align(64))]
        pub struct Padded<T>(pub T);

        /// What only fast paths need.
        #[derive(Clone, Copy)]
        pub struct IfFast<T>(T);

        impl<T> IfFast<T> {
            pub(crate) const fn new(value: T) -> Self {
                Self(value)
            }

            #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is nothing")]
            #[inline(always)]
            pub(crate) const fn get(&self) -> Option<&T> {
                Some(&self.0)
            }

            #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is nothing")]
            #[inline(always)]
            pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
                Some(&mut self.0)
            }
        }

        pub(crate) use {in_this_order, slow_path};
    }
    else
    mod imp {
        /// Only the general functions, in line.
        pub(crate) const FAST_PATHS: bool = false;

        /// Declares a function for what is not the common case: part of the only path.
        macro_rules! slow_path {
            ($($function:tt)*) => { #[inline(always)] $($function)* };
        }

        /// Declares a type whose fields are in the order that the compiler likes.
        macro_rules! in_this_order {
            ($($type:tt)*) => { $($type)* };
        }

        /// Nothing: there are no cache lines to keep apart.
        pub struct Padded<T>(pub T);

        /// Nothing: there are no fast paths.
        #[derive(Clone, Copy)]
        pub struct IfFast<T>(core::marker::PhantomData<T>);

        impl<T> IfFast<T> {
            pub(crate) const fn new(value: T) -> Self {
                core::mem::forget(value);
                Self(core::marker::PhantomData)
            }

            #[inline(always)]
            pub(crate) const fn get(&self) -> Option<&T> {
                None
            }

            #[inline(always)]
            pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
                None
            }
        }

        pub(crate) use {in_this_order, slow_path};
    }
}

pub(crate) use imp::{FAST_PATHS, IfFast, Padded, in_this_order, slow_path};

initial! { impl[T: Initial] Padded<T> { 0 } }
initial! { impl[T: Initial] IfFast<T> = IfFast::new(initial!(T)) }

impl<T> Deref for Padded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
