//! One exchanger: the cell in which a push and a pop meet.
//!
//! # States
//!
//! | state | word | meaning | who moves it on |
//! |---|---|---|---|
//! | `EMPTY` | null | free | a push to `PUSH(node)`, or a pop to `POP` |
//! | `PUSH(node)` | node, tag 1 | a push offers this node | a pop to `TAKEN`; its push back to `EMPTY` (withdraws) |
//! | `POP` | null, tag 2 | a pop waits | a push to `GIVEN(node)`; its pop back to `EMPTY` (withdraws) |
//! | `TAKEN` | null, tag 3 | the node has a new owner | that push, to `EMPTY`: it has succeeded |
//! | `GIVEN(node)` | node, tag 3 | a push has handed its node over | that pop, to `EMPTY`: it has succeeded |
//!
//! So both sides do the same: answer the other kind's offer with tag 3, or make an offer and wait for the answer.
//!
//! # Rules
//!
//! * **EXCHANGE-1**: Whoever has moved the cell away from `EMPTY` waits there, and it alone moves the cell back to `EMPTY`. While
//!   it waits, the answer is the only other change, so a withdrawal that fails is success.
//!   Checked by `one_push_meets_one_pop`, `one_push_meets_two_pops` in `src/backoff/exchanger.rs`.
//! * **EXCHANGE-2**: A partner touches the node only after its compare-exchange has succeeded. It need not ask whether the node
//!   was withdrawn, used and offered again in between, since what it wins then is the node of an offer that stands.
//!   Checked by `two_pushes_meet_one_pop`, `one_push_meets_two_pops` in `src/backoff/exchanger.rs`.
//! * **EXCHANGE-3**: A node goes with an offer or with an answer: both are Release, and both are read with Acquire before the
//!   node is touched. All else is Relaxed.
//!   Checked by `one_push_meets_one_pop` in `src/backoff/exchanger.rs`, `exchanger-offer` in
//!   `tests/litmus/riscv/exchanger-offer.litmus`, `exchanger-answer` in `tests/litmus/riscv/exchanger-answer.litmus`.

use crate::sync::{AcqRel, Acquire, AtomicPtr, Relaxed, Release, initial, relax};
use crate::treiber::{Node, NodePtr};
use core::ptr::{self, NonNull};
use spin::RelaxStrategy;

const TAG: usize = 0b11;
/// The tag of a push's offer, of a pop's, and of the answer to either.
const PUSH: usize = 1;
const POP: usize = 2;
const ANSWER: usize = 3;

/// One cell of an elimination array.
pub struct Exchanger<T>(AtomicPtr<Node<T>>);

initial! { impl[T] Exchanger<T> { 0 } }

/// How a visit to an exchanger without a partner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// An operation of the same kind was there, or another one came in between.
    Collided,
    /// Nobody came.
    Withdrew,
}

/// What one kind of operation brings to an exchanger.
pub struct Visit<T> {
    /// The node, of a push; null, of a pop.
    node: *mut Node<T>,
    /// Of its offer.
    tag: usize,
}

impl<T> Visit<T> {
    /// A push's visit. If it is answered, the node belongs to a pop.
    ///
    /// # Safety
    ///
    /// The caller owns the node, which holds a value.
    pub(crate) unsafe fn push(node: NodePtr<T>) -> Self {
        Self { node: node.as_ptr(), tag: PUSH }
    }

    /// A pop's visit. If it is answered, it has won a node with a value.
    pub(crate) fn pop() -> Self {
        Self { node: ptr::null_mut(), tag: POP }
    }

    fn word(&self, tag: usize) -> *mut Node<T> {
        self.node.map_addr(|address| address | tag)
    }
}

impl<T> Exchanger<T> {
    /// Waits here for a partner, for `patience` steps, of which those that it does not take stay; or answers one that waits.
    /// Returns the partner's node: `Ok(Some)` for a pop, `Ok(None)` for a push.
    pub(crate) fn visit<Relax: RelaxStrategy>(
        &self,
        visit: &Visit<T>,
        patience: &mut u16,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        // Without a look first, which would be one more transfer of the cache line. Release: a push's node goes with the offer.
        let (empty, offer) = (ptr::null_mut(), visit.word(visit.tag));
        let Err(other) = self.0.compare_exchange(empty, offer, Release, Relaxed) else {
            return self.wait::<Relax>(offer, patience);
        };
        if other.addr() & TAG != PUSH + POP - visit.tag {
            return Err(Alone::Collided);
        }
        // AcqRel: a push's node goes with the answer; a pop takes the node of the offer.
        let answered = self.0.compare_exchange(other, visit.word(ANSWER), AcqRel, Relaxed);
        answered.map(untagged).map_err(|_| Alone::Collided)
    }

