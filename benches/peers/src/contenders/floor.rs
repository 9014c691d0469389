//! The floor: what the list itself costs. One word holds the head's index and a tag against ABA; nodes come out of a
//! fixed pool, and each thread uses those again that it has popped. Nothing is reclaimed, nobody waits, and a program
//! with more values than nodes panics.

use crate::contender::{Access, Contender, Value};
use crossbeam_utils::CachePadded;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};

const NODES: u32 = 1 << 21;
/// Nodes that a thread takes at once.
const BLOCK: u32 = 64;
/// No node.
const NONE: u32 = 0;

struct Node<T> {
    next: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

pub struct Floor<T> {
    /// The tag in the upper half, the index in the lower one.
    head: CachePadded<AtomicU64>,
    used: CachePadded<AtomicU32>,
    nodes: Box<[Node<T>]>,
}

// SAFETY: a node's value is touched by the thread that owns the node: before it links it, or after it unlinked it.
unsafe impl<T: Send> Sync for Floor<T> {}

pub struct FloorAccess<'a, T> {
    stack: &'a Floor<T>,
    /// The first of this thread's nodes.
    spare: u32,
    fresh: std::ops::Range<u32>,
}

impl<T: Value> Contender<T> for Floor<T> {
    type Access<'a> = FloorAccess<'a, T>;

    fn new() -> Self {
        // SAFETY: zero is a valid index, and the values are uninitialised.
        let nodes = unsafe { Box::new_zeroed_slice(NODES as usize).assume_init() };
        Self { head: CachePadded::default(), used: CachePadded::new(AtomicU32::new(NONE + 1)), nodes }
    }

    fn access(&self) -> Self::Access<'_> {
        FloorAccess { stack: self, spare: NONE, fresh: 0..0 }
    }
}

impl<T> FloorAccess<'_, T> {
    fn node(&self, index: u32) -> &Node<T> {
        &self.stack.nodes[index as usize]
    }

    #[inline]
    fn take_node(&mut self) -> u32 {
        if self.spare != NONE {
            let index = self.spare;
            self.spare = self.node(index).next.load(Relaxed);
            return index;
        }
        self.fresh.next().unwrap_or_else(|| self.take_fresh())
    }

    #[cold]
    fn take_fresh(&mut self) -> u32 {
        let first = self.stack.used.fetch_add(BLOCK, Relaxed);
        self.fresh = first + 1..first + BLOCK;
        first
    }
}

/// The head after a change.
fn next_head(head: u64, index: u32) -> u64 {
    ((head >> 32) + 1) << 32 | u64::from(index)
}

fn index(head: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let index = head as u32;
    index
}

impl<T: Value> Access<T> for FloorAccess<'_, T> {
    #[inline]
    fn push(&mut self, value: T) {
        let index = self.take_node();
        let node = self.node(index);
        // SAFETY: the node is ours.
        unsafe { (*node.value.get()).write(value) };
        let mut head = self.stack.head.load(Relaxed);
        loop {
            node.next.store(self::index(head), Relaxed);
            match self.stack.head.compare_exchange_weak(head, next_head(head, index), AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        let mut head = self.stack.head.load(Acquire);
        loop {
            let top = index(head);
            if top == NONE {
                return None;
            }
            let next = self.node(top).next.load(Relaxed);
            match self.stack.head.compare_exchange_weak(head, next_head(head, next), AcqRel, Acquire) {
                Ok(_) => {
                    // SAFETY: the node is ours now, and was written before it was linked.
                    let value = unsafe { (*self.node(top).value.get()).assume_init_read() };
                    self.node(top).next.store(self.spare, Relaxed);
                    self.spare = top;
                    return Some(value);
                }
                Err(now) => head = now,
            }
        }
    }
}
