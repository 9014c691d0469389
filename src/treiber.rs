//! The list: nodes, and one atomic pointer to the topmost.
//!
//! The same type is the head of the stack, of the depot's list of batches, and of the spare nodes that slots of `Haphazard`
//! share.
//!
//! # Rules
//!
//! * **LIST-1**: A node that can be reached from a head belongs to that list, and its link is not written meanwhile.
//!   Checked by `push_against_push`, `take_all_against_take_all_and_push_all` in `tests/loom/tests/loom.rs`.
//! * **LIST-2**: Whoever unlinks nodes by a successful read-modify-write of the head owns them: body and link at once, though a
//!   slower pop may still read the link; their memory, and the right to link them to that head again, once nobody protects them,
//!   or above the same node as before (LIST-3).
//!   Checked by `pop_against_pop_of_one_node`, `take_all_against_pop` in `tests/loom/tests/loom.rs`.
//! * **LIST-3**: While a context protects a node that it has found at a head (GUARD-1), or pushed there (GUARD-5), the node, once
//!   it was unlinked, becomes that head again only with the link that it had. So a compare-exchange of the head that expects the
//!   node fails, or finds the node above the address that the context knows (no ABA).
//!   Checked by `pop_against_reuse_of_the_node`, `pop_against_reuse_by_two_others`, `pop_against_node_pushed_again` in
//!   `tests/loom/tests/loom.rs`.
//! * **LIST-4**: A pointer to a node in a list, or just taken out of one, is used for more than its address only if it came from
//!   [`Node::below`], [`Head::confirm`], [`Head::detach`] or [`Head::pop_mut`], or if its user has pushed the node. A link, and
//!   what is in a head, is an address: a push does not protect the node above which it links its own, nor a pop the one below its
//!   own, so that node may have been freed, and another one at its address be the top. These four take the provenance that the
//!   node at the address has exposed, when it is there.
//!   Checked by `everything` in `tests/miri/src/together.rs`.
//! * **LIST-5**: Linking is a Release, and whoever goes on to use what the head points to has read it with Acquire; so the link
//!   and the value of the topmost node are visible, and those of the nodes further down, since every change of the head is a
//!   read-modify-write, which continues the release sequences of the ones before; but for `pop_mut`, after which nobody else
//!   uses the list any more.
//!   Checked by `push_against_pop` in `tests/loom/tests/loom.rs`, `list` in `tests/litmus/aarch64/list.litmus`.

use crate::layout::FAST_PATHS;
use crate::source::Source;
use crate::sync::{self, AtomicPtr, DETACH, RECHECK, Relaxed, Release, UNLINK, UnsafeCell, initial, publish_barrier};
#[cfg(feature = "alloc")]
use crate::sync::{alloc, dealloc};
use core::alloc::Layout;
use core::mem::{self, ManuallyDrop};
use core::ptr::{self, NonNull};

/// One heap allocation: a link and a maybe-initialised value.
///
/// Aligned to at least four bytes, so that the two low bits of its address are free for an exchanger's tags.
#[repr(C, align(4))]
pub struct Node<T> {
    /// The node below. Atomic, because a slower pop may read it while the owner already links the node elsewhere, or above the
    /// same one again; that pop does not use what it reads then, or finds what it was (LIST-3).
    next: AtomicPtr<Node<T>>,
    body: UnsafeCell<Body<T>>,
}

union Body<T> {
    /// From `push` to `pop`.
    value: ManuallyDrop<T>,
    /// In a list that one context owns, or a batch: the node that follows.
    follower: *mut Node<T>,
}

pub type NodePtr<T> = NonNull<Node<T>>;

#[cfg(feature = "alloc")]
impl<T> Node<T> {
    pub(crate) const LAYOUT: Layout = Layout::new::<Self>();

    /// Allocates a node without a value; `None` if the allocator has no memory.
    pub(crate) fn allocate() -> Option<NodePtr<T>> {
        // SAFETY: the layout is not of size zero, since a node has a link.
        let node = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Self>())?;
        // SAFETY: just allocated with this type's layout. In place, for a value may be larger than the caller's stack.
        unsafe {
            (&raw mut (*node.as_ptr()).next).write(AtomicPtr::new(ptr::null_mut()));
            sync::write_cell(&raw mut (*node.as_ptr()).body, || Body { follower: ptr::null_mut() });
        }
        // LIST-4: `below` makes a pointer of the address in a link.
        node.as_ptr().expose_provenance();
        Some(node)
    }

    /// Gives the node's memory back.
    ///
    /// # Safety
    ///
    /// The node came from [`Node::allocate`], the caller owns it, and nobody protects it.
    pub(crate) unsafe fn free(node: NodePtr<T>) {
        // SAFETY: the caller's contract. A body is a union, so this drops no value.
        unsafe {
            Self::assert_exclusive(node);
            node.drop_in_place();
            dealloc(node.as_ptr().cast(), Self::LAYOUT);
        }
    }
}

