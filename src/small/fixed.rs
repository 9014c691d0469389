//! A lock-free stack in place: hazard pointers in claimed slots, as in the engine `Slots`, but no allocator.
//!
//! There are two lists: the values, and the free nodes. A push takes a node out of the second and links it into the first, a pop
//! the other way round. Either claims one of `N` slots for that time, and protects by it the node that it takes out.
//!
//! ```text
//!               push                    push                    pop
//!     free ------------> in hand -------------> on `top` ------------> in hand
//!      ^ ^                  |                                            |  |
//!      | |                  +------- nobody protects it -----------------+  |
//!      | +---------------------------------+-----------------------------+  | slot `j` protects it
//!      |                                   |                                v
//!      +-- nobody protects it -- was there before <--------- kept in the slot, for slot `j`
//! ```
//!
//! # Rules
//!
//! * **FIXED-1**: A node belongs to one of the lists, to the owner of a slot, who has it in hand, to a slot, which keeps it, or
//!   to the holder of its number, of a [`Chain`] or a [`Taken`]. Only a compare-exchange or a swap of a list's head that
//!   succeeds changes that, or that a slot is claimed or left; and what an owner has in hand, what its slot keeps, and numbers
//!   that it holds it may exchange among each other.
//!   Checked by `pop_against_pop`, `push_against_push` in `src/small/fixed/models.rs`.
//! * **FIXED-2**: A node comes into the list of free ones by [`FixedStack::let_go_from`] alone, and that finds, after a full
//!   barrier that comes after the node was taken out of its list, that no other slot protects it (BARRIER-1).
//!   Checked by `pop_against_reuse`, `push_against_reuse` in `src/small/fixed/models.rs`.
//! * **FIXED-3**: A node that a context protects and then, after a full barrier, found at the head of a list, does not become
//!   that head again once it was taken out of the list: it would have to be free in between (FIXED-2). So
//!   the compare-exchange that expects it succeeds only if the link that the context has read is the node's link (no
//!   ABA), in both lists; and nobody writes the link of a protected node as long as it is in its list.
//!   Checked by `pop_against_reuse`, `push_against_reuse` in `src/small/fixed/models.rs`.
//! * **FIXED-4**: Linking is a Release, in both lists, and whoever takes a node out of one has read the head with Acquire. So
//!   link and value are visible, and what the last owner has done with the node happens before what the next does, all the way
//!   down the list: every change of a head is a read-modify-write, which continues the release sequences of the ones before.
//!   Checked by `push_against_pop` in `src/small/fixed/models.rs`.
//! * **FIXED-5**: A slot has at most `N` nodes: one for each other slot, and one in hand of its owner. So where
//!   there is no free node, `CAP` nodes have values, or their numbers are held, alone, in a [`Chain`] or in a [`Taken`].
//!   Checked by `holds_cap_values_while_slots_keep_the_most` in `src/small/fixed/tests.rs`.
//! * **FIXED-6**: No code of the user's runs between claiming a slot and leaving it: values are moved there, and never dropped.
//!   Checked by `drops_run_outside_of_slots` in `src/small/fixed/tests.rs`.
//! * **FIXED-7**: As long as at most `N` contexts are inside, each finds a slot when it has looked at each once, in their order.
//!   Say that a context has got as far as `j` when it has found the first `j` slots claimed, or owns slot `j` or a later one. Of
//!   those who have got as far as `j` one is left behind in slot `j` whenever another goes on because of it, so at most
//!   `N - j` ever are as far. On several cores, too: claiming is a Release, and an Acquire for whoever finds the slot claimed,
//!   who so finds the slot that its owner has left before as it was left. (Whoever has left counts as inside until that happens
//!   before the other's call.)
//!   Checked by `pop_against_reuse`, `pop_against_reuse_by_two_others` in `src/small/fixed/models.rs`, `fixed-claim` in
//!   `tests/litmus/aarch64/fixed-claim.litmus`.

#[cfg(all(test, elimination_stack_loom))]
mod models;
mod slots;
#[cfg(all(test, not(elimination_stack_loom)))]
mod tests;

use self::slots::{Slot, Slots};
use super::Place;
use super::nodes::{Chain, Link, NONE, Node, Nodes, Number, Taken, free_link};
use crate::error::{NoSlot, PushErrorKind};
use crate::source::Source;
use crate::sync::{
    AtomicU16, AtomicUsize, DETACH, RECHECK, Relaxed, Release, UNLINK, assert_exclusive_number, initial,
    publish_barrier,
};

/// A node that was taken out of a list, and the slot that protects it; both are ours.
struct Found<'a, T, const N: usize> {
    slot: &'a Slot<N>,
    number: Number,
    node: &'a Node<T, AtomicU16>,
}

/// The list of values.
const VALUES: bool = true;
/// The list of free nodes.
const FREE_NODES: bool = false;

/// Room for `CAP` values of `T`, and `N` slots.
#[repr(C)]
pub struct FixedStack<T, const CAP: usize, const N: usize> {
    /// See the file `nodes.rs` for what these numbers mean. They are of full size, since a compare-exchange of less takes longer
    /// on some processors.
    top: AtomicUsize,
    free: AtomicUsize,
    slots: Slots<N>,
    nodes: Nodes<T, AtomicU16, CAP, N>,
}

initial! { impl[T, const CAP: usize, const N: usize] FixedStack<T, CAP, N> { top, free, slots, nodes } }

impl<T, const CAP: usize, const N: usize> Place for FixedStack<T, CAP, N> {
    type Value = T;
    type Link = AtomicU16;

