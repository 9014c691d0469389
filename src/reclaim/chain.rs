//! Lists of nodes that one context owns: the retired list, the spare nodes, a batch.

use crate::OutOfMemory;
use crate::layout::IfFast;
use crate::sync::initial;
use crate::treiber::{Node, NodePtr};
use core::iter;
use core::mem;
use core::ptr::{self, NonNull};

/// Nodes linked through `next`, which is null in the last one. What it holds is leaked when it is dropped.
///
/// The spare nodes are such a list, without a count: only a scan that sorts needs their number, and each push would have to keep
/// it.
pub struct List<T> {
    first: *mut Node<T>,
}

initial! { impl[T] List<T> = List { first: ptr::null_mut() } }

impl<T> List<T> {
    /// # Safety
    ///
    /// It came from [`List::into_raw`], and the caller owns the nodes.
    pub(crate) unsafe fn from_raw(first: *mut Node<T>) -> Self {
        Self { first }
    }

    /// The nodes from `first` to `last`, which are linked already.
    ///
    /// # Safety
    ///
    /// The caller owns the nodes.
    pub(crate) unsafe fn from_linked(first: *mut Node<T>, last: NodePtr<T>) -> Self {
        // SAFETY: the caller's contract.
        unsafe { last.as_ref() }.set_below(ptr::null_mut());
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

    pub(crate) fn into_raw(self) -> *mut Node<T> {
        self.first
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// # Safety
    ///
    /// The caller owns the node, and from now on leaves it to the list.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>) {
        // SAFETY: the caller's contract.
        unsafe { node.as_ref() }.set_below(self.first);
        self.first = node.as_ptr();
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<NodePtr<T>> {
        let node = NonNull::new(self.first)?;
        // SAFETY: the list owns its nodes.
        self.first = unsafe { node.as_ref() }.below();
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
    /// A slot scans long before there are more than fit in here.
    len: u32,
    /// Not noted where code is short, since nobody keeps any nodes there.
    foreign: IfFast<Foreign>,
}

/// Whether others may keep some of the nodes (GUARD-5).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foreign {
    None,
    /// Some, and a scan has left them.
    Left,
    /// Some, which have come since the last scan.
    New,
}

initial! { impl[T] Retired<T> = Retired {
    list: initial!(List<T>),
    len: 0,
    foreign: IfFast::new(Foreign::None),
} }

impl<T> Retired<T> {
    /// The nodes of a list, which are so many, and which others may keep.
    pub(crate) fn foreign(list: List<T>, len: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "as said at `len`")]
        let len = len as u32;
        Self { list, len, foreign: IfFast::new(Foreign::New) }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether others may keep some of the nodes.
    #[inline(always)]
    pub(crate) fn is_foreign(&self) -> bool {
        // CHEAPER: after a yes a scan heeds hazards that it need not heed, which only takes longer.
        self.foreign.get().is_none_or(|foreign| *foreign != Foreign::None)
    }

    /// Whether nodes that others may keep have come since the last scan. No, where that is not noted.
    pub(crate) fn is_newly_foreign(&self) -> bool {
        self.foreign.get() == Some(&Foreign::New)
    }

    /// # Safety
    ///
    /// The caller owns the node, and from now on leaves it to the list. Nobody keeps it, if it is not `foreign` (NODES-4).
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, node: NodePtr<T>, foreign: bool) {
        // SAFETY: the caller's contract.
        unsafe { self.list.push(node) };
        self.len += 1;
        if foreign {
            self.foreign = IfFast::new(Foreign::New);
        }
    }

    /// Notes that a scan has left these.
    pub(crate) fn leave(&mut self) {
        // CHEAPER: if they are noted as new ones, the next scan looks at fewer of them, and heeds the same hazards.
        let left = if self.len > 0 && self.is_foreign() { Foreign::Left } else { Foreign::None };
        self.foreign = IfFast::new(left);
    }

    pub(crate) fn take(&mut self) -> List<T> {
        mem::replace(self, initial!(Self)).list
    }
}
