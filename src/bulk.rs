//! Many values at once: `push_all`, `take_all`, and the traits of collections.
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
//! give them to one, [`BATCH`](Slots::BATCH) at a time, and keep them meanwhile.

use crate::backoff::{Backoff, Elimination};
use crate::error::{Outcome, PushErrorKind};
use crate::reclaim::{Domain, Guard, Permit, Reclaim, Slots, chain::Chain, chain::List};
use crate::stack::GuardOf;
use crate::sync::initial;
use crate::treiber::{Node, NodePtr};
use crate::{Handle, Stack};
use core::fmt;
use core::iter::FusedIterator;
use core::mem;
use core::ptr::{self, NonNull};

/// A way into a slot: the handle's own, or any.
trait Enter<'a, T, R: Reclaim, B: Backoff> {
    fn stack(&self) -> &'a Stack<T, R, B>;

    /// Runs `action` in a slot, or returns `None` if there is none and no memory for another.
    fn enter<O>(&mut self, action: impl FnOnce(&mut GuardOf<'a, T, R, B>) -> O) -> Option<O>;
}

impl<'a, T, R: Reclaim + 'a, B: Backoff + 'a> Enter<'a, T, R, B> for &'a Stack<T, R, B> {
    fn stack(&self) -> &'a Stack<T, R, B> {
        self
    }

    fn enter<O>(&mut self, action: impl FnOnce(&mut GuardOf<'a, T, R, B>) -> O) -> Option<O> {
        let mut guard = self.domain.enter(Permit::Allocator)?;
        let done = action(&mut guard);
        guard.leave();
        Some(done)
    }
}

impl<'a, T, R: Reclaim + 'a, B: Backoff + 'a> Enter<'a, T, R, B> for &mut Handle<'a, T, R, B> {
    fn stack(&self) -> &'a Stack<T, R, B> {
        self.stack
    }

    fn enter<O>(&mut self, action: impl FnOnce(&mut GuardOf<'a, T, R, B>) -> O) -> Option<O> {
        Some(action(&mut self.guard))
    }
}

/// A chain of nodes with values that is not in the list yet. Dropping it drops the values.
struct Pending<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, E: Enter<'a, T, R, B>> {
    enter: E,
    /// The top of the chain, and its bottom, valid if the top is not null.
    first: *mut Node<T>,
    last: *mut Node<T>,
    count: usize,
    /// Nodes for values to come.
    empty: List<T>,
    stack: &'a Stack<T, R, B>,
}

impl<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, E: Enter<'a, T, R, B>> Pending<'a, T, R, B, E> {
    /// Adds a value, of which at least `more` are still to come.
    fn add(&mut self, value: T, more: usize) {
        let Some(node) = self.empty.pop().or_else(|| self.get_nodes(more)) else {
            return Outcome::refused(PushErrorKind::OutOfMemory, Node::<T>::LAYOUT, value);
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

    /// Returns a node, if there is one, and gets others for `more` values, as far as a batch and the memory go.
    #[cold]
    fn get_nodes(&mut self, more: usize) -> Option<NodePtr<T>> {
        let empty = &mut self.empty;
        let node = self.enter.enter(|guard| {
            let node = guard.node(Permit::Allocator)?;
            // CHEAPER: to get the nodes one by one takes longer.
            if more >= R::BATCH {
                *empty = guard.spares();
            }
            // CHEAPER: to enter a slot for each value takes longer.
            if empty.is_empty() {
                for _ in 0..more.min(R::BATCH - 1) {
                    let Some(other) = guard.node(Permit::Allocator) else { break };
                    // SAFETY: the node is ours.
                    unsafe { empty.push(other) };
                }
            }
            Some(node)
        });
        node.flatten()
    }

    fn push(mut self) {
        if let (Some(first), Some(last)) = (NonNull::new(self.first), NonNull::new(self.last)) {
            let (stack, count) = (self.stack, self.count);
            // SAFETY: the chain is ours.
            let push = |guard: &mut GuardOf<'a, T, R, B>| unsafe { stack.push_chain(guard, first, last, count) };
            while self.enter.enter(push).is_none() {
                B::relax();
            }
            self.first = ptr::null_mut();
        }
    }
}

impl<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, E: Enter<'a, T, R, B>> Drop for Pending<'a, T, R, B, E> {
    fn drop(&mut self) {
        while let Some(node) = NonNull::new(self.first) {
            // SAFETY: the chain is ours and holds values. The node has none afterwards.
            let value = unsafe {
                self.first = node.as_ref().below();
                let value = Node::take(node);
                self.empty.push(node);
                value
            };
            drop(value);
        }
        let (enter, empty) = (&mut self.enter, &mut self.empty);
        // CHEAPER: to retire none does nothing.
        // SAFETY: the nodes are ours, from this stack, and have no values.
        while !empty.is_empty() && enter.enter(|guard| unsafe { guard.retire_all(empty.take()) }).is_none() {
            B::relax();
        }
    }
}

fn push_all<'a, T: 'a, R: Reclaim + 'a, B: Backoff + 'a, E: Enter<'a, T, R, B>>(
    enter: E,
    values: impl IntoIterator<Item = T>,
) {
    let stack = enter.stack();
    let (first, last, empty) = (ptr::null_mut(), ptr::null_mut(), initial!(List<T>));
    let mut pending = Pending { enter, first, last, count: 0, empty, stack };
    let mut values = values.into_iter();
    while let Some(value) = values.next() {
        // CHEAPER: to ask the iterator how many are to come after each value takes time.
        let more = if pending.empty.is_empty() { values.size_hint().0 } else { 0 };
        pending.add(value, more);
    }
    drop(values);
    pending.push();
}

impl<T, R: Reclaim, B: Backoff> Stack<T, R, B> {
    /// Pushes all values at once, with one compare-exchange for the whole chain; the last one is on top.
    ///
    /// If the iterator panics, no value has been pushed, and those that it has given are dropped. Nodes are got for as
    /// many values at a time as its `size_hint` says are to come, up to [`BATCH`](Slots::BATCH).
    ///
    /// Allocates: for each value for which there is no spare node. Waits: no longer than its back-off; but if all slots are
    /// claimed at its end and there is no memory for another, until one is free: where that may be for ever, as in
    /// [`Stack::pop`], call [`Stack::push_spare`] for each value. Lock-free: as
    /// the allocator and the iterator. From an interrupt handler: only if the allocator permits it.
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does, see [`handle_alloc_error`](alloc::alloc::handle_alloc_error).
    ///
    /// ```
    /// let stack = elimination_stack::Stack::new();
    /// stack.push_all([1, 2, 3]);
    /// assert_eq!(stack.pop(), Some(3));
    /// ```
    pub fn push_all<I: IntoIterator<Item = T>>(&self, values: I) {
        push_all(self, values);
    }