    #[inline]
    fn try_push<V: Source<T>>(&self, value: V) -> Result<(), (PushErrorKind, V)> {
        let Found { slot, number, node } = match self.take_free() {
            Ok(found) => found,
            Err(kind) => return Err((kind, value)),
        };
        // SAFETY: FIXED-1: the node is ours. No free node has a value.
        unsafe { node.put(value) };
        self.link::<VALUES>(number, node);
        // After the node is linked, so that each node in hand is a slot's (FIXED-5).
        slot.leave();
        Ok(())
    }

    #[inline]
    fn try_pop(&self) -> Result<Option<T>, NoSlot> {
        let Some(Found { slot, number, node }) = self.take_first::<VALUES>()? else { return Ok(None) };
        // SAFETY: FIXED-1: the node is ours, and it had a value on `top`.
        let value = unsafe { node.take() };
        self.let_go_from(slot, number);
        slot.leave();
        Ok(Some(value))
    }

    #[inline]
    fn is_empty(&self) -> bool {
        // Relaxed: the answer orders nothing.
        self.top.load(Relaxed) == NONE
    }

    fn detach(&self) -> Taken {
        Taken::from_first(self.top.swap(NONE, DETACH))
    }

    #[inline(always)]
    fn node(&self, number: Number) -> &Node<T, AtomicU16> {
        // SAFETY: numbers come back to the stack that they came from, as `Place` says, and links hold no others.
        unsafe { self.nodes.node(number) }
    }

    fn let_go(&self, number: Number) -> Result<(), NoSlot> {
        let slot = self.slots.claim(number).ok_or(NoSlot)?;
        self.let_go_from(slot, number);
        slot.leave();
        Ok(())
    }

    fn take_node(&self) -> Result<Number, PushErrorKind> {
        let found = self.take_free()?;
        found.slot.leave();
        Ok(found.number)
    }

    unsafe fn link_chain(&self, chain: Chain) {
        if chain.first != NONE {
            self.link::<VALUES>(chain.first, self.node(chain.last));
        }
    }
}

impl<T, const CAP: usize, const N: usize> FixedStack<T, CAP, N> {
    const LEN: usize = Nodes::<T, AtomicU16, CAP, N>::LEN;

    #[inline(always)]
    fn list<const WHICH: bool>(&self) -> &AtomicUsize {
        if WHICH == VALUES { &self.top } else { &self.free }
    }

    /// The number of the node that a list's head says; `None` if that is the list's end.
    #[inline(always)]
    fn first<const WHICH: bool>(head: usize) -> Option<Number> {
        let (end, number) = if WHICH == VALUES { (NONE, head) } else { (Self::LEN, head + 1) };
        (head != end).then_some(number)
    }

    /// Claims a slot by protecting the first node of a list, and takes that node out: it is ours then. `None`, and no slot, if
    /// there is none.
    #[inline(always)]
    fn take_first<const WHICH: bool>(&self) -> Result<Option<Found<'_, T, N>>, NoSlot> {
        let list = self.list::<WHICH>();
        // Relaxed: it is only protected, and looked at again.
        let mut head = list.load(Relaxed);
        let Some(mut number) = Self::first::<WHICH>(head) else { return Ok(None) };
        let slot = self.slots.claim(number).ok_or(NoSlot)?;
        loop {
            publish_barrier();
            let mut now = list.load(RECHECK);
            if now == head {
                // The link is visible since `RECHECK` (FIXED-4). If the node was taken out since then, the exchange fails
                // (FIXED-3).
                let node = self.node(number);
                let link = node.link.number();
                let next = if WHICH == VALUES { link } else { free_link(number, link) };
                match list.compare_exchange_weak(head, next, UNLINK, Relaxed) {
                    Ok(_) => return Ok(Some(Found { slot, number, node })),
                    Err(other) => now = other,
                }
            }
            head = now;
            let Some(other) = Self::first::<WHICH>(head) else {
                slot.leave();
                return Ok(None);
            };
            number = other;
            slot.protect(number);
        }
    }

    /// [`FixedStack::take_first`] of the free nodes, for a push; or why there is none.
    #[inline(always)]
    fn take_free(&self) -> Result<Found<'_, T, N>, PushErrorKind> {
        match self.take_first::<FREE_NODES>() {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(PushErrorKind::NoSpareNode),
            Err(NoSlot) => Err(PushErrorKind::NoSlot),
        }
    }

    /// Links a chain that is ours, down to `bottom`, at the head of a list; of free nodes one, which nobody protects.
    #[inline(always)]
    fn link<const WHICH: bool>(&self, first: Number, bottom: &Node<T, AtomicU16>) {
        let list = self.list::<WHICH>();
        // Relaxed: only the number is used.
        let mut head = list.load(Relaxed);
        loop {
            let (link, new) = if WHICH == VALUES { (head, first) } else { (free_link(first, head), first - 1) };
            bottom.link.lead_to(link);
            // Release pairs with `RECHECK` and `DETACH` (FIXED-4).
            match list.compare_exchange_weak(head, new, Release, Relaxed) {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }

    /// Lets go of a node without a value that is in hand in our slot, was taken out of a list, and is protected by our slot: it
    /// is free then, or kept.
    #[inline(always)]
    fn let_go_from(&self, slot: &Slot<N>, number: Number) {
        let number = self.slots.exchange_protected(slot, number);
        if number != NONE {
            let node = self.node(number);
            assert_exclusive_number((&raw const node.link).cast_mut());
            self.link::<FREE_NODES>(number, node);
        }
    }
}
