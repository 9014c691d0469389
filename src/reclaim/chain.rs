//! Lists of nodes that one context owns: the retired list, the spare nodes, a batch.

use crate::OutOfMemory;
use crate::sync::{self, FAST_PATHS, Relaxed, array_of, initial};
use crate::treiber::{Node, NodePtr};
use core::mem;
use core::ptr::{self, NonNull};

/// Nodes linked through `next`. What it holds is leaked when it is dropped.
///
/// The length alone says where it ends: `first`, and the last node's `next`, may be anything then. So a chain can be
/// cut without writing to its nodes.
pub struct Chain<T> {
    first: *mut Node<T>,
    len: usize,
}

initial! { impl[T] Chain<T> = Chain { first: ptr::null_mut(), len: 0 } }

impl<T> Chain<T> {
    /// A chain of `len` nodes that are linked already, from `first` on.
    ///
    /// # Safety
    ///
    /// The caller owns the nodes, and there are `len` of them.
    pub(crate) unsafe fn from_linked(first: *mut Node<T>, len: usize) -> Self {
        Self { first, len }
    }

    /// `count` nodes from the allocator, or none.
    pub(crate) fn allocate(count: usize) -> Result<Self, OutOfMemory> {
        // So many have no address each; to try would only take all that there is from everybody else.
        if count > isize::MAX.unsigned_abs() / size_of::<Node<T>>() {
            return Err(OutOfMemory);
        }
        let mut chain = initial!(Self);
        for _ in 0..count {
            let Some(node) = Node::allocate() else {
                // SAFETY: nobody has seen these nodes.
                unsafe { chain.free() };
                return Err(OutOfMemory);
            };
            // SAFETY: the node is ours.
            unsafe { chain.push(node) };
        }
        Ok(chain)
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// # Safety
    ///
    /// The caller owns the node, and from now on leaves it to the chain.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>) {
        // SAFETY: the caller's contract. Relaxed: a slower pop may read it, but does not use what it reads.
        unsafe { node.as_ref() }.next.store(self.first, Relaxed);
        self.first = node.as_ptr();
        self.len += 1;
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<NodePtr<T>> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the chain was not empty, and it owns its nodes.
        unsafe {
            let node = NonNull::new_unchecked(self.first);
            self.first = node.as_ref().next.load(Relaxed);
            Some(node)
        }
    }

    /// As [`Chain::pop`], of a node that nobody protects.
    #[inline(always)]
    pub(crate) fn pop_exclusive(&mut self) -> Option<NodePtr<T>> {
        let node = self.pop()?;
        // SAFETY: the chain owned the node.
        sync::assert_exclusive(unsafe { &raw mut (*node.as_ptr()).next });
        Some(node)
    }

    /// The first node, and the list of the others.
    ///
    /// # Safety
    ///
    /// The chain is not empty.
    pub(crate) unsafe fn into_linked(self) -> (NodePtr<T>, *mut Node<T>) {
        // SAFETY: the caller's contract, and the chain owns its nodes.
        unsafe {
            let first = NonNull::new_unchecked(self.first);
            (first, first.as_ref().next.load(Relaxed))
        }
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Self {
        let len = mem::replace(&mut self.len, 0);
        Self { first: self.first, len }
    }

    /// Takes at most `most` nodes out, from the first on.
    pub(crate) fn take_front(&mut self, most: usize) -> Self {
        if self.len <= most {
            return self.take();
        }
        let front = Self { first: self.first, len: most };
        for _ in 0..most {
            self.pop();
        }
        front
    }

    /// Frees all nodes and returns how many they were.
    ///
    /// # Safety
    ///
    /// No hazard protects any of them.
    pub(crate) unsafe fn free(&mut self) -> usize {
        let mut chain = self.take();
        let count = chain.len;
        while let Some(node) = chain.pop() {
            // SAFETY: the node was the chain's; the caller says that nobody protects it.
            unsafe { Node::free(node) };
        }
        count
    }
}

/// The nodes that a slot has retired.
pub struct Retired<T> {
    first: *mut Node<T>,
    /// A slot scans before it has as many, or as there are slots.
    len: u32,
    /// Whether others may keep some of them. Where nobody keeps any, it is not noted.
    foreign: [bool; FAST_PATHS as usize],
}

initial! { impl[T] Retired<T> = Retired { first: ptr::null_mut(), len: 0, foreign: array_of!(false) } }

impl<T> Retired<T> {
    /// The nodes of a chain, which others may keep.
    pub(crate) fn foreign(chain: Chain<T>) -> Self {
        let mut retired = initial!(Self);
        retired.set(chain);
        retired.foreign.fill(true);
        retired
    }

    #[expect(clippy::cast_possible_truncation, reason = "as said at `len`")]
    #[inline(always)]
    fn set(&mut self, Chain { first, len }: Chain<T>) {
        self.first = first;
        self.len = len as u32;
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether others may keep some of the nodes.
    #[inline(always)]
    pub(crate) fn is_foreign(&self) -> bool {
        // Unchecked: after a yes a scan heeds hazards that it need not, which only takes longer.
        self.foreign.first().is_none_or(|foreign| *foreign)
    }

    /// # Safety
    ///
    /// The caller owns the node, and from now on leaves it to the list. Nobody keeps it, if it is not `foreign`.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>, foreign: bool) {
        let mut chain = Chain { first: self.first, len: self.len() };
        // SAFETY: the caller's contract.
        unsafe { chain.push(node) };
        self.set(chain);
        if foreign {
            self.foreign.fill(true);
        }
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> Chain<T> {
        let taken = mem::replace(self, initial!(Self));
        Chain { first: taken.first, len: taken.len() }
    }
}
