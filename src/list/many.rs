//! Many values at once: `push_all` and `take_all`.
//!
//! # Rules
//!
//! * **BULK-1**: No code of the user's runs while one of these calls has claimed a slot for itself, but the allocator's and steps
//!   of waiting.
//!   Checked by `in_iterator_while_values_hold_slots` in `tests/panics.rs`.
//! * **BULK-2**: `push_all` holds no more nodes than the iterator has given or announced values, and a `TakeAll` holds those of
//!   its values and of those that it has emptied, which are fewer than a batch.
//!   Checked by `bound_while_pushing`, `bound_while_half_taken` in `tests/bulk.rs`.
//!
//! To claim a slot for each value would cost as much as to push or pop them one by one. So both calls get nodes out of a slot, or
//! give them to one, [`BATCH`](crate::Slots::BATCH) at a time, and keep them meanwhile.

use super::{GuardOf, SharedList};
use crate::backoff::Backoff;
use crate::engine::Permit;
use crate::error::{Left, PushErrorKind};
use crate::reclaim::chain;
use crate::reclaim::{Reclaim, Search};
use crate::sync::initial;
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};

/// A chain of nodes with values that is not in the list yet. Dropping it drops the values.
pub(super) struct Pending<'a, T, R: Reclaim, B: Backoff> {
    list: &'a SharedList<T, R, B>,
    /// Of the handle; without one, each step claims a slot.
    handle: Option<GuardOf<'a, T, R, B>>,
    /// The top of the chain, and its bottom, valid if the top is not null.
    first: *mut Node<T>,
    last: *mut Node<T>,
    count: usize,
    /// Nodes for values to come.
    empty: chain::List<T>,
}

impl<'a, T, R: Reclaim, B: Backoff> Pending<'a, T, R, B> {
    pub(super) fn new(list: &'a SharedList<T, R, B>, handle: Option<GuardOf<'a, T, R, B>>) -> Self {
        let none = ptr::null_mut();
        Self { list, handle, first: none, last: none, count: 0, empty: initial!(chain::List<T>) }
    }