    /// Takes all values at once, with one swap of the head; the iterator goes from the top down.
    ///
    /// Values that the iterator is not asked for are dropped with it.
    ///
    /// Allocates: never on [`Slots`]. Frees: the iterator may give surplus nodes back. Waits: the iterator needs a slot after
    /// each [`BATCH`](Slots::BATCH) values, after the last one and when it is dropped, and waits for one as [`Stack::pop`] does:
    /// where that may be for ever, call [`Stack::try_pop`] until there is nothing. Lock-free: yes, while a slot is free. From an
    /// interrupt handler: no.
    ///
    /// ```
    /// let stack: elimination_stack::Stack<_> = [1, 2, 3].into_iter().collect();
    /// assert!(stack.take_all().eq([3, 2, 1]));
    /// assert!(stack.is_empty());
    /// ```
    pub fn take_all(&self) -> TakeAll<'_, T, R, B> {
        let first = self.head.detach();
        TakeAll { stack: self, first, emptied: first, count: 0 }
    }
}

impl<T, R: Reclaim, B: Backoff> Handle<'_, T, R, B> {
    /// As [`Stack::push_all`].
    ///
    /// # Panics
    ///
    /// Without memory it does what `Box::new` does.
    pub fn push_all<I: IntoIterator<Item = T>>(&mut self, values: I) {
        push_all(self, values);
    }
}

/// The values that [`Stack::take_all`] took, from the top down.
///
/// It holds the nodes of the values that it has not given yet, and, until it ends, those of up to
/// [`BATCH`](Slots::BATCH) - 1 others: so many more values count for [`Stack::IDLE_NODES`] and [`Stack::reserve`].
/// Leaking it leaks them.
pub struct TakeAll<'a, T, R: Reclaim = Slots<8>, B: Backoff = Elimination<32>> {
    stack: &'a Stack<T, R, B>,
    /// The node whose value is next.
    first: *mut Node<T>,
    /// The topmost of the nodes above `first`, which have no values any more and are still linked; and how many they are.
    emptied: *mut Node<T>,
    count: usize,
}

// SAFETY: the iterator owns its values, and hands them to the thread that it was sent to.
unsafe impl<T: Send, R: Reclaim, B: Backoff> Send for TakeAll<'_, T, R, B> {}
// SAFETY: a shared iterator gives access to nothing.
unsafe impl<T: Send, R: Reclaim, B: Backoff> Sync for TakeAll<'_, T, R, B> {}

