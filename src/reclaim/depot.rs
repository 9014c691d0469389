//! The depot: spare nodes that the slots share, as a list of batches.
//!
//! A slot with too many spare nodes puts a batch here, a slot without any takes one. So a thread that only
//! pushes lives on the nodes of one that only pops. All batches of a stack have the same number of nodes.
//!
//! Swapping out the depot whole would need no hazard, but meanwhile every other context would find it empty: a `push_spare` in an
//! interrupt handler would refuse although nodes are reserved for it. So a context takes one batch only, which fits into its
//! slot, under a hazard. The list is a [`Head`] as the stack's own, and the rules LIST-1 to LIST-5 hold for it.
//!
//! # Rules
//!
//! * **DEPOT-1**: The first node of a batch that was taken may still be protected by slower contexts that wanted the same batch.
//!   So whoever has it pushes it to the stack, or else retires it.
//!   Checked by `depot_take_against_take` in `tests/loom/tests/loom.rs`.
//! * **DEPOT-2**: Nobody protects the other nodes of a batch, since nobody has seen them since the batch was put here.
//!   Checked by `reclaim_against_depot_take`, `depot_put_against_take` in `tests/loom/tests/loom.rs`.
//! * **DEPOT-3**: Nobody protects the nodes of a batch that is about to be put here: they are spare ones, or a scan has found
//!   them unprotected, or they are new.
//!   Checked by `depot_take_against_take` in `tests/loom/tests/loom.rs`.
//! * **DEPOT-4**: `excess` is added to before a batch is put and taken from after one was taken. So it is never less than the
//!   nodes here beyond those reserved, but while they become unreserved; and whenever it exceeds the limit, the next operation
//!   that may free gives back as much.
//!   Checked by `depot_keeps_its_limit` in `tests/allocator.rs`.

use super::chain::List;
use crate::sync::{AtomicIsize, Relaxed, initial};
use crate::treiber::{Head, Node, NodePtr};
use core::ptr::NonNull;

/// Spare nodes that the slots share.
pub struct Depot<T> {
    head: Head<T>,
    /// Nodes in the depot, less those that are reserved (DEPOT-4).
    excess: AtomicIsize,
    /// Nodes that `reserve` asked for.
    reserved: AtomicIsize,
}

initial! { impl[T] Depot<T> { head, excess, reserved } }

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
    /// The caller owns the batch, which has as many nodes as all batches have. Nobody protects the nodes (DEPOT-3), and they hold
    /// no values.
    #[inline(never)]
    pub(crate) unsafe fn put(&self, mut batch: List<T>, count: usize) {
        self.excess.fetch_add(signed(count), Relaxed);
        // The others stay linked behind it, where its value would be.
        let Some(first) = batch.pop() else { return };
        // SAFETY: the first node is ours, and the others with it, until the depot's list owns it.
        unsafe { self.head.push(first, first, |top| top) };
    }

    /// Whether there are `nodes` more here than are reserved.
    #[inline(always)]
    pub(crate) fn exceeds(&self, nodes: usize) -> bool {
        self.excess.load(Relaxed) >= signed(nodes)
    }

    /// Takes a batch of `count` nodes: the first one (DEPOT-1), and the others (DEPOT-2). `protect` publishes a hazard.
    #[inline]
    pub(crate) fn take(&self, count: usize, mut protect: impl FnMut(NodePtr<T>)) -> Option<(NodePtr<T>, List<T>)> {
        let mut top = self.head.top();
        loop {
            let first = NonNull::new(top)?;
            protect(first);
            // SAFETY: `protect` has published the hazard.
            match unsafe { self.head.try_pop(top) } {
                Ok(first) => return Some((first, self.taken(first, count))),
                Err(other) => top = other,
            }
        }
    }

    /// Stops accounting for the batch of `first`, which is ours. Returns the batch's other nodes.
    fn taken(&self, first: NodePtr<T>, count: usize) -> List<T> {
        self.excess.fetch_sub(signed(count), Relaxed);
        // SAFETY: the node is ours, and came as the first one of a list.
        unsafe { List::from_raw(Node::follower(first)) }
    }

    pub(crate) fn unreserve(&self) {
        self.excess.fetch_add(self.reserved.swap(0, Relaxed), Relaxed);
    }

    /// Takes all batches, of `count` nodes each; `visit` gets each.
    pub(crate) fn take_all(&self, count: usize, mut visit: impl FnMut(NodePtr<T>, List<T>)) {
        let mut next = self.head.detach();
        while let Some(first) = NonNull::new(next) {
            // SAFETY: LIST-2: the batches are ours since they were detached.
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