    /// Runs `action` in a slot, or returns `None` if there is none and no memory for another.
    fn enter<O>(&self, action: impl FnOnce(GuardOf<'a, T, R, B>) -> O) -> Option<O> {
        if let Some(guard) = self.handle {
            return Some(action(guard));
        }
        let session = self.list.enter(Search::Grow, None)?;
        let done = action(*session);
        session.end();
        Some(done)
    }

    /// Returns a node, and gets others for `more` values, as far as a batch and the memory go.
    ///
    /// # Errors
    ///
    /// Why there is no node. None is left over either.
    #[cold]
    fn get_nodes(&mut self, more: usize) -> Result<NodePtr<T>, PushErrorKind> {
        let mut empty = initial!(chain::List<T>);
        let node = self.enter(|guard| {
            let node = guard.node(Permit::All)?;
            // CHEAPER: to get the nodes one by one takes longer.
            if more >= R::BATCH {
                empty = guard.spares();
            }
            // To enter a slot for each value would take longer.
            if empty.is_empty() {
                for _ in 0..more.min(R::BATCH - 1) {
                    let Some(other) = guard.node(Permit::All) else { break };
                    // SAFETY: the node is ours.
                    unsafe { empty.push(other) };
                }
            }
            Some(node)
        });
        self.empty = empty;
        node.ok_or(PushErrorKind::NoSlot)?.ok_or(PushErrorKind::OutOfMemory)
    }

    /// Adds values until there is no node for one. Then that one and the rest of the iterator are returned.
    pub(super) fn add_all<I: Iterator<Item = T>>(&mut self, mut values: I) -> Result<(), Left<I>> {
        while let Some(value) = values.next() {
            let node = match self.empty.pop().map_or_else(|| self.get_nodes(values.size_hint().0), Ok) {
                Ok(node) => node,
                Err(kind) => return Err((kind, value, values)),
            };
            // SAFETY: GUARD-2: the node is ours and has no value.
            unsafe {
                Node::put(node, value);
                node.as_ref().set_below(self.first);
            }
            if self.first.is_null() {
                self.last = node.as_ptr();
            }
            self.first = node.as_ptr();
            self.count += 1;
        }
        Ok(())
    }

    /// Pushes the chain.
    pub(super) fn push(mut self) {
        if let (Some(first), Some(last)) = (NonNull::new(self.first), NonNull::new(self.last)) {
            // SAFETY: the chain is ours.
            while self.enter(|guard| unsafe { self.list.push_chain(guard, first, last, self.count) }).is_none() {
                B::relax();
            }
            self.first = ptr::null_mut();
        }
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for Pending<'_, T, R, B> {
    fn drop(&mut self) {
        while let Some(node) = NonNull::new(self.first) {
            // SAFETY: the chain is ours and holds values. The node has none afterwards.
            unsafe {
                self.first = node.as_ref().below();
                Node::end_value(node, |value| value.drop_in_place());
                self.empty.push(node);
            }
        }
        let mut empty = self.empty.take();
        // SAFETY: the nodes are ours, from this stack, and have no values.
        while !empty.is_empty() && self.enter(|guard| unsafe { guard.retire_all(empty.take()) }).is_none() {
            B::relax();
        }
    }
}

/// The nodes that a `take_all` has taken.
pub struct Taken<T> {
    /// The node whose value is next.
    first: *mut Node<T>,
    /// The nodes that have no values any more, and how many they are.
    emptied: chain::List<T>,
    count: usize,
}

impl<T> Taken<T> {
    pub(super) fn new(first: *mut Node<T>) -> Self {
        Self { first, emptied: initial!(chain::List<T>), count: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_null()
    }
}

impl<T, R: Reclaim, B: Backoff> SharedList<T, R, B> {
    /// # Safety
    ///
    /// As [`Inner::next`](crate::engine::sealed::Inner::next).
    #[inline]
    pub(super) unsafe fn next_taken<O>(&self, taken: &mut Taken<T>, action: impl FnOnce(*mut T) -> O) -> Option<O> {
        struct Emptied<'a, T, R: Reclaim, B: Backoff>(&'a SharedList<T, R, B>, &'a mut Taken<T>, NodePtr<T>);

        impl<T, R: Reclaim, B: Backoff> Drop for Emptied<'_, T, R, B> {
            fn drop(&mut self) {
                // SAFETY: the caller's contract; this was made for the first node, whose value is gone, even if its `Drop` has
                // panicked.
                unsafe { self.0.pass(self.1, self.2) };
            }
        }

        let node = NonNull::new(taken.first)?;
        let _emptied = Emptied(self, taken, node);
        // SAFETY: LIST-2: the nodes are ours since they were detached, and this one has a value.
        Some(unsafe { Node::end_value(node, action) })
    }

    /// Goes on to the next node.
    ///
    /// # Safety
    ///
    /// They were taken from this list, and this `node` is the first one and has no value any more.
    unsafe fn pass(&self, taken: &mut Taken<T>, node: NodePtr<T>) {
        // SAFETY: LIST-2: the nodes are ours since they were detached.
        unsafe {
            taken.first = node.as_ref().below();
            taken.emptied.push(node);
        }
        taken.count += 1;
        // To let each node go by itself would take longer.
        if taken.count == R::BATCH || taken.is_empty() {
            // SAFETY: the caller's contract.
            unsafe { self.retire_emptied(taken) };
        }
    }

    /// Lets the emptied nodes go.
    ///
    /// # Safety
    ///
    /// They were taken from this list.
    #[cold]
    unsafe fn retire_emptied(&self, taken: &mut Taken<T>) {
        let session = loop {
            match self.enter(Search::Free, None) {
                Some(session) => break session,
                None => B::relax(),
            }
        };
        session.counters().pops(taken.count);
        // SAFETY: the caller's contract; LIST-2: the nodes are ours since they were detached, and have no values.
        unsafe {
            let rest = R::retire_whole(*session, taken.emptied.take(), taken.count);
            session.retire_all(rest);
        }
        session.end();
        taken.count = 0;
    }
}
