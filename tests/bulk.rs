//! `push_all` and `take_all` keep nodes of their own while the user's code runs: how many, and that they come back,
//! whatever that code does.

#[macro_use]
mod common;
#[path = "common/ledger.rs"]
mod ledger;

use common::*;
use ledger::*;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

for_each_stack! {
    order_whatever_is_announced, bound_while_half_taken, nothing_is_pushed_before_the_iterator_is_gone,
}

for_each_slots_stack! {
    bound_while_pushing, steady_with_a_reservation, steady_while_half_taken, nodes_of_a_panic_come_back,
    one_allocation_fails,
}

/// An iterator that announces what it is told to.
struct Announcing<I>(I, fn(usize) -> usize);

impl<I: ExactSizeIterator> Iterator for Announcing<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.1(self.0.len()), None)
    }
}

/// Nothing, too little, exactly, too much.
const ANNOUNCEMENTS: [fn(usize) -> usize; 5] = [|_| 0, |len| len / 2, |len| len, |len| len + 3, |_| usize::MAX];

fn order_whatever_is_announced<R: Engine, B: Backoff>() {
    for announced in ANNOUNCEMENTS {
        for count in [0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 100] {
            let ledger = ledger();
            let stack = Stack::<Block, R, B>::custom();
            let values = || Announcing((0..count).map(block), announced);
            ledger.during(|| {
                stack.push_all(values());
                assert!(stack.take_all().map(|value| value.0).eq((0..count).rev()));
                stack.push_all(values());
                stack.handle().push_all(values());
                let twice = (0..count).rev().chain((0..count).rev());
                assert!(stack.take_all().map(|value| value.0).eq(twice));
            });
            ledger.assert_bound::<R, B>(0);
            ledger.nothing_after(stack);
        }
    }
}

/// While the iterator runs there are nodes for the values that it has given, and for those of a batch that it has
/// announced.
fn bound_while_pushing<R: Engine, B: Backoff>() {
    let batch = R::TAKE_BATCH;
    for (announced, honest) in ANNOUNCEMENTS.into_iter().zip([true, true, true, false, false]) {
        for count in [1, batch, 3 * batch + 1] {
            let ledger = ledger();
            let stack = Stack::<Block, R, B>::custom();
            let check = |id: usize| {
                let most = id + batch - 1;
                ledger.assert_bound::<R, B>(if honest { most.min(count) } else { most });
                block(id)
            };
            ledger.during(|| {
                stack.push_all((0..4 * batch).map(block));
                stack.take_all().for_each(drop);
                stack.push_all(Announcing((0..count).map(check), announced));
            });
            ledger.assert_bound::<R, B>(count);
            ledger.nothing_after(stack);
        }
    }
}

/// An iterator that rests, or was leaked, holds the nodes of its values and fewer than a batch of emptied ones.
fn bound_while_half_taken<R: Engine, B: Backoff>() {
    let batch = R::TAKE_BATCH;
    for taken in [0, 1, batch - 1, batch, batch + 1, 3 * batch, 4 * batch - 1, 4 * batch] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        let count = 4 * batch;
        let mut all = ledger.during(|| {
            stack.push_all((0..count).map(block));
            ManuallyDrop::new(stack.take_all())
        });
        ledger.during(|| assert!(all.by_ref().take(taken).map(|value| value.0).eq((count - taken..count).rev())));
        let held = count - taken + taken.min(batch - 1);
        ledger.assert_bound::<R, B>(held);
        for round in 0..scaled(20) {
            ledger.during(|| {
                (0..=round).for_each(|id| stack.push(block(id)));
                ledger.assert_bound::<R, B>(held + round + 1);
                (0..=round).rev().for_each(|id| assert_eq!(stack.pop(), Some(block(id))));
            });
            ledger.assert_bound::<R, B>(held);
        }
        ledger.during(|| drop(ManuallyDrop::into_inner(all)));
        ledger.assert_bound::<R, B>(0);
        ledger.nothing_after(stack);
    }
}

/// What was reserved does, if the values of a `push_all` count from its beginning on.
fn steady_with_a_reservation<R: Engine, B: Backoff>() {
    for count in [1, R::TAKE_BATCH - 1, 100] {
        for announced in &ANNOUNCEMENTS[..3] {
            let ledger = ledger();
            let stack = Stack::<Block, R, B>::custom();
            ledger.during(|| stack.reserve(count + idle::<R, B>()).unwrap());
            ledger.no_calls("push_all and take_all", || {
                for _ in 0..scaled(200) {
                    stack.push_all(Announcing((0..count).map(block), *announced));
                    assert!(stack.take_all().map(|value| value.0).eq((0..count).rev()));
                }
            });
            ledger.nothing_after(stack);
        }
    }
}

