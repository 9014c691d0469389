//! A work stack whose workers sleep while it is empty: threads, tasks or cores, by one protocol.
//!
//! | workers | bell | how they sleep |
//! |---|---|---|
//! | threads | [`event_listener::Event`] | [`WorkStack::pop`] |
//! | one task | [`atomic_waker::AtomicWaker`] | [`WorkStack::pop_async`] |
//! | cores of an Arm processor | `Events`: `SEV` | [`WorkStack::pop`], with `WFE` |
//! | other cores | a [`Listen`] of your own, as in `tests/firmware/riscv/src/calls.rs` | [`WorkStack::pop`], with `WFI` |
//!
//! # Why no wake-up is lost
//!
//! | who waits | who pushes, or closes |
//! |---|---|
//! | counts itself as waiting | pushes |
//! | full fence | full fence |
//! | looks at the stack once more, sleeps if it is empty | looks whether anybody waits, rings if so |
//!
//! With the fences at least one of the two sees what the other one did before its fence. Without either both may miss it: the
//! worker then sleeps beside a job. The second look is needed as well, for a job may come after the first one.
//!
//! While nobody waits, a push costs a fence and a load more than that of the stack, and is as lock-free. To ring may be more:
//! an `Event` takes a lock.

#![no_std]

#[cfg(all(target_os = "none", any(target_arch = "aarch64", target_arch = "arm")))]
mod cores;
mod tasks;
#[cfg(not(target_os = "none"))]
mod threads;

#[cfg(all(target_os = "none", any(target_arch = "aarch64", target_arch = "arm")))]
pub use cores::Events;

use core::task::Poll;
use sync::{AtomicBool, AtomicUsize, Jobs, Ordering, const_fn, fence};

/// Wakes workers.
pub trait Bell {
    /// Wakes at least one worker, if any sleeps: one more at each call.
    fn ring(&self);

    /// Wakes all.
    fn ring_all(&self);
}

/// A bell that blocks who listens.
pub trait Listen: Bell {
    /// What a worker waits with.
    type Listener<'a>
    where
        Self: 'a;

    /// From now on a ring ends the next [`wait`](Self::wait), also if it comes before.
    fn listen(&self) -> Self::Listener<'_>;

    /// Waits for a ring. It may also return without one.
    fn wait(&self, listener: Self::Listener<'_>);
}

/// A stack of jobs, and workers that sleep while it is empty.
pub struct WorkStack<T, B> {
    jobs: Jobs<T>,
    /// How many workers sleep, or are about to.
    waiting: AtomicUsize,
    closed: AtomicBool,
    bell: B,
}

impl<T, B> WorkStack<T, B> {
    const_fn! {
        /// An empty one.
        pub const fn new(bell: B) -> Self {
            Self { jobs: Jobs::custom(), waiting: AtomicUsize::new(0), closed: AtomicBool::new(false), bell }
        }
    }

    /// A job; none if the stack is closed and empty; or nothing yet.
    fn look(&self) -> Poll<Option<T>> {
        // First, so that what was pushed before it was closed is found. Acquire: see `close`.
        let closed = self.closed.load(Ordering::Acquire);
        match self.jobs.pop() {
            None if !closed => Poll::Pending,
            job => Poll::Ready(job),
        }
    }

    /// To be called between the first look and the second.
    fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Waiting(&self.waiting)
    }

    /// Whether to ring after a change.
    fn anybody_waits(&self) -> bool {
        fence(Ordering::SeqCst);
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl<T, B: Bell> WorkStack<T, B> {
    /// Adds a job, and wakes a worker for it if one sleeps.
    pub fn push(&self, job: T) {
        self.jobs.push(job);
        if self.anybody_waits() {
            self.bell.ring();
        }
    }

    /// Ends the wait of all workers, those to come too: they take what is left, then get nothing.
    ///
    /// What somebody else pushes meanwhile or later, and does not pop, may stay. A worker that pops until it gets nothing
    /// leaves none of the jobs that it has pushed.
    pub fn close(&self) {
        // Release: who sees this finds what was pushed before.
        self.closed.store(true, Ordering::Release);
        if self.anybody_waits() {
            self.bell.ring_all();
        }
    }
}

impl<T, B: Listen> WorkStack<T, B> {
    /// A job, as soon as there is one; or none, if the stack is closed and empty.
    pub fn pop(&self) -> Option<T> {
        loop {
            if let Poll::Ready(result) = self.look() {
                return result;
            }
            let _waiting = self.wait();
            let listener = self.bell.listen();
            if let Poll::Ready(result) = self.look() {
                return result;
            }
            self.bell.wait(listener);
        }
    }
}

/// One who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The atomics; or those of the model checker, for `models/`.
mod sync {
    #[cfg(not(loom))]
    pub use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    #[cfg(loom)]
    pub use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

    #[cfg(not(loom))]
    pub type Jobs<T> = elimination_stack::Stack<T>;
    /// As little as possible beside what is checked here.
    #[cfg(loom)]
    pub type Jobs<T> = elimination_stack::Stack<T, elimination_stack::Slots<3>, elimination_stack::NoBackoff>;

    /// A function that is `const`, but under the model checker, whose atomics are made anew in each execution.
    macro_rules! const_fn {
        ($(#[$attribute:meta])* pub const fn $($rest:tt)*) => {
            #[cfg(not(loom))]
            $(#[$attribute])*
            pub const fn $($rest)*

            #[cfg(loom)]
            $(#[$attribute])*
            pub fn $($rest)*
        };
    }
    pub(crate) use const_fn;
}
