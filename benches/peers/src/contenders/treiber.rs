//! The textbook Treiber stack on the crates that reclaim memory, each used as its own documentation and benchmarks do.

use crate::contender::{Access, Contender, Value};
use crossbeam_epoch::{Atomic, Owned, Shared};
use haphazard::{Domain, HazardPointer};
use seize::{Collector, Guard, reclaim};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The value is moved out by the pop; what is freed later is the rest.
struct Node<T> {
    value: ManuallyDrop<T>,
    next: *mut Node<T>,
}

// SAFETY: a node is a value and a pointer that is followed under the protection of its stack alone.
unsafe impl<T: Send> Send for Node<T> {}
// SAFETY: as above; a shared node gives access to `next` alone.
unsafe impl<T: Send> Sync for Node<T> {}

impl<T> Node<T> {
    fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), next: ptr::null_mut() }
    }
}

/// On crossbeam-epoch, pinned for each operation.
pub struct Epoch<T>(Atomic<Node<T>>);

impl<T: Value> Contender<T> for Epoch<T> {
    type Access<'a> = &'a Self;

    fn new() -> Self {
        Self(Atomic::null())
    }

    fn access(&self) -> &Self {
        self
    }
}

impl<T: Value> Access<T> for &Epoch<T> {
    #[inline]
    fn push(&mut self, value: T) {
        let guard = crossbeam_epoch::pin();
        let mut node = Owned::new(Node::new(value));
        loop {
            let head = self.0.load(Relaxed, &guard);
            node.next = head.as_raw().cast_mut();
            match self.0.compare_exchange(head, node, Release, Relaxed, &guard) {
                Ok(_) => return,
                Err(error) => node = error.new,
            }
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        let guard = crossbeam_epoch::pin();
        loop {
            let head = self.0.load(Acquire, &guard);
            // SAFETY: pinned since before it was read.
            let next = Shared::from(unsafe { head.as_ref() }?.next.cast_const());
            if self.0.compare_exchange(head, next, Relaxed, Relaxed, &guard).is_ok() {
                // SAFETY: unlinked by us, so the value is ours, and the node is freed once.
                unsafe {
                    let value = ptr::read(&raw const *head.deref().value);
                    guard.defer_destroy(head);
                    return Some(value);
                }
            }
        }
    }
}

/// On haphazard's global domain; each thread keeps its hazard pointer.
pub struct Hazards<T>(AtomicPtr<Node<T>>);

pub struct HazardsAccess<'a, T> {
    stack: &'a Hazards<T>,
    hazard: HazardPointer<'static>,
}

impl<T: Value> Contender<T> for Hazards<T> {
    type Access<'a> = HazardsAccess<'a, T>;

    fn new() -> Self {
        Self(AtomicPtr::default())
    }

    fn access(&self) -> Self::Access<'_> {
        HazardsAccess { stack: self, hazard: HazardPointer::new() }
    }
}

impl<T: Value> Access<T> for HazardsAccess<'_, T> {
    #[inline]
    fn push(&mut self, value: T) {
        let node = Box::into_raw(Box::new(Node::new(value)));
        push(&self.stack.0, node);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        loop {
            let (head, _) = self.hazard.protect_ptr(&self.stack.0)?;
            // SAFETY: protected, and still the head after that.
            let next = unsafe { head.as_ref().next };
            if self.stack.0.compare_exchange(head.as_ptr(), next, Relaxed, Relaxed).is_ok() {
                self.hazard.reset_protection();
                // SAFETY: unlinked by us, so the value is ours, and the node is freed once.
                unsafe {
                    let value = ptr::read(&raw const *head.as_ref().value);
                    Domain::global().retire_ptr::<_, Box<Node<T>>>(head.as_ptr());
                    return Some(value);
                }
            }
        }
    }
}

/// On seize, entered for each operation, with the batch size of its own benchmark.
pub struct Seize<T> {
    head: AtomicPtr<Node<T>>,
    collector: Collector,
}

impl<T: Value> Contender<T> for Seize<T> {
    type Access<'a> = &'a Self;

    fn new() -> Self {
        Self { head: AtomicPtr::default(), collector: Collector::new().batch_size(32) }
    }

    fn access(&self) -> &Self {
        self
    }
}

impl<T: Value> Access<T> for &Seize<T> {
    #[inline]
    fn push(&mut self, value: T) {
        push(&self.head, Box::into_raw(Box::new(Node::new(value))));
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        let guard = self.collector.enter();
        loop {
            let head = NonNull::new(guard.protect(&self.head, Acquire))?;
            // SAFETY: entered since before it was read.
            let next = unsafe { head.as_ref().next };
            if self.head.compare_exchange(head.as_ptr(), next, Relaxed, Relaxed).is_ok() {
                // SAFETY: unlinked by us, so the value is ours, and the node is freed once.
                unsafe {
                    let value = ptr::read(&raw const *head.as_ref().value);
                    guard.defer_retire(head.as_ptr(), reclaim::boxed);
                    return Some(value);
                }
            }
        }
    }
}

/// A push reads no node but its own, so it needs no protection.
#[inline]
fn push<T>(head: &AtomicPtr<Node<T>>, node: *mut Node<T>) {
    let mut top = head.load(Relaxed);
    loop {
        // SAFETY: the node is ours until it is linked.
        unsafe { (*node).next = top };
        match head.compare_exchange_weak(top, node, Release, Relaxed) {
            Ok(_) => return,
            Err(now) => top = now,
        }
    }
}
