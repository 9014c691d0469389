//! The list: nodes, and one atomic pointer to the topmost.
//!
//! The same type serves twice: as the head of the stack, and as the head of the depot's list of batches.
//!
//! # Invariants
//!
//! 1. A node reachable from a head is owned by that list. Its `next` is not written while it is reachable.
//! 2. Whoever unlinks a node by a successful read-modify-write of the head owns it: its body at once, its
//!    memory and its `next` only once no hazard protects it.
//! 3. A node that a context protects does not become the head again: it goes through a scan first, and the scan
//!    sees the hazard. So a compare-exchange that finds the protected node at the head finds the same list
//!    below it (no ABA).
//!
//! # Pointers and addresses
//!
//! A link is an address. Of what a push has found to be the top only the address is sure to be right, and it may have
//! linked its node above that: the node may have been freed before the exchange, and another one at its address have
//! become the top. So there is one rule for which pointers may be used for more than their address, and the names follow it:
//!
//! * [`Node::below`] follows a link, and nothing else reads one. The pointer has the provenance that the node at that address
//!   exposed when it was allocated.
//! * [`Head::confirm`] and [`Head::detach`] give pointers that they have read where the node was in the list: protected, or
//!   the caller's since then.
//! * What [`Head::top`] and a lost race say is an address, to compare with and to protect.
//!
//! # Orderings
//!
//! Linking is a Release; it pairs with the Acquire of every load of the head, so that `next` and the value of
//! the topmost node are visible. The nodes further down are too: every change of the head is a
//! read-modify-write, which continues the release sequence of the ones before it.

use crate::layout::FAST_PATHS;
use crate::sync::{
    self, AtomicPtr, DETACH, RECHECK, Relaxed, Release, UNLINK, UnsafeCell, alloc, const_fn, dealloc, publish_barrier,
};
use ::alloc::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

/// One heap allocation: a link and a maybe-initialised value.
///
/// Aligned to at least four bytes, so that the two low bits of its address are free for an exchanger's tags.
#[repr(C, align(4))]
pub struct Node<T> {
    /// The node below. Atomic, because a slower pop may read it while the owner already links the node
    /// elsewhere; what that pop reads is then not used (invariant 3).
    next: AtomicPtr<Node<T>>,
    body: UnsafeCell<Body<T>>,
}

union Body<T> {
    /// From `push` to `pop`.
    value: ManuallyDrop<T>,
    /// In the first node of a batch: the batch's second node. So `next` can link the batches.
    link: *mut Node<T>,
}

pub type NodePtr<T> = NonNull<Node<T>>;

impl<T> Node<T> {
    pub(crate) const LAYOUT: Layout = Layout::new::<Self>();

