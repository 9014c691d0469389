//! The values of a program: each is dropped once, and one may panic then.

use crate::expected::{catch, panic_expected};
use std::cell::{Cell, RefCell};
use std::mem;
use std::thread;

/// What became of the values.
#[derive(Debug, Default)]
pub struct Values {
    /// Whether the value with this number was dropped.
    dropped: RefCell<Vec<bool>>,
    alive: Cell<usize>,
    /// The one that panics when it is dropped; a second such panic while the first unwinds would end the process.
    fragile: Cell<Option<usize>>,
    next_is_fragile: Cell<bool>,
}

impl Values {
    pub fn make(&self) -> Value<'_> {
        let value = self.make_sturdy();
        if self.next_is_fragile.take() {
            self.fragile.set(Some(value.id));
        }
        value
    }

    /// Makes a value that does not panic.
    pub fn make_sturdy(&self) -> Value<'_> {
        let id = self.dropped.borrow().len();
        self.dropped.borrow_mut().push(false);
        self.alive.set(self.alive.get() + 1);
        Value { id, values: self, body: [id; WORDS] }
    }

    /// Makes the next value one that panics when it is dropped, if there is none.
    pub fn make_next_fragile(&self) {
        self.next_is_fragile.set(self.fragile.get().is_none());
    }

    /// How many were made and not dropped.
    pub fn alive(&self) -> usize {
        self.alive.get()
    }

    /// Runs `action`, which drops the values with these numbers, all of them also if one panics.
    pub fn dropping(&self, ids: &[usize], action: impl FnOnce()) {
        let alive = self.alive();
        let panics = self.fragile.get().is_some_and(|fragile| ids.contains(&fragile));
        let result = catch(action);
        assert_eq!(result.is_err(), panics, "a panic in `Drop` got lost, or came from nowhere");
        assert_eq!(alive - self.alive(), ids.len(), "values were dropped too early or too late");
    }
}

/// Makes a node of a size that nothing else has.
const WORDS: usize = 5;

/// A value that tells its values of its end, and notices when a part of it is not its own.
#[derive(Debug)]
pub struct Value<'v> {
    pub id: usize,
    values: &'v Values,
    body: [usize; WORDS],
}

impl Value<'_> {
    /// Drops the value, also if it panics.
    pub fn discard(self) {
        self.values.dropping(&[self.id], || drop(self));
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        assert!(self.body.iter().all(|&word| word == self.id), "torn, or not a value");
        let dropped_before = mem::replace(&mut self.values.dropped.borrow_mut()[self.id], true);
        assert!(!dropped_before, "value {} was dropped twice", self.id);
        self.values.alive.set(self.values.alive.get() - 1);
        if self.values.fragile.get() == Some(self.id) {
            self.values.fragile.set(None);
            // While an assertion unwinds it would end the process.
            if !thread::panicking() {
                panic_expected();
            }
        }
    }
}
