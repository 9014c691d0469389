//! The library's own stacks: through `Stack`, and through a kept `Handle`.

use crate::contender::{Access, Contender};
use elimination_stack::{Backoff, Handle, Reclaim, Stack};

/// Makes as many slots as there are threads, for these may all be inside at once, and fills them and the depot.
#[cfg(feature = "count")]
fn prepare<T, R: Reclaim, B: Backoff>(stack: &Stack<T, R, B>, threads: usize) {
    drop((0..threads).map(|_| stack.handle()).collect::<Vec<_>>());
    // Besides what a slot holds, each may let two nodes wait for each slot beyond those in place.
    let nodes = Stack::<T, R, B>::IDLE_NODES + threads * (Stack::<T, R, B>::SLOT_NODES + 2 * (8 + threads));
    stack.reserve(nodes).expect("there is memory");
}

/// Through `Stack`.
pub struct Direct<T, R: Reclaim, B: Backoff>(Stack<T, R, B>);

impl<T: Send, R: Reclaim + 'static, B: Backoff + 'static> Contender<T> for Direct<T, R, B> {
    type Access<'a>
        = &'a Stack<T, R, B>
    where
        Self: 'a;

    fn new() -> Self {
        Self(Stack::custom())
    }

    fn access(&self) -> Self::Access<'_> {
        &self.0
    }

    #[cfg(feature = "count")]
    fn prepare(&self, threads: usize) {
        prepare(&self.0, threads);
    }

    #[cfg(feature = "count")]
    fn stats(&self) -> Option<elimination_stack::Stats> {
        Some(self.0.stats())
    }
}

impl<T, R: Reclaim, B: Backoff> Access<T> for &Stack<T, R, B> {
    #[inline]
    fn push(&mut self, value: T) {
        Stack::push(self, value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        Stack::pop(self)
    }

    fn push_all(&mut self, values: impl Iterator<Item = T>) {
        Stack::push_all(self, values);
    }

    fn take_all(&mut self, each: impl FnMut(T)) {
        Stack::take_all(self).for_each(each);
    }
}

/// Through a handle that each thread keeps.
pub struct Kept<T, R: Reclaim, B: Backoff>(Stack<T, R, B>);

pub struct KeptAccess<'a, T, R: Reclaim, B: Backoff> {
    stack: &'a Stack<T, R, B>,
    handle: Handle<'a, T, R, B>,
}

impl<T: Send, R: Reclaim + 'static, B: Backoff + 'static> Contender<T> for Kept<T, R, B> {
    type Access<'a>
        = KeptAccess<'a, T, R, B>
    where
        Self: 'a;

    fn new() -> Self {
        Self(Stack::custom())
    }

    fn access(&self) -> Self::Access<'_> {
        KeptAccess { stack: &self.0, handle: self.0.handle() }
    }

    #[cfg(feature = "count")]
    fn prepare(&self, threads: usize) {
        prepare(&self.0, threads);
    }

    #[cfg(feature = "count")]
    fn stats(&self) -> Option<elimination_stack::Stats> {
        Some(self.0.stats())
    }
}

impl<T, R: Reclaim, B: Backoff> Access<T> for KeptAccess<'_, T, R, B> {
    #[inline]
    fn push(&mut self, value: T) {
        self.handle.push(value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.handle.pop()
    }

    fn push_all(&mut self, values: impl Iterator<Item = T>) {
        self.handle.push_all(values);
    }

    fn take_all(&mut self, each: impl FnMut(T)) {
        self.stack.take_all().for_each(each);
    }
}
