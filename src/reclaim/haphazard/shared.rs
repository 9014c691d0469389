//! What is shared by all slots of the engine: the domain, and the nodes that it has given back.

use crate::reclaim::chain::List;
use crate::sync::{self, AtomicUsize, Relaxed, initial};
use crate::treiber::{Head, Node, NodePtr};
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use haphazard::raw;

/// What has a fixed address (DOMAIN-1).
pub(super) struct Shared<T> {
    pub(super) domain: raw::Domain<()>,
    pub(super) spares: Spares<T>,
}

/// Spare nodes for all.
pub(super) struct Spares<T> {
    head: Head<T>,
    /// Nodes in the list, or about to be put there.
    nodes: AtomicUsize,
    pub(super) reserved: AtomicUsize,
}

/// The owner of a retired node, as haphazard's deleter makes it. Dropping it makes the node a spare one.
pub(super) struct Recycle<T>(NodePtr<T>);

/// To the crate a node, whose value is out, is memory that any thread may reclaim.
impl<T> Deref for Recycle<T> {
    type Target = ();

    fn deref(&self) -> &() {
        &()
    }
}

// SAFETY: the node's address goes in and comes out.
unsafe impl<T> raw::Pointer<()> for Recycle<T> {
    fn into_raw(self) -> *mut () {
        ManuallyDrop::new(self).0.as_ptr().cast()
    }

    unsafe fn from_raw(node: *mut ()) -> Self {
        // SAFETY: `retire` has given the address of a node, which is not null.
        Self(unsafe { NonNull::new_unchecked(node.cast()) })
    }
}

impl<T> Drop for Recycle<T> {
    fn drop(&mut self) {
        // SAFETY: DOMAIN-2: the link is the address of the pair, which is still there (DOMAIN-1). The domain has found that
        // nobody protects the node, which is ours.
        unsafe {
            let shared = self.0.as_ref().below().cast::<Shared<T>>();
            Node::assert_exclusive(self.0);
            // A reference to the spare list alone, since the domain may be about to be dropped.
            (*shared).spares.put(self.0);
        }
    }
}

impl<T> Shared<T> {
    pub(super) fn new() -> Self {
        let (mut nodes, reserved) = (AtomicUsize::new(0), AtomicUsize::new(0));
        sync::assert_new(&mut nodes);
        Self { domain: raw::Domain::new(&()), spares: Spares { head: initial!(_), nodes, reserved } }
    }
}

impl<T> Spares<T> {
    /// # Safety
    ///
    /// The caller owns the node; nobody protects it.
    pub(super) unsafe fn put(&self, node: NodePtr<T>) {
        // CHEAPER: without it the number wraps below zero, and with one too high `exceed` says yes in vain.
        self.nodes.fetch_add(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { self.head.push(node, node, |top| top) };
    }

    /// Takes at most `limit` nodes out. Frees of the others what is more than `keep`.
    pub(super) fn take(&self, limit: usize, keep: usize) -> (List<T>, usize) {
        let (mut list, mut taken) = (initial!(List<T>), 0);
        // The others: the top, the bottom and the length of a chain.
        let (mut top, mut bottom, mut others) = (ptr::null_mut(), None, 0);
        let mut next = self.head.detach();
        let mut freed = 0;
        while let Some(node) = NonNull::new(next) {
            // SAFETY: LIST-2: the list is ours since it was detached. DOMAIN-3: nobody protects its nodes.
            unsafe {
                next = node.as_ref().below();
                if taken < limit {
                    list.push(node);
                    taken += 1;
                } else if others < keep {
                    node.as_ref().set_below(top);
                    top = node.as_ptr();
                    bottom = bottom.or(Some(node));
                    others += 1;
                } else {
                    Node::free(node);
                    freed += 1;
                }
            }
        }
        // CHEAPER: with too high a number `exceed` says yes in vain.
        self.nodes.fetch_sub(taken + freed, Relaxed);
        if let (Some(top), Some(bottom)) = (NonNull::new(top), bottom) {
            // SAFETY: the chain is ours still.
            unsafe { self.head.push(top, bottom, |top| top) };
        }
        (list, freed)
    }

    /// How many stay in any case: `slack` and the reserved ones.
    fn kept(&self, slack: usize) -> usize {
        self.reserved.load(Relaxed).saturating_add(slack)
    }

    /// Whether there are more than `slack` and the reserved ones.
    pub(super) fn exceed(&self, slack: usize) -> bool {
        // CHEAPER: to look for more where there is none takes time, but frees nothing.
        self.nodes.load(Relaxed) > self.kept(slack)
    }

    /// Frees what is more than `slack` and the reserved ones; how many that were.
    pub(super) fn free_surplus(&self, slack: usize) -> usize {
        if self.exceed(slack) { self.take(0, self.kept(slack)).1 } else { 0 }
    }
}

impl<T> Drop for Spares<T> {
    fn drop(&mut self) {
        self.take(0, 0);
    }
}