impl<T> Node<T> {
    /// The node below, of a node in a list or just taken out of one: the link, with the provenance that the node at its address
    /// has exposed (LIST-4).
    #[inline(always)]
    pub(crate) fn below(&self) -> *mut Self {
        // Relaxed: the caller owns the node, or has confirmed it at the head, by which its link is visible (LIST-5).
        exposed(self.next.load(Relaxed))
    }

    /// Links a node that the caller owns above the one at the address `below`.
    #[inline(always)]
    pub(crate) fn set_below(&self, below: *mut Self) {
        // Relaxed: what makes the node reachable publishes the link (LIST-5), and a slower pop does not use it, or finds it
        // as it was (LIST-3).
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

    /// # Safety
    ///
    /// The caller owns the node, and it holds no value.
    #[inline(always)]
    pub(crate) unsafe fn put(node: NodePtr<T>, value: impl Source<T>) {
        // SAFETY: the caller's contract. What is used from now on is the copy.
        unsafe { Self::put_copy(node, &value) };
        mem::forget(value);
    }

    /// Puts a copy of the value into the node.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and it holds no value. If what it holds from now on is used, the value is not, nor dropped; else
    /// the node still has none.
    #[inline(always)]
    pub(crate) unsafe fn put_copy(node: NodePtr<T>, value: &impl Source<T>) {
        // SAFETY: the caller owns the body. Not by an assignment, which without optimisation moves the value once more.
        unsafe { node.as_ref().body.with_mut(|body| value.copy_to((&raw mut (*body).value).cast::<T>())) };
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards.
    #[inline(always)]
    pub(crate) unsafe fn take(node: NodePtr<T>) -> T {
        // SAFETY: the caller's contract.
        unsafe { Self::end_value(node, |value| value.read()) }
    }

    /// Gives `action` the value where it is, which moves it out, or drops it.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and it holds a value, which it no longer does afterwards, even if `action` unwinds.
    #[inline(always)]
    pub(crate) unsafe fn end_value<O>(node: NodePtr<T>, action: impl FnOnce(*mut T) -> O) -> O {
        // SAFETY: the caller owns the body and what it holds is a value.
        unsafe { node.as_ref().body.with_mut(|body| action((&raw mut (*body).value).cast::<T>())) }
    }

    /// The node that follows where a value would be.
    ///
    /// # Safety
    ///
    /// The caller owns the node, and what it holds was put there by [`Node::set_follower`].
    #[inline(always)]
    pub(crate) unsafe fn follower(node: NodePtr<T>) -> *mut Node<T> {
        // SAFETY: the caller owns the body and what it holds is a pointer.
        unsafe { node.as_ref().body.with_mut(|body| (*body).follower) }
    }

    /// # Safety
    ///
    /// The caller owns the node, and it holds no value.
    #[inline(always)]
    pub(crate) unsafe fn set_follower(node: NodePtr<T>, follower: *mut Node<T>) {
        // SAFETY: the caller owns the body.
        unsafe { node.as_ref().body.with_mut(|body| (*body).follower = follower) };
    }
}

/// A pointer to the node that is at the address now.
fn exposed<T>(address: *mut Node<T>) -> *mut Node<T> {
    ptr::with_exposed_provenance_mut(address.addr())
}

/// The one atomic pointer to the topmost node.
pub struct Head<T>(AtomicPtr<Node<T>>);

initial! { impl[T] Head<T> { 0 } }

impl<T> Head<T> {
    /// The address of the topmost node now.
    #[inline(always)]
    pub(crate) fn top(&self) -> *mut Node<T> {
        // Relaxed: a push writes the address into its node, and a pop protects it and looks again with `confirm`.
        self.0.load(Relaxed)
    }

    /// The topmost node, if its address is that of `node`, whose hazard the caller has just published: then it is protected
    /// (GUARD-1).
    ///
    /// The node that was read before may have been freed, and this be another one at its address. So only what is returned
    /// may be used (LIST-4).
    #[inline(always)]
    pub(crate) fn confirm(&self, node: *mut Node<T>) -> Result<NodePtr<T>, *mut Node<T>> {
        publish_barrier();
        let top = self.0.load(RECHECK);
        NonNull::new(exposed(top)).filter(|top| top.as_ptr() == node).ok_or(top)
    }

    /// The address of the topmost node, for who is about to change the head: where there are caches, an exchange that changes
    /// nothing brings the head's cache line for writing at once. tuning.md, "Turns".
    #[inline(always)]
    pub(crate) fn top_to_change(&self) -> *mut Node<T> {
        if !FAST_PATHS {
            return self.top();
        }
        let nothing = ptr::null_mut();
        self.0.compare_exchange(nothing, nothing, Relaxed, Relaxed).unwrap_or_else(|top| top)
    }

    /// Links the chain from `first` down to `last` above `below`, if that is the top; else returns the address of the top. It may
    /// fail for no reason, and return `below`.
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
        // SAFETY: the caller owns the node.
        unsafe { last.as_ref() }.set_below(below);
        // Release pairs with `RECHECK` in `confirm`, `UNLINK` in `try_pop_above` and `DETACH` in `detach` (LIST-5).
        let pushed = self.0.compare_exchange_weak(below, first.as_ptr(), Release, Relaxed);
        // Where code is short, to look again is shorter.
        pushed.map(|_| ()).map_err(|top| if FAST_PATHS { top } else { self.top() })
    }

    /// Links the chain from `first` down to `last` above whatever the top is then. After each lost race `next` gets the address
    /// of the top, and returns that of the top to try next.
    ///
    /// # Safety
    ///
    /// The caller owns the chain's nodes, which the list does afterwards.
    #[inline(always)]
    pub(crate) unsafe fn push(
        &self,
        first: NodePtr<T>,
        last: NodePtr<T>,
        mut next: impl FnMut(*mut Node<T>) -> *mut Node<T>,
    ) {
        let mut top = self.top();
        // SAFETY: the caller's contract, as long as this fails.
        while let Err(other) = unsafe { self.try_push(top, first, last) } {
            top = next(other);
        }
    }

    /// Confirms `node`, and unlinks it if it still is the top: then the caller owns what is returned (LIST-2).
    ///
    /// # Safety
    ///
    /// The caller has published a hazard for `node`, and it still is.
    #[inline(always)]
    pub(crate) unsafe fn try_pop(&self, node: *mut Node<T>) -> Result<NodePtr<T>, *mut Node<T>> {
        let node = self.confirm(node)?;
        // SAFETY: GUARD-1: the node was confirmed, so it is not freed. What this reads is what the push wrote, visible since
        // `confirm` (LIST-5); or else the node was unlinked since then, and the exchange fails, or finds it above the same node
        // again (LIST-3).
        let below = unsafe { node.as_ref() }.below();
        // SAFETY: the node is protected, and `below` is the link that it has as the top (LIST-1).
        unsafe { self.try_pop_above(below, node) }.map(|()| node)
    }

    /// Unlinks `node`, if it is still the top: then the caller owns it (LIST-2). Else returns the address of the top. It may fail
    /// for no reason, and return that of `node`.
    ///
    /// # Safety
    ///
    /// The caller protects `node`, which [`Head::confirm`] has returned (GUARD-1), or which the caller keeps and has pushed
    /// (GUARD-5). If `node` is the top, `below` is the address in its link.
    #[inline(always)]
    pub(crate) unsafe fn try_pop_above(&self, below: *mut Node<T>, node: NodePtr<T>) -> Result<(), *mut Node<T>> {
        self.0.compare_exchange_weak(node.as_ptr(), below, UNLINK, Relaxed).map(|_| ())
    }

    /// Unlinks all nodes; the caller owns them (LIST-2).
    #[inline]
    pub(crate) fn detach(&self) -> *mut Node<T> {
        exposed(self.0.swap(ptr::null_mut(), DETACH))
    }

    /// Unlinks the topmost node, when nobody else has access to the list: the caller owns it, and nobody protects it.
    pub(crate) fn pop_mut(&mut self) -> Option<NodePtr<T>> {
        // Relaxed: `&mut self` comes after all that others have done here.
        let node = NonNull::new(exposed(self.0.load(Relaxed)))?;
        // SAFETY: the list owns the node.
        self.0.store(unsafe { node.as_ref() }.below(), Relaxed);
        Some(node)
    }
}
