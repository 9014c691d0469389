//! Nodes that lie in the stack itself, linked by numbers of 16 bits: a `u16` takes 4 bytes.
//!
//! # Numbers
//!
//! A node's number is its place among the nodes, plus one; 0 is none. There are two lists:
//!
//! ```text
//!   top:  number of the topmost value's node, or 0       a link is the number of the node below, or 0
//!   free: number of the first free node, minus 1         a link is the number of the next free node, minus 1,
//!                                                        exclusive-or the number of this node
//!
//!   all bits zero:   top = 0: no value
//!                    free = 0: node 1;  1 ^ 0: node 2;  2 ^ 0: node 3;  ...  LEN ^ 0: the end
//! ```
//!
//! So where all bits are zero there is no value, and all nodes are free, in order: a static costs no flash, and nothing has to
//! be initialised, or counted, before nodes are used for the first time.

use crate::source::Source;
use crate::sync::{AtomicU16, Initial, Relaxed, UnsafeCell, initial};
#[cfg(feature = "critical-section")]
use core::cell::Cell;
use core::mem::{self, MaybeUninit};

/// A node's number, in registers; see "Numbers". It has 16 bits, of which a [`Link`] consists.
pub type Number = usize;

/// No node.
pub(super) const NONE: Number = 0;

/// What links nodes: a number; in free nodes it is what [`free_link`] says.
pub trait Link: Initial {
    fn number(&self) -> Number;

    fn lead_to(&self, number: Number);
}

impl Link for AtomicU16 {
    #[inline(always)]
    fn number(&self) -> Number {
        // Relaxed: what was read before makes it visible: the head of the list, or what has made the node the caller's.
        self.load(Relaxed).into()
    }

    #[inline(always)]
    fn lead_to(&self, number: Number) {
        // Relaxed: what makes the node reachable publishes it.
        self.store(short(number), Relaxed);
    }
}

#[cfg(feature = "critical-section")]
impl Link for Cell<u16> {
    #[inline(always)]
    fn number(&self) -> Number {
        self.get().into()
    }

    #[inline(always)]
    fn lead_to(&self, number: Number) {
        self.set(short(number));
    }
}

/// A number in a link.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "numbers have 16 bits")]
pub(super) const fn short(number: usize) -> u16 {
    debug_assert!(number <= u16::MAX as usize, "a number has 16 bits");
    number as u16
}

/// What the number of the next free node is to the link of the free node `number`, and the other way round. (Both minus 1, as
/// `free` is.)
#[inline(always)]
pub(super) const fn free_link(number: Number, next: usize) -> usize {
    next ^ number
}

/// A link and a maybe-initialised value. `L` is the link: atomic, or not.
#[repr(C)]
pub struct Node<T, L> {
    pub(super) link: L,
    value: UnsafeCell<MaybeUninit<T>>,
}

initial! { impl[T, L: Initial] Node<T, L> { link, value } }

impl<T, L> Node<T, L> {
    /// # Safety
    ///
    /// The caller owns the node, and it holds no value.
    #[inline(always)]
    pub(super) unsafe fn put(&self, value: impl Source<T>) {
        // SAFETY: the caller owns the value's place. What is used from now on is the copy.
        unsafe { self.value.with_mut(|place| value.copy_to(place.cast())) };
        mem::forget(value);
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: the caller's contract.
        unsafe { self.end_value(|value| value.read()) }
    }

    /// Gives `action` the value where it is, which moves it out, or drops it.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards, even if `action` unwinds.
    #[inline(always)]
    pub(super) unsafe fn end_value<O>(&self, action: impl FnOnce(*mut T) -> O) -> O {
        self.value.with_mut(|place| action(place.cast()))
    }
}

/// Nodes with values that their holder owns, linked from the topmost to the last one: to be pushed at once.
#[must_use = "values in a chain that is dropped are lost"]
pub struct Chain {
    /// The topmost, or [`NONE`].
    pub(super) first: Number,
    /// The last one, if there is a first one.
    pub(super) last: Number,
}

impl Chain {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };
}

/// Nodes with values that their holder owns, linked from the topmost on: to be taken out one by one.
#[must_use = "values that are not taken out are lost"]
pub struct Taken {
    pub(super) first: Number,
    /// A node without a value that is still to go, or [`NONE`].
    pub(super) emptied: Number,
}

impl Taken {
    pub(super) fn from_first(first: Number) -> Self {
        Self { first, emptied: NONE }
    }
}

/// `CAP` nodes, and `N` for each of `N` slots.
#[repr(C)]
pub(super) struct Nodes<T, L, const CAP: usize, const N: usize> {
    first: [Node<T, L>; CAP],
    /// They follow the others without a gap, as all are of one type.
    more: [[Node<T, L>; N]; N],
}

initial! { impl[T, L: Initial, const CAP: usize, const N: usize] Nodes<T, L, CAP, N> = {
    assert!(Self::LEN > 0);
    Self { first: initial!(_), more: initial!(_) }
} }

impl<T, L, const CAP: usize, const N: usize> Nodes<T, L, CAP, N> {
    /// How many there are.
    pub(super) const LEN: usize = {
        assert!(CAP >= 1, "a stack in place has room for one value at least: CAP is at least 1");
        // `N` alone at first, as its square might have no size.
        assert!(
            N < 256 && CAP <= 65535 && N * N <= 65535 - CAP,
            "a stack in place has at most 65535 nodes: CAP + N * N is at most 65535"
        );
        CAP + N * N
    };

    /// The node of this number.
    ///
    /// # Safety
    ///
    /// The number is one of 1 to [`Nodes::LEN`].
    #[inline(always)]
    pub(super) unsafe fn node(&self, number: Number) -> &Node<T, L> {
        debug_assert!(number != NONE && number <= Self::LEN, "no node has the number {number}");
        // By a pointer to all of them, not to the first array: that one's provenance ends with it.
        let nodes = (&raw const *self).cast::<Node<T, L>>();
        // SAFETY: there are so many nodes, without gaps, and nobody has more than a shared reference to any.
        unsafe { &*nodes.add(number - 1) }
    }
}
