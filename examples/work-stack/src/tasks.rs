//! A task, woken by an [`AtomicWaker`]. It wakes one task only; of several, each needs one of its own, or all an `Event`, whose
//! listeners can be awaited, too.

use crate::{Bell, WorkStack};
use core::future::poll_fn;

#[cfg(not(loom))]
use atomic_waker::AtomicWaker;
#[cfg(loom)]
use loom::future::AtomicWaker;

impl Bell for AtomicWaker {
    fn ring(&self) {
        self.wake();
    }

    fn ring_all(&self) {
        self.wake();
    }
}

impl<T> WorkStack<T, AtomicWaker> {
    /// A job, as soon as there is one; or none, if the stack is closed and empty. To be awaited by one task at a time.
    pub async fn pop_async(&self) -> Option<T> {
        // Counted until the end, for whoever pushes between two polls has to ring, too.
        let mut waiting = None;
        poll_fn(|context| {
            let first = self.look();
            if first.is_ready() {
                return first;
            }
            #[cfg(not(loom))]
            self.bell.register(context.waker());
            #[cfg(loom)]
            self.bell.register_by_ref(context.waker());
            waiting.get_or_insert_with(|| self.wait());
            self.look()
        })
        .await
    }
}