impl<T, R: Reclaim, B: Backoff> TakeAll<'_, T, R, B> {
    /// Goes on to the next node.
    ///
    /// # Safety
    ///
    /// This `node` is the first one, and has no value any more.
    unsafe fn pass(&mut self, node: NodePtr<T>) {
        // SAFETY: LIST-2: the nodes are ours since they were detached.
        self.first = unsafe { node.as_ref() }.below();
        self.count += 1;
        // CHEAPER: to let each node go by itself only takes time.
        if self.count == R::BATCH || self.first.is_null() {
            self.retire(node);
        }
    }

    /// Drops the next value where it is, if there is one.
    fn drop_next(&mut self) -> bool {
        struct Emptied<'i, 'a, T, R: Reclaim, B: Backoff>(&'i mut TakeAll<'a, T, R, B>, NodePtr<T>);

        impl<T, R: Reclaim, B: Backoff> Drop for Emptied<'_, '_, T, R, B> {
            fn drop(&mut self) {
                // SAFETY: this was made for the first node, whose value is gone, even if its `Drop` has panicked.
                unsafe { self.0.pass(self.1) };
            }
        }

        let Some(node) = NonNull::new(self.first) else { return false };
        let emptied = Emptied(self, node);
        // SAFETY: LIST-2: the nodes are ours since they were detached, and this one has a value.
        unsafe { Node::drop_value(node) };
        drop(emptied);
        true
    }

    /// Lets the emptied nodes go, down to the `last` one.
    #[cold]
    fn retire(&mut self, last: NodePtr<T>) {
        let mut guard = loop {
            match self.stack.domain.enter(Permit::Nothing) {
                Some(guard) => break guard,
                None => B::relax(),
            }
        };
        guard.counters().pops(self.count);
        // SAFETY: LIST-2: the nodes are ours since they were detached; they came from this stack, and have no values.
        unsafe {
            let rest = guard.retire_whole(Chain::from_linked(self.emptied, last, self.count));
            guard.retire_all(rest);
        }
        guard.leave();
        (self.emptied, self.count) = (self.first, 0);
    }
}

impl<T, R: Reclaim, B: Backoff> Iterator for TakeAll<'_, T, R, B> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let node = NonNull::new(self.first)?;
        // SAFETY: LIST-2: the nodes are ours since they were detached, and this one has a value.
        let value = unsafe { Node::take(node) };
        // SAFETY: the node has no value any more.
        unsafe { self.pass(node) };
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.first.is_null() { (0, Some(0)) } else { (1, None) }
    }
}

impl<T, R: Reclaim, B: Backoff> FusedIterator for TakeAll<'_, T, R, B> {}

impl<T, R: Reclaim, B: Backoff> Drop for TakeAll<'_, T, R, B> {
    fn drop(&mut self) {
        drop_all(|| self.drop_next());
    }
}

impl<T, R: Reclaim, B: Backoff> fmt::Debug for TakeAll<'_, T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeAll").field("is_empty", &self.first.is_null()).finish_non_exhaustive()
    }
}

/// Drops values, where they are, until `drop_next` says that there are no more. If a value's `Drop` panics, the other values are
/// still dropped.
pub(crate) fn drop_all(drop_next: impl FnMut() -> bool) {
    struct Rest<F: FnMut() -> bool>(F);

    impl<F: FnMut() -> bool> Drop for Rest<F> {
        fn drop(&mut self) {
            while (self.0)() {}
        }
    }

    let mut rest = Rest(drop_next);
    while (rest.0)() {}
    mem::forget(rest);
}

/// The values of a stack, from the top down.
pub struct IntoIter<T, R: Reclaim = Slots<8>, B: Backoff = Elimination<32>>(Stack<T, R, B>);

impl<T, R: Reclaim, B: Backoff> Iterator for IntoIter<T, R, B> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_mut()
    }
}

impl<T, R: Reclaim, B: Backoff> FusedIterator for IntoIter<T, R, B> {}

impl<T, R: Reclaim, B: Backoff> fmt::Debug for IntoIter<T, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IntoIter").field(&self.0).finish()
    }
}

impl<T, R: Reclaim, B: Backoff> IntoIterator for Stack<T, R, B> {
    type Item = T;
    type IntoIter = IntoIter<T, R, B>;

    /// From the top down.
    fn into_iter(self) -> IntoIter<T, R, B> {
        IntoIter(self)
    }
}

impl<T, R: Reclaim, B: Backoff> FromIterator<T> for Stack<T, R, B> {
    /// The last item is on top.
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let stack = Self::custom();
        stack.push_all(values);
        stack
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for Stack<T, R, B> {
    /// As [`Stack::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for &Stack<T, R, B> {
    /// As [`Stack::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}

impl<T, R: Reclaim, B: Backoff> Extend<T> for Handle<'_, T, R, B> {
    /// As [`Handle::push_all`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.push_all(values);
    }
}

impl<T, R: Reclaim, B: Backoff> Drop for Stack<T, R, B> {
    fn drop(&mut self) {
        drop_all(|| self.drop_top());
    }
}
