//! One exchanger: the cell in which a push and a pop meet.
//!
//! # States
//!
//! | state | meaning | who moves it on |
//! |---|---|---|
//! | `EMPTY` | free | a push to `PUSH(node)`, or a pop to `POP` |
//! | `PUSH(node)` | a push offers this node | a pop to `TAKEN`; its push back to `EMPTY` (withdraws) |
//! | `TAKEN` | the node has a new owner | that push, to `EMPTY`: it has succeeded |
//! | `POP` | a pop waits | a push to `GIVEN(node)`; its pop back to `EMPTY` (withdraws) |
//! | `GIVEN(node)` | a push has handed its node over | that pop, to `EMPTY`: it has succeeded |
//!
//! A state is one word: a node's address, or null, with a tag in the two low bits.
//!
//! | word | tag 0 | tag 1 | tag 2 |
//! |---|---|---|---|
//! | null | `EMPTY` | `TAKEN` | `POP` |
//! | node | | `PUSH(node)` | `GIVEN(node)` |
//!
//! # Invariants
//!
//! 1. Whoever moved the cell away from `EMPTY` waits there, and it alone moves the cell back to `EMPTY`. So while
//!    it waits, the partner's move is the only other one, and a withdrawal that fails **is** success.
//! 2. A partner touches the node only after its compare-exchange has succeeded; it need not ask whether the node
//!    was withdrawn, used and offered again in between: what it then wins is the node of an offer that stands.
//!
//! # Orderings
//!
//! Handing a node over is a Release (`PUSH`, `GIVEN`), receiving it an Acquire: the value is visible. Nothing
//! flows the other way, so all else is Relaxed.

use crate::sync::{Acquire, AtomicPtr, Relaxed, Release, initial};
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};

const TAG: usize = 0b11;
const TAKEN_OR_PUSH: usize = 1;
const POP_OR_GIVEN: usize = 2;

/// One cell of an elimination array.
pub struct Exchanger<T>(AtomicPtr<Node<T>>);

initial! { impl[T] Exchanger<T> = Exchanger(AtomicPtr::new(ptr::null_mut())) }

/// How a visit to an exchanger without a partner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// Somebody of the same kind was there, or came in between: more exchangers would help.
    Collided,
    /// Nobody came: fewer exchangers would help.
    Withdrew,
}

/// The same for all nodes of all types.
fn empty<T>() -> *mut Node<T> {
    ptr::null_mut()
}

fn taken<T>() -> *mut Node<T> {
    ptr::without_provenance_mut(TAKEN_OR_PUSH)
}

fn pop<T>() -> *mut Node<T> {
    ptr::without_provenance_mut(POP_OR_GIVEN)
}

fn tagged<T>(node: NodePtr<T>, tag: usize) -> *mut Node<T> {
    node.as_ptr().map_addr(|address| address | tag)
}

/// The node of a `PUSH` or `GIVEN`, according to `tag`.
fn untagged<T>(state: *mut Node<T>, tag: usize) -> Option<NodePtr<T>> {
    if state.addr() & TAG == tag { NonNull::new(state.map_addr(|address| address & !TAG)) } else { None }
}

impl<T> Exchanger<T> {
    /// Gives `node` to a pop that waits here, or offers it while `wait` returns `true`. `Ok` if a pop has it.
    ///
    /// # Safety
    ///
    /// The caller owns the node, which holds a value; after `Ok` not any more.
    pub(crate) unsafe fn push(&self, node: NodePtr<T>, mut wait: impl FnMut() -> bool) -> Result<(), Alone> {
        let state = self.0.load(Relaxed);
        if state == pop() {
            // Release pairs with the Acquire of the pop that waits.
            let given = self.0.compare_exchange(pop(), tagged(node, POP_OR_GIVEN), Release, Relaxed);
            return given.map(drop).map_err(|_| Alone::Collided);
        }
        let offer = tagged(node, TAKEN_OR_PUSH);
        // Release pairs with the Acquire of the pop that takes it.
        if state != empty() || self.0.compare_exchange(empty(), offer, Release, Relaxed).is_err() {
            return Err(Alone::Collided);
        }
        while self.0.load(Relaxed) == offer && wait() {}
        // Invariant 1: the offer stands, or it was taken.
        match self.0.compare_exchange(offer, empty(), Relaxed, Relaxed) {
            Ok(_) => Err(Alone::Withdrew),
            Err(state) => {
                debug_assert_eq!(state, taken());
                self.0.store(empty(), Relaxed);
                Ok(())
            }
        }
    }

