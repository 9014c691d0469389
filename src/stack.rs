//! The stack, as users see it.

use crate::backoff::{Backoff, Elimination};
use crate::engine::{DefaultEngine, Engine, Permit, sealed::Inner};
use crate::error::{NoSlot, PushError};
use crate::source::parked;
use crate::sync::{const_fn, initial};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A lock-free last-in first-out stack that many contexts share: threads, cores, interrupt handlers.
///
/// `R` is the engine: where the nodes are, and how they come back ([`Slots`](crate::Slots), [`Haphazard`](crate::Haphazard);
/// [`Fixed`](crate::Fixed) and `Masked`, without an allocator); `B` is what an operation
/// does after it lost a race ([`Elimination`], [`Exponential`](crate::Exponential),
/// [`NoBackoff`](crate::NoBackoff)). `T` need be neither `'static` nor `Sync` nor `Clone`.
///
/// ```
/// use elimination_stack::Stack;
///
/// let stack = Stack::new();
/// stack.push(1);
/// stack.push(2);
/// assert_eq!(stack.pop(), Some(2));
/// assert_eq!(stack.pop(), Some(1));
/// assert_eq!(stack.pop(), None);
/// ```
///
/// [`Stack::new`] makes a stack of the default types, [`Stack::custom`] one of any:
///
/// ```
/// use elimination_stack::{NoBackoff, Slots, Stack};
///
/// let stack: Stack<u8, Slots<2>, NoBackoff> = Stack::custom();
/// # stack.push(1);
/// ```
///
/// The list is R. K. Treiber's, *Systems programming: coping with parallelism*, IBM 1986.
///
/// # Why there is no `len`
///
/// To count the values, each push and pop would have to write a second word that all contexts share, which costs as much as
/// the head itself; and with others inside, the number is out of date before the caller can look at it. [`Stack::is_empty`]
/// costs one load. A program that wants a number, a limit for instance, counts where it needs to: the example `pool` counts its
/// objects when it makes and drops them, and not when it pushes and pops them.
///
/// # Variance and drop check
///
/// A stack is changed through `&Stack<T>`, so it is invariant in `T`, as `Cell<T>` is and `Vec<T>` is not:
/// otherwise a short-lived value could be pushed through a shared reference. As `Drop` is implemented without the
/// unstable `may_dangle`, whatever `T` borrows has to outlive the stack.
///
/// ```compile_fail
/// use elimination_stack::Stack;
///
/// fn shorten<'a>(stack: &'a Stack<&'static str>) -> &'a Stack<&'a str> {
///     stack
/// }
/// ```
#[repr(transparent)]
pub struct Stack<T, R: Engine = DefaultEngine, B: Backoff = Elimination<32>> {
    pub(crate) inner: R::Inner<T, B>,
}

// SAFETY: a stack hands values from one thread to another, which `T: Send` permits, and never a reference to one. All else that
// is shared is atomic, or owned by one context at a time (LIST-2, SLOT-2, EXCHANGE-2, FIXED-1, MASKED-1, MASKED-2).
unsafe impl<T: Send, R: Engine, B: Backoff> Send for Stack<T, R, B> {}
// SAFETY: what is said for `Send` is said of shared stacks.
unsafe impl<T: Send, R: Engine, B: Backoff> Sync for Stack<T, R, B> {}

// A panic in the user's code never meets a half-done operation.
impl<T, R: Engine, B: Backoff> UnwindSafe for Stack<T, R, B> {}
impl<T, R: Engine, B: Backoff> RefUnwindSafe for Stack<T, R, B> {}

impl<T> Stack<T> {
    const_fn! {
        /// An empty stack of the default types. Allocates nothing.
        ///
        /// For any other engine or back-off write [`Stack::custom`] instead: `new` is for the default types alone, so that
        /// `let stack = Stack::new();` says enough. With others the compiler answers "mismatched types", such as "expected `2`,
        /// found `8`", or that there is no function `new`.
        ///
        /// ```
        /// use elimination_stack::Stack;
        ///
        /// static WORK: Stack<u32> = Stack::new();
        /// WORK.push(1);
        /// ```
        ///
        /// ```compile_fail
        /// use elimination_stack::{Slots, Stack};
        ///
        /// static WORK: Stack<u32, Slots<2>> = Stack::new(); // Has to be `Stack::custom()`.
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self::custom()
        }
    }
}

