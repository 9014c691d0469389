//! The depot: spare nodes that the slots share, as a list of batches.
//!
//! A slot with too many spare nodes puts a batch here, a slot without any takes one. So a thread that only
//! pushes lives on the nodes of one that only pops. All batches of a stack have the same number of nodes.
//!
//! # Why batches, each taken under a hazard
//!
//! Swapping out the depot whole needs no hazard, but meanwhile every other context finds it empty: a
//! `push_spare` in an interrupt handler would refuse although nodes are reserved for it. Here a context takes
//! one batch only, which fits into its slot. The list is a [`Head`] as the stack's own, and its rules hold:
//!
//! 1. The first node of a batch may still be protected by a slower context that wanted the same batch. So
//!    whoever takes a batch may use its first node for a push at once, but else retires it.
//! 2. The others were spare when the batch was put here, and nobody has seen them since: they are spare.
//! 3. What is put here comes from a spare list, so nobody protects it.
//!
//! # Counting
//!
//! `excess` is added to before a batch is put and taken from after a batch was taken, so each node that it counts
//! exists. It may exceed the limit after any put; then the next operation that may free gives back as much.

use super::chain::List;
use crate::sync::{AtomicIsize, Relaxed, initial};
use crate::treiber::{Head, Node, NodePtr};
use core::ptr::NonNull;

/// Spare nodes that the slots share.
pub struct Depot<T> {
    head: Head<T>,
    /// Nodes in the depot, see "Counting", less those that are reserved.
    excess: AtomicIsize,
    /// Nodes that `reserve` asked for.
    reserved: AtomicIsize,
}

initial! { impl[T] Depot<T> = Depot {
    head: Head::new(),
    excess: AtomicIsize::new(0),
    reserved: AtomicIsize::new(0),
} }

impl<T> Depot<T> {
    /// Keeps `nodes` more from now on.
    pub(crate) fn reserve(&self, nodes: usize) {
        self.reserved.fetch_add(signed(nodes), Relaxed);
        self.excess.fetch_sub(signed(nodes), Relaxed);
    }

    /// Puts a batch of `count` nodes here.
    ///
    /// # Safety
    ///
    /// It has as many nodes as all batches have. Nobody protects the nodes (rule 3), and they hold no values.
    #[inline(never)]
    pub(crate) unsafe fn put(&self, mut batch: List<T>, count: usize) {
        self.excess.fetch_add(signed(count), Relaxed);
        let Some(first) = batch.pop() else { return };
        // SAFETY: the node is ours and holds no value.
        unsafe { Node::set_link(first, batch.into_raw()) };
        // SAFETY: the nodes are ours; the list's from now on.
        while unsafe { self.head.try_push(self.head.top(), first, first) }.is_err() {}
    }

    /// Whether there are `nodes` more here than are reserved.
    #[inline(always)]
    pub(crate) fn exceeds(&self, nodes: usize) -> bool {
        self.excess.load(Relaxed) >= signed(nodes)
    }

    /// Takes a batch of `count` nodes: the first one, see rule 1, and the others, see rule 2.
    /// `protect` publishes a hazard.
    #[inline]
    pub(crate) fn take(&self, count: usize, mut protect: impl FnMut(NodePtr<T>)) -> Option<(NodePtr<T>, List<T>)> {
        let mut top = self.head.top();
        loop {
            let first = NonNull::new(top)?;
            protect(first);
            // SAFETY: the hazard is shown.
            match unsafe { self.head.try_pop(first) } {
                Ok(first) => return Some((first, self.taken(first, count))),
                Err(other) => top = other,
            }
        }
    }

    /// Stops accounting for the batch of `first`, which is ours; the others of it.
    fn taken(&self, first: NodePtr<T>, count: usize) -> List<T> {
        self.excess.fetch_sub(signed(count), Relaxed);
        // SAFETY: the node is ours; `put` has set the link to the rest of a list.
        unsafe { List::from_raw(Node::link(first)) }
    }

    /// Ends every reservation.
    pub(crate) fn unreserve(&self) {
        self.excess.fetch_add(self.reserved.swap(0, Relaxed), Relaxed);
    }

    /// Takes all batches, of `count` nodes each; `visit` gets each.
    pub(crate) fn take_all(&self, count: usize, mut visit: impl FnMut(NodePtr<T>, List<T>)) {
        let mut next = self.head.detach();
        while let Some(first) = NonNull::new(next) {
            // SAFETY: the batches are ours since they were detached.
            next = unsafe { first.as_ref() }.below();
            visit(first, self.taken(first, count));
        }
    }
}

/// A number of nodes; so many that the sign bit is needed do not fit into memory.
#[expect(clippy::cast_possible_wrap, reason = "as said")]
fn signed(nodes: usize) -> isize {
    nodes as isize
}
