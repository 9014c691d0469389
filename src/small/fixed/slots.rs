//! Slots: who is inside, which node each protects, and which nodes are kept because another protects them.
//!
//! A slot's word is `FREE`, or the number of the node that its owner protects: found at the head of a list, or in hand. Its owner
//! alone touches what it keeps: for each other slot at most one node, which that one protected when the owner looked. If it
//! protects another of the owner's nodes later, it does not protect the one before any more, as it protects one at a time.
//!
//! The rules FIXED-1 to FIXED-7 are in the file `fixed.rs`.

use crate::small::nodes::{NONE, Number, short};
use crate::sync::{
    Acquire, AtomicUsize, CLAIM_BEFORE_BARRIER, READ_HAZARDS, Release, UnsafeCell, hazards_barrier, initial,
    publish_number, scan_barrier,
};
use core::{mem, ptr};

/// A slot's word: nobody owns it.
pub(super) const FREE: usize = NONE;

/// One of `N` slots.
pub(super) struct Slot<const N: usize> {
    pub(super) word: AtomicUsize,
    /// The node that is kept for the slot of each index, or [`NONE`].
    pub(super) kept: UnsafeCell<[u16; N]>,
}

initial! { impl[const N: usize] Slot<N> { word, kept } }

impl<const N: usize> Slot<N> {
    /// Claims the slot, if it is free, by protecting a node with it.
    #[inline(always)]
    fn try_claim(&self, number: Number) -> bool {
        // Not weak: who fails for no reason might find no slot. Acquire pairs with the Release in `CLAIM_BEFORE_BARRIER`
        // (FIXED-7).
        // UNTESTED: in loom an exchange that fails has seen the latest value. The litmus test `fixed-claim` objects.
        self.word.compare_exchange(FREE, number, CLAIM_BEFORE_BARRIER, Acquire).is_ok()
    }

    /// In a slot that is ours: protects a node instead of the one before.
    #[inline(always)]
    pub(super) fn protect(&self, number: Number) {
        publish_number(&self.word, number);
    }

    /// In a slot that is ours: keeps a node for the slot of this index. Returns the one that was kept for it before.
    #[inline(always)]
    fn keep(&self, other: usize, number: Number) -> Number {
        // SAFETY: FIXED-1: the slot is ours.
        self.kept.with_mut(|kept| mem::replace(unsafe { &mut (&mut *kept)[other] }, short(number))).into()
    }

    /// Leaves a slot that is ours.
    #[inline(always)]
    pub(super) fn leave(&self) {
        // Release pairs with the barrier that follows the next owner's claim, which hands on what is kept, and with
        // `READ_HAZARDS` (BARRIER-3).
        self.word.store(FREE, Release);
    }
}

/// All slots of a stack.
pub(super) struct Slots<const N: usize>(pub(super) [Slot<N>; N]);

initial! { impl[const N: usize] Slots<N> = {
    assert!(N >= 1, "a lock-free stack in place has one slot at least: N is at least 1");
    Self(initial!(_))
} }

impl<const N: usize> Slots<N> {
    /// Claims the first free slot (FIXED-7), by protecting a node with it. A full barrier has to follow before anything else.
    #[inline(always)]
    pub(super) fn claim(&self, number: Number) -> Option<&Slot<N>> {
        // One search over all of them would take more instructions.
        if self.0[0].try_claim(number) {
            return Some(&self.0[0]);
        }
        self.0[1..].iter().find(|slot| slot.try_claim(number))
    }

    /// What is free instead of a node that is in hand in our slot, was taken out of a list, and is protected by our slot: the
    /// node itself; or, if another slot protects it, it is kept, and what was kept for that slot before has to go; and so on,
    /// until there is one that nobody protects, or [`NONE`].
    ///
    /// Each word is read once. So no two nodes are found to be protected by one slot, each slot has its turn once at most, and
    /// where there are two, the other one is the only one to ask. And all these nodes were taken out of their lists before the
    /// barrier here, or another one before, so who protects one of them later than we look finds that it is at no head
    /// (BARRIER-1).
    #[inline(always)]
    pub(super) fn exchange_protected(&self, slot: &Slot<N>, mut number: Number) -> Number {
        scan_barrier();
        let mut words = [FREE; N];
        let _ = position::<N>(|index| {
            words[index] = self.0[index].word.load(READ_HAZARDS);
            false
        });
        hazards_barrier();
        if N == 2 {
            // CHEAPER: what follows says the same, but looks at first which slot is the other one.
            if words[0] == words[1] {
                return slot.keep(usize::from(ptr::eq(slot, &raw const self.0[0])), number);
            }
            return number;
        }
        while let Some(other) =
            position::<N>(|index| words[index] == number && !ptr::eq(slot, &raw const self.0[index]))
        {
            number = slot.keep(other, number);
            if number == NONE {
                break;
            }
        }
        number
    }
}

/// The first of `N` indices of which this is true. Up to four without a loop, so that the compiler has in registers what belongs
/// to each.
#[inline(always)]
fn position<const N: usize>(mut is_it: impl FnMut(usize) -> bool) -> Option<usize> {
    if N > 0 && is_it(0) {
        return Some(0);
    }
    if N > 1 && is_it(1) {
        return Some(1);
    }
    if N > 2 && is_it(2) {
        return Some(2);
    }
    if N > 3 && is_it(3) {
        return Some(3);
    }
    (4..N).find(|index| is_it(*index))
}
