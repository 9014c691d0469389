//! The seam to the atomics: with [`barrier`], the only file that names `portable_atomic`, `core::sync::atomic`, `loom` or
//! `machine`, but for tests.
//!
//! Behind it are the processor's atomics; under `cfg(elimination_stack_loom)` the model checker's; and under
//! `cfg(elimination_stack_simulate)`, which only the package in `tests/simulation/library` sets, those of a simulated
//! machine of many cores.

mod barrier;

use core::marker::PhantomData;
use core::mem::MaybeUninit;

pub(crate) use core::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release};

/// What the processor's and the simulated machine's atomics go with.
#[cfg(not(elimination_stack_loom))]
mod plain {
    use super::{AtomicPtr, AtomicU16, AtomicUsize};

    /// `core`'s cell behind the interface of loom's.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Gives `action` the right to write what is in the cell; loom checks that nobody else does meanwhile.
        #[inline(always)]
        pub(crate) fn with_mut<O>(&self, action: impl FnOnce(*mut T) -> O) -> O {
            action(self.0.get())
        }
    }

    /// Makes a cell in memory that holds none yet. What is in it comes later: only loom, which has to write a whole cell, needs
    /// something `initial`.
    ///
    /// # Safety
    ///
    /// The pointer is valid for writes.
    #[inline(always)]
    pub(crate) unsafe fn write_cell<T>(_: *mut UnsafeCell<T>, _initial: impl FnOnce() -> T) {}

    /// Spreads an address over all 32 bits, best over the upper ones.
    #[inline(always)]
    pub(crate) fn hash(address: usize) -> u32 {
        // 2 to the 32nd divided by the golden ratio (Fibonacci hashing; D. Knuth, TAOCP vol. 3, 6.4).
        spread(address, 0x9E37_79B9)
    }

    /// Hashes by multiplication with an odd number.
    #[inline(always)]
    pub(crate) fn spread(number: usize, multiplier: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits tell neighbours apart")]
        let low = number as u32;
        low.wrapping_mul(multiplier)
    }

    /// States that nobody else can access `atomic` any more; only loom checks it.
    #[inline(always)]
    pub(crate) fn assert_exclusive<T>(_: *mut AtomicPtr<T>) {}

    /// The same of a number.
    #[inline(always)]
    pub(crate) fn assert_exclusive_number(_: *mut AtomicU16) {}

    /// States that whoever finds `atomic` has to see that it was made; only loom checks it.
    #[inline(always)]
    #[allow(dead_code, reason = "for the engine `Haphazard`, which not every target has")]
    pub(crate) fn assert_new(_: &mut AtomicUsize) {}
}

#[cfg(not(any(elimination_stack_loom, elimination_stack_simulate)))]
mod imp {
    #[allow(unused_imports, reason = "the engine `Haphazard` uses it, which not every target has")]
    pub(crate) use super::plain::assert_new;
    pub(crate) use super::plain::{UnsafeCell, assert_exclusive, assert_exclusive_number, hash, write_cell};
    #[cfg(feature = "alloc")]
    pub(crate) use alloc::alloc::{alloc, dealloc};
    pub(crate) use core::hint::spin_loop;
    pub(crate) use portable_atomic::{AtomicIsize, AtomicPtr, AtomicU16, AtomicUsize};
    use spin::RelaxStrategy;

    /// One step of waiting.
    ///
    /// `extern "C"` so that a panic aborts: the caller, whose offer stands or was answered, could not go on.
    #[inline(always)]
    pub(crate) extern "C" fn relax<Relax: RelaxStrategy>() {
        Relax::relax();
    }

    /// A number that differs from one context to the next, and mostly stays the same in each.
    ///
    /// Without thread-locals: the page of the caller's stack, since each thread, task and core has its own. The upper bits
    /// differ most.
    #[inline(always)]
    pub(crate) fn context_hash() -> u32 {
        let local = 0_u8;
        super::plain::spread((&raw const local).addr() >> 12, STACKS)
    }

    /// Spreads stacks that follow each other at equal distances, as those of a program's threads do. Found by search, for the
    /// distances of the test below. tuning.md, "Slots".
    const STACKS: u32 = 0x521C_FB2D;

    #[cfg(test)]
    mod tests {
        /// Stacks lie a power of two pages apart, or one or two pages, which guard them, more.
        #[test]
        fn stacks_at_equal_distances_are_spread() {
            let powers = (0..12).map(|power| 1_u32 << power);
            for distance in powers.flat_map(|pages| [pages, pages + 1, pages + 2]) {
                for stacks in [4, 8, 16, 32] {
                    let step = distance.wrapping_mul(super::STACKS);
                    let closest =
                        (1..stacks).map(|apart| step.wrapping_mul(apart)).map(|gap| gap.min(gap.wrapping_neg()));
                    let even = u32::MAX / stacks;
                    assert!(closest.min() > Some(even / 100 * 15), "{stacks} stacks, {distance} pages apart");
                }
            }
        }
    }
}

