//! What the workers need of a stack, for those of the library and for a locked vector.

use elimination_stack::{Backoff, Handle, Reclaim, Stack};
use serde::{Serialize, Serializer};
use std::sync::{Mutex, PoisonError};

/// A stack of jobs `J` that workers share.
pub trait WorkStack<J>: Sync {
    type Worker<'a>: Worker<J>
    where
        Self: 'a;

    fn worker(&self) -> Self::Worker<'_>;

    fn is_empty(&self) -> bool;

    /// What the stack has counted, if it counts.
    fn counters(&self) -> Option<Counters>;
}

/// One worker's access to the stack.
pub trait Worker<J> {
    fn push(&mut self, job: J);
    fn pop(&mut self) -> Option<J>;
}

impl<J: Send, R: Reclaim, B: Backoff> WorkStack<J> for Stack<J, R, B> {
    type Worker<'a>
        = Handle<'a, J, R, B>
    where
        Self: 'a;

    fn worker(&self) -> Handle<'_, J, R, B> {
        self.handle()
    }

    fn is_empty(&self) -> bool {
        Stack::is_empty(self)
    }

    fn counters(&self) -> Option<Counters> {
        let stats = self.stats();
        Some(Counters([
            ("pushes", stats.pushes),
            ("pops", stats.pops),
            ("lost_races", stats.lost_races),
            ("eliminated_pushes", stats.eliminated_pushes),
            ("eliminated_pops", stats.eliminated_pops),
            ("withdrawals", stats.withdrawals),
            ("scans", stats.scans),
            ("retired", stats.retired),
            ("retired_peak", stats.retired_peak),
            ("allocator_calls", stats.allocator_calls),
        ]))
    }
}

impl<J, R: Reclaim, B: Backoff> Worker<J> for Handle<'_, J, R, B> {
    fn push(&mut self, job: J) {
        Handle::push(self, job);
    }

    fn pop(&mut self) -> Option<J> {
        Handle::pop(self)
    }
}

impl<J: Send> WorkStack<J> for Mutex<Vec<J>> {
    type Worker<'a>
        = &'a Self
    where
        Self: 'a;

    fn worker(&self) -> &Self {
        self
    }

    fn is_empty(&self) -> bool {
        self.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn counters(&self) -> Option<Counters> {
        None
    }
}

impl<J> Worker<J> for &Mutex<Vec<J>> {
    fn push(&mut self, job: J) {
        self.lock().unwrap_or_else(PoisonError::into_inner).push(job);
    }

    fn pop(&mut self) -> Option<J> {
        self.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// The stack's counters, with their names in [`elimination_stack::Stats`].
pub struct Counters(pub [(&'static str, usize); 10]);

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}