    /// Takes the node of a push that waits here, or waits for one while `wait` returns `true`.
    ///
    /// The caller owns the node, which holds a value.
    pub(crate) fn pop(&self, mut wait: impl FnMut() -> bool) -> Result<NodePtr<T>, Alone> {
        let state = self.0.load(Relaxed);
        if let Some(node) = untagged(state, TAKEN_OR_PUSH) {
            // Acquire pairs with the Release of the push that offers it.
            let won = self.0.compare_exchange(state, taken(), Acquire, Relaxed);
            return won.map(|_| node).map_err(|_| Alone::Collided);
        }
        if state != empty() || self.0.compare_exchange(empty(), pop(), Relaxed, Relaxed).is_err() {
            return Err(Alone::Collided);
        }
        while self.0.load(Relaxed) == pop() && wait() {}
        // Invariant 1: we wait still, or were given a node. Acquire pairs with the Release of the push that gave it.
        match self.0.compare_exchange(pop(), empty(), Relaxed, Acquire) {
            Ok(_) => Err(Alone::Withdrew),
            Err(state) => {
                self.0.store(empty(), Relaxed);
                untagged(state, POP_OR_GIVEN).ok_or(Alone::Withdrew)
            }
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    //! Every edge of the table, in all interleavings and with all values that the memory model permits.

    extern crate std;

    use super::*;
    use crate::sync::spin_loop;
    use loom::sync::Arc;
    use loom::thread;
    use std::sync::Mutex;
    use std::vec::Vec;

    /// How a visit ended, and what the visitor has afterwards.
    type End = (Option<Alone>, Option<u32>);

    /// Waits for `patience` steps.
    fn wait(mut patience: usize) -> impl FnMut() -> bool {
        move || {
            spin_loop();
            patience = patience.saturating_sub(1);
            patience > 0
        }
    }

    fn free(node: NodePtr<u32>) -> u32 {
        // SAFETY: the node is ours and has a value.
        unsafe {
            let value = Node::take(node);
            Node::free(node);
            value
        }
    }

    fn push(cell: &Exchanger<u32>, value: u32, patience: usize) -> End {
        let node = Node::allocate().unwrap();
        // SAFETY: the node is ours.
        let result = unsafe {
            Node::put(node, value);
            cell.push(node, wait(patience))
        };
        (result.err(), result.is_err().then(|| free(node)))
    }

    fn pop(cell: &Exchanger<u32>, patience: usize) -> End {
        let result = cell.pop(wait(patience));
        (result.err(), result.ok().map(free))
    }

    /// Runs pushes of 1, 2, ... against pops. Each value comes out once, at a pop or back at its push; who has
    /// left the cell leaves it empty; and each end was seen in some execution.
    fn meet(pushes: u32, pops: usize, patience: usize) {
        let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(4));
        let ends = seen.clone();
        builder.check(move || {
            let cell = Arc::new(initial!(Exchanger<u32>));
            let spawn = |visit: fn(&Exchanger<u32>, u32, usize) -> End, value| {
                let cell = cell.clone();
                thread::spawn(move || visit(&cell, value, patience))
            };
            let pushes_run = (1..=pushes).map(|value| spawn(push, value));
            let pops_run = (0..pops).map(|_| spawn(|cell, _, patience| pop(cell, patience), 0));
            let threads: Vec<_> = pushes_run.chain(pops_run).collect();
            let mut all = Vec::new();
            for thread in threads {
                let (end, value) = thread.join().unwrap();
                all.extend(value);
                let mut ends = ends.lock().unwrap();
                if !ends.contains(&end) {
                    ends.push(end);
                }
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(1..=pushes));
            assert!(cell.0.load(Relaxed).is_null());
        });
        let seen = seen.lock().unwrap();
        assert!(seen.contains(&None) && seen.contains(&Some(Alone::Collided)) && seen.contains(&Some(Alone::Withdrew)));
    }

    #[test]
    fn one_push_meets_one_pop() {
        meet(1, 1, 2);
    }

    #[test]
    fn two_pushes_meet_one_pop() {
        meet(2, 1, 1);
    }

    #[test]
    fn one_push_meets_two_pops() {
        meet(1, 2, 1);
    }
}