/// The same with an iterator that rests, and counts for one node less than a batch.
fn steady_while_half_taken<R: Engine, B: Backoff>() {
    let (batch, count) = (R::TAKE_BATCH, 100);
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    ledger.during(|| stack.reserve(count + batch - 1 + idle::<R, B>()).unwrap());
    ledger.no_calls("pushes beside a TakeAll", || {
        for _ in 0..scaled(50) {
            stack.push_all((0..count).map(block));
            // For each value that was taken another one is pushed.
            for id in stack.take_all().map(|value| value.0) {
                stack.push(block(id));
            }
            for id in 0..count {
                assert_eq!(stack.pop(), Some(block(id)));
            }
        }
    });
    ledger.nothing_after(stack);
}

/// The iterator is dropped before its values are to be seen: if it panics in that, none is pushed.
fn nothing_is_pushed_before_the_iterator_is_gone<R: Engine, B: Backoff>() {
    struct Last<'s, I, R: Engine, B: Backoff>(I, &'s Stack<Block, R, B>);

    impl<I: Iterator, R: Engine, B: Backoff> Iterator for Last<'_, I, R, B> {
        type Item = I::Item;

        fn next(&mut self) -> Option<I::Item> {
            self.0.next()
        }
    }

    impl<I, R: Engine, B: Backoff> Drop for Last<'_, I, R, B> {
        fn drop(&mut self) {
            assert!(self.1.is_empty(), "values of an iterator that still exists");
            resume_unwind(Box::new(()));
        }
    }

    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    ledger.during(|| {
        let push = || stack.push_all(Last((0..3).map(block), &stack));
        assert!(catch_unwind(AssertUnwindSafe(push)).unwrap_err().is::<()>());
    });
    assert!(stack.is_empty());
    ledger.nothing_after(stack);
}

/// The iterator panics, or the consumer, or a value's `Drop`, at each value in turn: no node is lost.
fn nodes_of_a_panic_come_back<R: Engine, B: Backoff>() {
    struct Breaking(Block, usize);

    impl Drop for Breaking {
        fn drop(&mut self) {
            if self.0.0 == self.1 {
                resume_unwind(Box::new(()));
            }
        }
    }

    let count = R::TAKE_BATCH + 2;
    let ledger = ledger();
    let stack = Stack::<Breaking, R, B>::custom();
    ledger.during(|| stack.reserve(count + idle::<R, B>()).unwrap());
    let nodes = ledger.nodes();
    let whole = |broken: usize| (0..count).map(move |id| Breaking(block(id), broken));
    for broken in 0..count {
        let panics = |action: &dyn Fn()| {
            ledger.during(|| catch_unwind(AssertUnwindSafe(action))).unwrap_err();
            assert_eq!(ledger.nodes(), nodes, "nodes were lost or added");
            assert!(stack.is_empty());
            ledger.during(|| stack.push_all(whole(count)));
            ledger.during(|| assert_eq!(stack.take_all().count(), count));
            assert_eq!(ledger.nodes(), nodes, "not all nodes came back");
        };
        let stops = |id| if id == broken { resume_unwind(Box::new(())) } else { Breaking(block(id), count) };
        panics(&|| stack.push_all((0..count).map(stops)));
        panics(&|| stack.handle().push_all((0..count).map(stops)));
        panics(&|| {
            stack.push_all(whole(broken));
            stack.take_all().for_each(drop);
        });
        panics(&|| {
            stack.push_all(whole(broken));
            drop(stack.take_all());
        });
    }
    ledger.nothing_after(stack);
}

/// An allocation fails while `push_all` gets nodes for values to come: it does with those that it has, and asks again.
fn one_allocation_fails<R: Engine, B: Backoff>() {
    let batch = R::TAKE_BATCH;
    let count = 2 * batch + 3;
    // If there is none for the value in hand, that is the end of the process; see `faults.rs`.
    for successes in (0..2 * batch).filter(|successes| successes % batch != 0) {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.fail(successes, 1);
        ledger.during(|| {
            stack.push_all((0..count).map(block));
            assert!(stack.take_all().map(|value| value.0).eq((0..count).rev()));
        });
        assert_eq!(ledger.refused(), 1);
        ledger.assert_bound::<R, B>(0);
        ledger.nothing_after(stack);
    }
}