    /// Allocates a node without a value; `None` if the allocator has no memory.
    pub(crate) fn allocate() -> Option<NodePtr<T>> {
        // SAFETY: the layout is not of size zero, since a node has a link.
        let node = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Self>())?;
        // SAFETY: just allocated with this type's layout. In place, for a value may be larger than the caller's stack.
        unsafe {
            (&raw mut (*node.as_ptr()).next).write(AtomicPtr::new(ptr::null_mut()));
            sync::write_cell(&raw mut (*node.as_ptr()).body, || Body { link: ptr::null_mut() });
        }
        // See `below`.
        node.as_ptr().expose_provenance();
        Some(node)
    }

    /// The node below, of a node in a list or just taken out of one: the link, with the provenance that the node at its address
    /// has exposed.
    #[inline(always)]
    pub(crate) fn below(&self) -> *mut Self {
        // Relaxed: see `Head::try_pop`; or the node is the caller's.
        exposed(self.next.load(Relaxed))
    }

    /// Links a node that the caller owns above the one at the address `below`.
    #[inline(always)]
    pub(crate) fn set_below(&self, below: *mut Self) {
        // Relaxed: what makes the node reachable publishes it. A slower pop may read it, but does not use what it reads.
        self.next.store(below, Relaxed);
    }

    /// States that nobody else can access the node's link any more; only loom checks it.
    ///
    /// # Safety
    ///
    /// The caller owns the node.
    #[inline(always)]
    pub(crate) unsafe fn assert_exclusive(node: NodePtr<T>) {
        // SAFETY: the node is valid.
        sync::assert_exclusive(unsafe { &raw mut (*node.as_ptr()).next });
    }

    /// Gives the node's memory back.
    ///
    /// # Safety
    ///
    /// 1. The node came from [`Node::allocate`] and the caller owns it.
    /// 2. No other context may still read it: no hazard protects it, or none can exist.
    pub(crate) unsafe fn free(node: NodePtr<T>) {
        // SAFETY: (1) and (2). A body is a union, so this drops no value.
        unsafe {
            Self::assert_exclusive(node);
            node.drop_in_place();
            dealloc(node.as_ptr().cast(), Self::LAYOUT);
        }
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds no value.
    #[inline(always)]
    pub(crate) unsafe fn put(node: NodePtr<T>, value: T) {
        // SAFETY: the caller owns the body. Not by an assignment, which without optimisation moves the value once more.
        unsafe { (&raw mut node.as_ref().body.get_mut().deref().value).cast::<T>().write(value) };
    }

    /// # Safety
    ///
    /// As [`Node::put`]. `value` is valid for a read, and not used afterwards.
    #[inline(always)]
    pub(crate) unsafe fn put_copy(node: NodePtr<T>, value: *const T) {
        // SAFETY: the caller owns the body.
        unsafe { (&raw mut node.as_ref().body.get_mut().deref().value).cast::<T>().copy_from_nonoverlapping(value, 1) };
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards.
    #[inline(always)]
    pub(crate) unsafe fn take(node: NodePtr<T>) -> T {
        // SAFETY: the caller owns the body and what it holds is a value.
        unsafe { ManuallyDrop::take(&mut node.as_ref().body.get_mut().deref().value) }
    }

    /// Drops the value where it is.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards, even if this unwinds.
    pub(crate) unsafe fn drop_value(node: NodePtr<T>) {
        // SAFETY: the caller owns the body and what it holds is a value.
        unsafe { ManuallyDrop::drop(&mut node.as_ref().body.get_mut().deref().value) };
    }

    /// The second node of the batch that begins with `node`.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and its link was set by [`Node::set_link`].
    pub(crate) unsafe fn link(node: NodePtr<T>) -> *mut Node<T> {
        // SAFETY: the caller owns the body and what it holds is a link.
        unsafe { node.as_ref().body.get_mut().deref().link }
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds no value.
    pub(crate) unsafe fn set_link(node: NodePtr<T>, link: *mut Node<T>) {
        // SAFETY: the caller owns the body.
        unsafe { node.as_ref().body.get_mut().deref().link = link };
    }
}

/// A pointer to the node that is at the address now.
fn exposed<T>(address: *mut Node<T>) -> *mut Node<T> {
    ptr::with_exposed_provenance_mut(address.addr())
}

/// The one atomic pointer to the topmost node.
pub struct Head<T>(AtomicPtr<Node<T>>);

impl<T> Head<T> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicPtr::new(ptr::null_mut()))
        }
    }

    /// The address of the topmost node now.
    #[inline(always)]
    pub(crate) fn top(&self) -> *mut Node<T> {
        // Relaxed: a push writes it into its node, a pop protects it and looks again with `confirm`.
        self.0.load(Relaxed)
    }

    /// The topmost node, if its address is that of `node`, whose hazard the caller has just published: then it is protected.
    ///
    /// The node that was read before may have been freed, and this be another one at its address. So only what is returned
    /// may be used.
    #[inline(always)]
    pub(crate) fn confirm(&self, node: NodePtr<T>) -> Result<NodePtr<T>, *mut Node<T>> {
        publish_barrier();
        let top = self.0.load(RECHECK);
        NonNull::new(top).filter(|top| *top == node).ok_or(top)
    }

    /// What is the top, for who is about to change it: so the line comes for writing at once, where there are any.
    #[inline(always)]
    pub(crate) fn top_to_change(&self) -> *mut Node<T> {
        if !FAST_PATHS {
            return self.top();
        }
        let nothing = ptr::null_mut();
        self.0.compare_exchange(nothing, nothing, Relaxed, Relaxed).unwrap_or_else(|top| top)
    }

    /// Links the chain from `first` down to `last` above `below`, if that is the top. Else the address of what is, or was just now.
    ///
    /// # Safety
    ///
    /// The caller owns the chain's nodes; if this succeeds, the list does.
    #[inline(always)]
    pub(crate) unsafe fn try_push(
        &self,
        below: *mut Node<T>,
        first: NodePtr<T>,
        last: NodePtr<T>,
    ) -> Result<(), *mut Node<T>> {
        // SAFETY: the caller owns the node. The Release below publishes the link.
        unsafe { last.as_ref() }.set_below(below);
        // Release pairs with `confirm` and `detach`: the value and the link are visible to who sees the node.
        self.0.compare_exchange_weak(below, first.as_ptr(), Release, Relaxed).map(|_| ())
    }

    /// Confirms `node`, and unlinks it if it still is the top: then the caller owns what is returned (invariant 2).
    ///
    /// # Safety
    ///
    /// The caller has published a hazard for `node`, and it still is.
    #[inline(always)]
    pub(crate) unsafe fn try_pop(&self, node: NodePtr<T>) -> Result<NodePtr<T>, *mut Node<T>> {
        let node = self.confirm(node)?;
        // SAFETY: the node is protected since it was confirmed, so it is not freed. What this reads is either what the push
        // wrote, visible since `confirm`, or not used, since the exchange then fails (invariant 3).
        let below = unsafe { node.as_ref() }.below();
        // SAFETY: as said; a node that is the top has the link that it was pushed with.
        unsafe { self.try_pop_above(below, node) }.map(|()| node)
    }

    /// Unlinks `node`, if it is still the top: then the caller owns it (invariant 2). Else says what is the top, or was just now.
    ///
    /// # Safety
    ///
    /// The caller protects `node`, as [`Head::confirm`] has returned it after its hazard was published, or as the caller has
    /// pushed it after its hazard was shown; and the hazard still is. If `node` is the top, `below` is the address in its link.
    #[inline(always)]
    pub(crate) unsafe fn try_pop_above(&self, below: *mut Node<T>, node: NodePtr<T>) -> Result<(), *mut Node<T>> {
        self.0.compare_exchange_weak(node.as_ptr(), exposed(below), UNLINK, Relaxed).map(|_| ())
    }

    /// Unlinks all nodes; the caller owns them (invariant 2).
    #[inline]
    pub(crate) fn detach(&self) -> *mut Node<T> {
        self.0.swap(ptr::null_mut(), DETACH)
    }

    /// Unlinks the topmost node.
    ///
    /// # Safety
    ///
    /// `node` is the top, and nobody else has access to the list.
    pub(crate) unsafe fn unlink_mut(&mut self, node: NodePtr<T>) {
        // SAFETY: the list owns the node.
        self.0.store(unsafe { node.as_ref() }.below(), Relaxed);
    }
}
