//! Stacks that other crates offer ready to use.

use crate::contender::{Access, Contender, Value};

/// `sdd::Stack`.
pub struct Sdd<T: 'static>(sdd::Stack<T>);

impl<T: Value + Copy> Contender<T> for Sdd<T> {
    type Access<'a> = &'a Self;

    fn new() -> Self {
        Self(sdd::Stack::default())
    }

    fn access(&self) -> &Self {
        self
    }
}

/// A value stays in its entry, which others may still read; so it is copied.
impl<T: Value + Copy> Access<T> for &Sdd<T> {
    #[inline]
    fn push(&mut self, value: T) {
        self.0.push(value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop().map(|entry| **entry)
    }

    fn take_all(&mut self, mut each: impl FnMut(T)) {
        let all = self.0.pop_all();
        while let Some(entry) = all.pop() {
            each(**entry);
        }
    }
}

/// `lockfree::stack::Stack`.
pub struct Lockfree<T>(lockfree::stack::Stack<T>);

impl<T: Value> Contender<T> for Lockfree<T> {
    type Access<'a> = &'a Self;

    fn new() -> Self {
        Self(lockfree::stack::Stack::new())
    }

    fn access(&self) -> &Self {
        self
    }
}

impl<T: Value> Access<T> for &Lockfree<T> {
    #[inline]
    fn push(&mut self, value: T) {
        self.0.push(value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}