impl<T, R: Engine, B: Backoff> Stack<T, R, B> {
    const_fn! {
        /// An empty stack of any types. Allocates nothing. All its bits are zero, so that a static lies in `.bss`; and memory of
        /// zeros, which another program has made, is an empty stack, too.
        ///
        /// ```
        /// use elimination_stack::{NoBackoff, Slots, Stack};
        ///
        /// static BYTES: Stack<u8, Slots<2>, NoBackoff> = Stack::custom();
        /// BYTES.push(1);
        /// ```
        #[must_use]
        pub const fn custom() -> Self {
            Self { inner: initial!(R::Inner<T, B>) }
        }
    }

    /// Pushes a value, or gives it back.
    ///
    /// Allocates: when there is no spare node, or no free slot. Waits: no longer than its back-off. Lock-free: as the allocator.
    /// From an interrupt handler: only if the allocator permits it, see [`Stack::push_spare`].
    ///
    /// # Errors
    ///
    /// [`OutOfMemory`](crate::PushErrorKind::OutOfMemory), without an allocator
    /// [`NoSpareNode`](crate::PushErrorKind::NoSpareNode), or [`NoSlot`](crate::PushErrorKind::NoSlot); the value is in the
    /// error.
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), PushError<T>> {
        parked!(value: T => self.inner.push(None, value, Permit::All, PushError::refuse))
    }

    /// Pushes a value without the allocator, or gives it back.
    ///
    /// After [`Stack::reserve_for`] it never refuses as long as there are no more values than that was told, and at most `N`
    /// contexts of `Slots<N>` inside at once; but for what [`Stack::try_pop`] says of contexts that come and go on other cores.
    ///
    /// Allocates: never. Frees: never. Waits: never. Lock-free: yes, but on `Masked`. From an interrupt handler: yes.
    ///
    /// # Errors
    ///
    /// [`NoSpareNode`](crate::PushErrorKind::NoSpareNode) or [`NoSlot`](crate::PushErrorKind::NoSlot); the value is in the error.
    pub fn push_spare(&self, value: T) -> Result<(), PushError<T>> {
        parked!(value: T => self.inner.push(None, value, Permit::Nothing, PushError::refuse))
    }

    /// Pops the value on top; `None` if there is none.
    ///
    /// The push of the value happens before this. `None` orders nothing: see [Ordering](crate#ordering) before you sleep on it.
    ///
    /// Allocates: never, but see [`Haphazard`](crate::Haphazard). Frees: may give surplus nodes back.
    /// Waits: no longer than its back-off; but if all slots are claimed, until one is free, which is for ever if this context
    /// has preempted their owners: call [`Stack::try_pop`] there. Lock-free: yes, while a
    /// slot is free. From an interrupt handler: see [`Stack::try_pop`].
    #[inline]
    pub fn pop(&self) -> Option<T> {
        self.inner.pop(None, Permit::All).unwrap_or(None)
    }

    /// Pops the value on top, if there is one, without the allocator and without waiting.
    ///
    /// Allocates: never, but see [`Haphazard`](crate::Haphazard), which is not for interrupt handlers either. Frees: never.
    /// Waits: never. Lock-free: yes, but on `Masked`. From an interrupt handler: yes.
    ///
    /// # Errors
    ///
    /// [`NoSlot`] if all slots are claimed: of `Slots<N>` each of the `N` was in four passes over them, or fewer if `N` is at
    /// most 2, and each further one at least once. So if at most `N` contexts are inside at once, others must have come and gone,
    /// or changed their slots, as often meanwhile. Of `Fixed` each was, in one pass.
    pub fn try_pop(&self) -> Result<Option<T>, NoSlot> {
        self.inner.pop(None, Permit::Nothing)
    }

    /// Whether there is no value, at the moment. (There is no `len`, see [`Stack`].) The answer orders nothing: see
    /// [Ordering](crate#ordering) before you sleep on it.
    ///
    /// Allocates: never. Waits: never. Lock-free: yes, but on `Masked`. From an interrupt handler: yes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T, R: Engine, B: Backoff> Default for Stack<T, R, B> {
    fn default() -> Self {
        Self::custom()
    }
}

// Shows no values: nobody can read them while the stack is shared.
impl<T, R: Engine, B: Backoff> fmt::Debug for Stack<T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}
