//! The depot: spare nodes that the slots share, as a list of batches.
//!
//! A slot with too many spare nodes puts a batch here, a slot without any takes one. So a thread that only
//! pushes lives on the nodes of one that only pops. A batch is `BATCH` nodes, or one single node.
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
//! `nodes` is added to before a batch is put and taken from after a batch was taken, so each counted node
//! exists. Nodes are freed only while the count stays at least `reserved + slack`, or when they were never
//! counted. So at least `reserved` nodes stay in circulation.

use super::chain::Chain;
use crate::sync::{AtomicUsize, Relaxed, initial};
use crate::treiber::{Head, Node, NodePtr};
use core::ptr::NonNull;

/// Spare nodes that the slots share.
pub struct Depot<T> {
    head: Head<T>,
    /// Nodes in the depot, see "Counting".
    nodes: AtomicUsize,
    /// Nodes that `reserve` asked for.
    reserved: AtomicUsize,
    /// Not zero when a call that may not free has left more here than need be kept.
    surplus: AtomicUsize,
}

initial! { impl[T] Depot<T> = Depot {
    head: Head::new(),
    nodes: AtomicUsize::new(0),
    reserved: AtomicUsize::new(0),
    surplus: AtomicUsize::new(0),
} }

/// A batch taken out: its first node, see rule 1, and the chain of the others.
pub(crate) struct Batch<T> {
    pub(crate) first: NodePtr<T>,
    pub(crate) rest: *mut Node<T>,
}

impl<T> Batch<T> {
    /// Nodes in the batch, if full batches have `full` of them.
    pub(crate) fn len(&self, full: usize) -> usize {
        if self.rest.is_null() { 1 } else { full }
    }
}

impl<T> Depot<T> {
    /// Accounts for `nodes` more, unless the depot would then hold more than is reserved plus `slack`.
    pub(crate) fn admit(&self, nodes: usize, slack: usize) -> bool {
        let limit = self.reserved.load(Relaxed).saturating_add(slack);
        let add = |now: usize| Some(now + nodes).filter(|&sum| sum <= limit);
        self.nodes.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Accounts for `nodes` more, however many there are.
    pub(crate) fn admit_all(&self, nodes: usize) {
        self.nodes.fetch_add(nodes, Relaxed);
    }

    /// Raises the number of nodes to keep.
    pub(crate) fn reserve(&self, nodes: usize) {
        self.reserved.fetch_add(nodes, Relaxed);
    }

    /// Puts a batch whose nodes were admitted: a full one, or a single node.
    ///
    /// # Safety
    ///
    /// Nobody protects the nodes (rule 3), and they hold no values.
    pub(crate) unsafe fn put(&self, batch: Chain<T>) {
        if let Some((first, rest)) = batch.into_parts() {
            // SAFETY: the node is ours and holds no value.
            unsafe { Node::set_link(first, rest) };
            // SAFETY: the nodes are ours; the list's from now on.
            while !unsafe { self.head.try_push(self.head.top(), first, first) } {}
        }
    }

    /// Notes that a later call should [give surplus back](Depot::claim_surplus), if there is any.
    pub(crate) fn note_surplus(&self, slack: usize) {
        if self.nodes.load(Relaxed) > self.reserved.load(Relaxed).saturating_add(slack) {
            self.surplus.store(1, Relaxed);
        }
    }

    /// Whether some call has noted surplus.
    #[inline(always)]
    pub(crate) fn has_surplus(&self) -> bool {
        self.surplus.load(Relaxed) != 0
    }

    /// Stops accounting for `nodes`, which the caller then takes and frees, if enough stay.
    pub(crate) fn claim_surplus(&self, nodes: usize, slack: usize) -> bool {
        self.surplus.store(0, Relaxed);
        let limit = self.reserved.load(Relaxed).saturating_add(slack);
        let less = |now: usize| now.checked_sub(nodes).filter(|&rest| rest >= limit);
        self.nodes.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    /// Takes one batch. `protect` publishes a hazard and is a full barrier. The count is the caller's to
    /// correct, with [`Depot::taken`].
    pub(crate) fn take(&self, mut protect: impl FnMut(NodePtr<T>)) -> Option<Batch<T>> {
        loop {
            let first = NonNull::new(self.head.top())?;
            protect(first);
            // SAFETY: `first` is protected, and was the top after that.
            if self.head.is_top(first) && unsafe { self.head.try_pop(first) } {
                // SAFETY: the batch is ours; `put` has set the link.
                let rest = unsafe { Node::link(first) };
                return Some(Batch { first, rest });
            }
        }
    }

    /// Stops accounting for `nodes` that were taken.
    pub(crate) fn taken(&self, nodes: usize) {
        self.nodes.fetch_sub(nodes, Relaxed);
    }

    /// Ends every reservation and takes all batches; `visit` gets each.
    pub(crate) fn take_all(&self, full: usize, mut visit: impl FnMut(Batch<T>)) {
        self.reserved.store(0, Relaxed);
        let mut next = self.head.detach();
        while let Some(first) = NonNull::new(next) {
            // SAFETY: the batches are ours; `put` has set the links.
            let batch = unsafe {
                next = first.as_ref().next.load(Relaxed);
                Batch { first, rest: Node::link(first) }
            };
            self.taken(batch.len(full));
            visit(batch);
        }
    }
}
