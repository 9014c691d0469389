//! A stack in place whose operations are one critical section each.
//!
//! In a critical section nobody else is, so links and heads are plain numbers, and each operation takes a fixed number of
//! instructions: there is nothing to try again.
//!
//! # Rules
//!
//! * **MASKED-1**: `top`, `free`, and the links and values of nodes in the two lists are touched only in a critical section.
//!   Checked by `operations_are_critical_sections` in `src/small/masked/tests.rs`.
//! * **MASKED-2**: A node that was taken out of a list, in a critical section, is whose who did so, until it is linked again. So
//!   its link and its value may be touched outside of one.
//!   Checked by `as_many_threads_as_slots` in `tests/in_place/together.rs`.
//! * **MASKED-3**: No code of the user's runs in a critical section: values are moved in there, and never dropped.
//!   Checked by `drops_run_outside_of_sections` in `src/small/masked/tests.rs`.

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests;

use super::Place;
use super::nodes::{Chain, Link, NONE, Node, Nodes, Number, Taken, free_link};
use crate::error::{NoSlot, PushErrorKind};
use crate::source::Source;
use crate::sync::{Initial, initial};
use core::cell::Cell;
use core::mem::ManuallyDrop;
use critical_section::with;

initial! { impl[T: Initial] Cell<T> = Cell::new(initial!(T)) }

/// Room for `CAP` values of `T`.
#[repr(C)]
pub struct MaskedStack<T, const CAP: usize> {
    /// See the file `nodes.rs` for what these numbers mean. They are of full size and side by side, so that a processor that can
    /// store two words at once does so.
    free: Cell<usize>,
    top: Cell<usize>,
    nodes: Nodes<T, Cell<u16>, CAP, 0>,
}

initial! { impl[T, const CAP: usize] MaskedStack<T, CAP> { free, top, nodes } }

impl<T, const CAP: usize> Place for MaskedStack<T, CAP> {
    type Value = T;
    type Link = Cell<u16>;

    #[inline]
    fn try_push<V: Source<T>>(&self, value: V) -> Result<(), (PushErrorKind, V)> {
        // The value goes round the section, or it would be moved into it and out again.
        let value = ManuallyDrop::new(value);
        let pushed = with(|_| {
            let top = self.top.get();
            let Some(number) = self.unlink_free() else { return false };
            let node = self.node(number);
            // SAFETY: the node is ours (MASKED-2). The value is used once: here, or below.
            unsafe { node.put((&raw const *value).read()) };
            node.link.lead_to(top);
            self.top.set(number);
            true
        });
        if pushed { Ok(()) } else { Err((PushErrorKind::NoSpareNode, ManuallyDrop::into_inner(value))) }
    }

    #[inline]
    fn try_pop(&self) -> Result<Option<T>, NoSlot> {
        Ok(with(|_| {
            let number = self.top.get();
            if number == NONE {
                return None;
            }
            let node = self.node(number);
            let below = node.link.number();
            // SAFETY: the node is ours now (MASKED-2), and has a value.
            let value = unsafe { node.take() };
            self.link_free(number);
            // Last, so that both heads are stored at once.
            self.top.set(below);
            Some(value)
        }))
    }

    #[inline]
    fn is_empty(&self) -> bool {
        with(|_| self.top.get() == NONE)
    }

    fn detach(&self) -> Taken {
        Taken::from_first(with(|_| self.top.replace(NONE)))
    }

    #[inline(always)]
    fn node(&self, number: Number) -> &Node<T, Cell<u16>> {
        // SAFETY: numbers come back to the stack that they came from, as `Place` says, and links hold no others.
        unsafe { self.nodes.node(number) }
    }

    fn let_go(&self, number: Number) -> Result<(), NoSlot> {
        with(|_| self.link_free(number));
        Ok(())
    }

    fn take_node(&self) -> Result<Number, PushErrorKind> {
        with(|_| self.unlink_free()).ok_or(PushErrorKind::NoSpareNode)
    }

    unsafe fn link_chain(&self, chain: Chain) {
        if chain.first != NONE {
            let last = self.node(chain.last);
            with(|_| {
                last.link.lead_to(self.top.get());
                self.top.set(chain.first);
            });
        }
    }
}

impl<T, const CAP: usize> MaskedStack<T, CAP> {
    /// In a critical section: takes a node out of the list of free ones.
    #[inline(always)]
    fn unlink_free(&self) -> Option<Number> {
        let free = self.free.get();
        if free == Nodes::<T, Cell<u16>, CAP, 0>::LEN {
            return None;
        }
        let number = free + 1;
        self.free.set(free_link(number, self.node(number).link.number()));
        Some(number)
    }

    /// In a critical section: puts a node that is ours into the list of free ones.
    #[inline(always)]
    fn link_free(&self, number: Number) {
        self.node(number).link.lead_to(free_link(number, self.free.get()));
        self.free.set(number - 1);
    }
}