    /// Waits for an answer to the offer that stands.
    fn wait<Relax: RelaxStrategy>(&self, offer: *mut Node<T>, patience: &mut u16) -> Result<Option<NodePtr<T>>, Alone> {
        let empty = ptr::null_mut();
        // CHEAPER: a look at the word only ends the wait early, since what follows finds the answer in any case.
        while *patience > 0 && self.0.load(Relaxed) == offer {
            relax::<Relax>();
            *patience -= 1;
        }
        // EXCHANGE-1: the offer stands, or was answered. Acquire: a pop takes the node of the answer.
        match self.0.compare_exchange(offer, empty, Relaxed, Acquire) {
            Ok(_) => Err(Alone::Withdrew),
            Err(answer) => {
                debug_assert_eq!(answer.addr() & TAG, ANSWER);
                self.0.store(empty, Relaxed);
                Ok(untagged(answer))
            }
        }
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
impl<T> Exchanger<T> {
    /// Has one more visitor of this kind wait here for ever.
    pub(super) fn hold(&self, visit: Option<&Visit<T>>) {
        self.0.store(visit.map_or(ptr::null_mut(), |visit| visit.word(visit.tag)), Relaxed);
    }
}

fn untagged<T>(word: *mut Node<T>) -> Option<NodePtr<T>> {
    NonNull::new(word.map_addr(|address| address & !TAG))
}

#[cfg(all(test, elimination_stack_loom))]
mod tests {
    //! Every edge of the table, in all interleavings and with all values that the memory model permits.

    extern crate std;

    use super::*;
    use loom::sync::Arc;
    use loom::thread;
    use spin::Spin;
    use std::sync::Mutex;
    use std::vec::Vec;

    /// How a visit ended, and what the visitor has afterwards.
    type End = (Option<Alone>, Option<u32>);

    fn free(node: NodePtr<u32>) -> u32 {
        // SAFETY: the node is ours and has a value.
        unsafe {
            let value = Node::take(node);
            Node::free(node);
            value
        }
    }

    fn push(cell: &Exchanger<u32>, value: u32, patience: u16) -> End {
        let node = Node::allocate().unwrap();
        // SAFETY: the node is ours, and has a value then.
        let visit = unsafe {
            Node::put(node, value);
            Visit::push(node)
        };
        let result = cell.visit::<Spin>(&visit, &mut { patience });
        (result.err(), result.is_err().then(|| free(node)))
    }

    fn pop(cell: &Exchanger<u32>, _: u32, patience: u16) -> End {
        let result = cell.visit::<Spin>(&Visit::pop(), &mut { patience });
        (result.err(), result.ok().flatten().map(free))
    }

    /// Who finds an offer of the other kind answers it, with what it brings.
    #[test]
    fn offers_are_answered() {
        loom::model(|| {
            let node = Node::allocate().unwrap();
            // SAFETY: the node is ours.
            let push = unsafe {
                Node::put(node, 1);
                Visit::push(node)
            };
            let waits = Exchanger(AtomicPtr::new(push.word(PUSH)));
            assert_eq!(waits.visit::<Spin>(&Visit::pop(), &mut 1), Ok(Some(node)));
            assert_eq!(waits.0.load(Relaxed).addr(), ANSWER);
            let waits = Exchanger(AtomicPtr::new(Visit::<u32>::pop().word(POP)));
            assert_eq!(waits.visit::<Spin>(&push, &mut 1), Ok(None));
            assert_eq!(waits.0.load(Relaxed), push.word(ANSWER));
            assert_eq!(free(node), 1);
        });
    }

    /// Runs pushes of 1, 2, ... against pops. Each value comes out once, at a pop or back at its push; who has
    /// left the cell leaves it empty; and each end was seen in some execution.
    fn meet(pushes: u32, pops: usize, patience: u16) {
        let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(4));
        let ends = seen.clone();
        builder.check(move || {
            let cell = Arc::new(initial!(Exchanger<u32>));
            let spawn = |visit: fn(&Exchanger<u32>, u32, u16) -> End, value| {
                let cell = cell.clone();
                thread::spawn(move || visit(&cell, value, patience))
            };
            let pushes_run = (1..=pushes).map(|value| spawn(push, value));
            let pops_run = (0..pops).map(|_| spawn(pop, 0));
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
