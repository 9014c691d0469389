//! Lists of nodes that one context owns: the retired list, the spare nodes, a batch.

use crate::OutOfMemory;
use crate::layout::IfFast;
use crate::sync::initial;
use crate::treiber::{Node, NodePtr};
use core::iter;
use core::mem;
use core::ptr::NonNull;

/// Nodes without values, each of which has the one that follows where its value would be; their links are left as they are
/// (GUARD-6). What it holds is leaked when it is dropped.
///
/// The spare nodes are such a list, without a count: only a scan that sorts needs their number, and each push would have to keep
/// it.
pub struct List<T> {
    first: *mut Node<T>,
}

initial! { impl[T] List<T> { first } }

impl<T> List<T> {
    /// # Safety
    ///
    /// It is null, or the first of nodes that a list has linked, and the caller owns them.
    pub(crate) unsafe fn from_raw(first: *mut Node<T>) -> Self {
        Self { first }
    }

    /// `count` nodes from the allocator, or none.
    pub(crate) fn allocate(count: usize) -> Result<Self, OutOfMemory> {
        // So many nodes have no address each. To try would only take all memory from everybody else.
        if count > isize::MAX.unsigned_abs() / size_of::<Node<T>>() {
            return Err(OutOfMemory);
        }
        let mut list = initial!(Self);
        for _ in 0..count {
            let Some(node) = Node::allocate() else {
                // SAFETY: nobody has seen these nodes.
                unsafe { list.free() };
                return Err(OutOfMemory);
            };
            // SAFETY: the node was allocated just now, so it is ours.
            unsafe { list.push(node) };
        }
        Ok(list)
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// # Safety
    ///
    /// The caller owns the node, which holds no value, and from now on leaves it to the list.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>) {
        // SAFETY: the caller's contract.
        unsafe { Node::set_follower(node, self.first) };
        self.first = node.as_ptr();
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<NodePtr<T>> {
        let node = NonNull::new(self.first)?;
        // SAFETY: the list owns its nodes, which hold no values.
        self.first = unsafe { Node::follower(node) };
        Some(node)
    }

    /// [`List::pop`], of a list whose nodes nobody protects.
    #[inline(always)]
    pub(crate) fn pop_exclusive(&mut self) -> Option<NodePtr<T>> {
        let node = self.pop()?;
        // SAFETY: the node was the list's, and is ours now.
        unsafe { Node::assert_exclusive(node) };
        Some(node)
    }

    pub(crate) fn take(&mut self) -> Self {
        mem::replace(self, initial!(Self))
    }

    /// How many nodes there are, counted one by one.
    pub(crate) fn count(&self) -> usize {
        let mut rest = Self { first: self.first };
        iter::from_fn(|| rest.pop()).count()
    }

    /// Frees all nodes and returns how many they were.
    ///
    /// # Safety
    ///
    /// No hazard protects any of them.
    pub(crate) unsafe fn free(&mut self) -> usize {
        let mut count = 0;
        while let Some(node) = self.pop() {
            // SAFETY: the node was the list's, and nobody protects it, as the caller says.
            unsafe { Node::free(node) };
            count += 1;
        }
        count
    }
}

/// The nodes that a slot has retired, and how many they are.
pub struct Retired<T> {
    list: List<T>,
    /// So many nodes, less those that may wait.
    count: i32,
    /// Nodes that may wait for the next scan, more than usual. Where code is short there are none.
    waiting: IfFast<i32>,
}

initial! { impl[T] Retired<T> { list, count, waiting } }

impl<T> Retired<T> {
    /// The nodes of a list, which are so many.
    pub(crate) fn new(list: List<T>, len: usize) -> Self {
        Self { list, count: signed(len), waiting: IfFast::new(0) }
    }

    #[expect(clippy::cast_sign_loss, reason = "what is waiting was taken from the count")]
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        (self.count + self.waiting.get().unwrap_or(&0)) as usize
    }

    /// Whether there are `limit` nodes besides those that may wait.
    #[inline(always)]
    pub(crate) fn reach(&self, limit: usize) -> bool {
        self.count >= signed(limit)
    }

    /// Lets so many nodes wait for the next scan.
    pub(crate) fn let_wait(&mut self, nodes: usize) {
        if let Some(waiting) = self.waiting.get_mut() {
            self.count += *waiting - signed(nodes);
            *waiting = signed(nodes);
        }
    }

    /// # Safety
    ///
    /// As [`List::push`].
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>) {
        // SAFETY: the caller's contract.
        unsafe { self.list.push(node) };
        self.count += 1;
    }

    /// The node that was retired last, if its link is the address `below`.
    #[inline(always)]
    pub(crate) fn pop_above(&mut self, below: *mut Node<T>) -> Option<NodePtr<T>> {
        // SAFETY: the list owns its nodes.
        NonNull::new(self.list.first).filter(|node| unsafe { node.as_ref() }.below() == below)?;
        self.count -= 1;
        self.list.pop()
    }

    /// Takes those nodes from another list of which `wanted` says so.
    pub(crate) fn move_from(&mut self, other: &mut List<T>, wanted: impl Fn(NodePtr<T>) -> bool) {
        let mut nodes = other.take();
        while let Some(node) = nodes.pop() {
            // SAFETY: the node was the other list's.
            unsafe { if wanted(node) { self.push(node) } else { other.push(node) } };
        }
    }

    /// Takes all nodes.
    pub(crate) fn take(&mut self) -> List<T> {
        mem::replace(self, initial!(Self)).list
    }
}

/// A number of nodes that a slot has retired, or may; it scans long before there are more than fit.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "as said")]
const fn signed(nodes: usize) -> i32 {
    nodes as i32
}