#[cfg(elimination_stack_loom)]
mod imp {
    pub(crate) use loom::alloc::{alloc, dealloc};
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU16, AtomicUsize};
    pub(crate) use loom::thread::yield_now as spin_loop;

    /// Waits until others have run, whatever the program would do.
    #[expect(clippy::extra_unused_type_parameters, reason = "whatever the program would do")]
    pub(crate) fn relax<Relax>() {
        spin_loop();
    }

    /// One number for all contexts: executions have to repeat, and contexts to meet in one slot.
    pub(crate) fn context_hash() -> u32 {
        0
    }

    /// One number for all addresses, since executions have to repeat.
    pub(crate) fn hash(_: usize) -> u32 {
        0
    }

    pub(crate) unsafe fn write_cell<T>(cell: *mut UnsafeCell<T>, initial: impl FnOnce() -> T) {
        // SAFETY: the caller's contract.
        unsafe { cell.write(UnsafeCell::new(initial())) }
    }

    pub(crate) fn assert_exclusive<T>(atomic: *mut AtomicPtr<T>) {
        // SAFETY: the pointer is valid; that no other access is concurrent is what loom checks here.
        unsafe { (*atomic).with_mut(|_| ()) }
    }

    pub(crate) fn assert_exclusive_number(atomic: *mut AtomicU16) {
        // SAFETY: as above.
        unsafe { (*atomic).with_mut(|_| ()) }
    }

    pub(crate) fn assert_new(atomic: &mut AtomicUsize) {
        // To loom all that a thread does between two accesses happens at one time. This access makes what follows later.
        atomic.load(super::Relaxed);
        atomic.with_mut(|_| ());
    }
}

#[cfg(elimination_stack_simulate)]
mod imp {
    pub(crate) use super::plain::{UnsafeCell, assert_exclusive, assert_exclusive_number, assert_new, write_cell};
    // The engines that use it are not part of what is simulated.
    pub(crate) use core::sync::atomic::AtomicU16;
    // What is counted is not part of what is simulated: how many handles there are; and without the feature `stats` nothing else.
    pub(crate) use machine::{AtomicIsize, AtomicPtr, Uncounted as AtomicUsize, alloc, dealloc, spin_loop};

    /// One step of waiting on the simulated processor.
    #[expect(clippy::extra_unused_type_parameters, reason = "whatever it would be on this one")]
    pub(crate) fn relax<Relax>() {
        spin_loop();
    }

    /// A context is a core, and the core's number repeats.
    pub(crate) fn context_hash() -> u32 {
        super::plain::hash(machine::core_number())
    }

    /// Of where the address lies in the simulated memory, which repeats.
    pub(crate) fn hash(address: usize) -> u32 {
        super::plain::hash(machine::offset(address))
    }
}

pub(crate) use barrier::*;
pub(crate) use imp::*;

/// Declares a constructor that is `const`, except under loom, whose atomics have no `const` constructors.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis const fn $($rest:tt)*) => {
        #[cfg(not(elimination_stack_loom))]
        $(#[$attribute])*
        $visibility const fn $($rest)*

        #[cfg(elimination_stack_loom)]
        $(#[$attribute])*
        $visibility fn $($rest)*
    };
}

/// Types with a value to start from: a constant, or under loom, which has none, a function.
pub trait Initial: Sized {
    /// The value to start from.
    #[cfg(not(elimination_stack_loom))]
    #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from, never borrowed")]
    const INITIAL: Self;

    /// The value to start from.
    #[cfg(elimination_stack_loom)]
    fn initial() -> Self;
}

/// `initial! { impl[..] Type = value }` implements [`Initial`], and `initial! { impl[..] Type { field, field } }` by the initial
/// values of all fields; `initial!(Type)` is the initial value of a type.
macro_rules! initial {
    (impl [$($generics:tt)*] $type:ty = $initial:expr) => {
        impl<$($generics)*> crate::sync::Initial for $type {
            #[cfg(not(elimination_stack_loom))]
            #[allow(clippy::declare_interior_mutable_const, reason = "a value to start from, never borrowed")]
            const INITIAL: Self = $initial;

            #[cfg(elimination_stack_loom)]
            fn initial() -> Self {
                $initial
            }
        }
    };
    (impl [$($generics:tt)*] $type:ty { $($field:tt),* }) => {
        crate::sync::initial! { impl [$($generics)*] $type = Self { $($field: crate::sync::initial!(_)),* } }
    };
    ($type:ty) => {{
        #[cfg(not(elimination_stack_loom))]
        let initial = <$type as crate::sync::Initial>::INITIAL;
        #[cfg(elimination_stack_loom)]
        let initial = <$type as crate::sync::Initial>::initial();
        initial
    }};
}

initial! { impl[] () = () }
initial! { impl[] usize = 0 }
initial! { impl[] i32 = 0 }
initial! { impl[] u16 = 0 }
initial! { impl[T] *mut T = core::ptr::null_mut() }
initial! { impl[T] Option<T> = None }
initial! { impl[T] PhantomData<T> = PhantomData }
// Zero, although nobody reads it, so that a static is in `.bss`.
initial! { impl[T] MaybeUninit<T> = MaybeUninit::zeroed() }
initial! { impl[T: Initial] UnsafeCell<T> = UnsafeCell::new(initial!(T)) }
initial! { impl[T] AtomicPtr<T> = AtomicPtr::new(core::ptr::null_mut()) }
initial! { impl[] AtomicIsize = AtomicIsize::new(0) }
initial! { impl[] AtomicUsize = AtomicUsize::new(0) }
initial! { impl[] AtomicU16 = AtomicU16::new(0) }
initial! { impl[T: Initial, const N: usize] [T; N] = {
    #[cfg(not(elimination_stack_loom))]
    let array = [const { T::INITIAL }; N];
    #[cfg(elimination_stack_loom)]
    let array = core::array::from_fn(|_| T::initial());
    array
} }

pub(crate) use {const_fn, initial};
