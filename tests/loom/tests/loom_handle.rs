//! Models of what a handle does without waiting, which has code of its own.

mod common;

use common::*;
use elimination_stack::{Backoff, Elimination, Handle, NoBackoff, Slots, Stack};
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

type Plain = Stack<u32, Slots<2>, NoBackoff>;

/// A `try_pop` publishes its hazard in the handle's slot, and looks again; meanwhile the node is popped, and pushed again.
#[test]
fn try_pop_against_reuse_of_the_node() {
    check(3, || {
        let try_pop = |stack: &Plain| stack.handle().try_pop().unwrap().into_iter().collect();
        assert_all(race(Plain::from_iter([1, 2]), [try_pop], reuse::<3, _, _>), &[1, 2, 3]);
    });
}

/// It does so, too, where the handle keeps a node.
#[test]
fn try_pop_against_reuse_of_what_it_keeps() {
    check(2, || {
        let push_try_pop = |stack: &Plain| {
            let mut handle = stack.handle();
            handle.push(4);
            [handle.try_pop().unwrap(), handle.try_pop().unwrap()].into_iter().flatten().collect()
        };
        assert_all(race(Plain::from_iter([1, 2]), [push_try_pop], reuse::<3, _, _>), &[1, 2, 3, 4]);
    });
}

type Shared<B> = Arc<Stack<u32, Slots<4>, B>>;

/// A stack of one value, in the node that lay below the one that the handle has pushed last, and kept.
fn with_a_handle<B: Backoff>(act: impl FnOnce(&Shared<B>, Handle<u32, Slots<4>, B>) -> Vec<u32>, expected: &[u32]) {
    let stack = Shared::<B>::new(Stack::custom());
    let mut handle = stack.handle();
    (1..=2).for_each(|value| handle.push(value));
    assert_eq!([stack.pop(), stack.pop()], [Some(2), Some(1)]);
    stack.push(3);
    let values = act(&stack, handle);
    let stack = Arc::try_unwrap(stack).unwrap_or_else(|_| unreachable!("all threads are joined"));
    assert_all((stack, values), expected);
}

/// Another context pops the value, and pushes the node again.
fn pop_push<B: Backoff + 'static>(stack: &Shared<B>) -> JoinHandle<Option<u32>> {
    let stack = stack.clone();
    thread::spawn(move || {
        let value = stack.pop();
        stack.push(4);
        value
    })
}

/// A pop that finds nothing in the end has protected a node, which is not what the handle has pushed last: it lies above another
/// one when it is back on top (KEPT-1).
#[test]
fn handle_keeps_nothing_after_a_pop_of_nothing() {
    check(2, || {
        let race = |stack: &Shared<NoBackoff>, mut handle: Handle<_, _, _>| {
            let other = pop_push(stack);
            let value = handle.pop();
            [value, other.join().unwrap(), handle.pop()].into_iter().flatten().collect()
        };
        with_a_handle(race, &[3, 4]);
    });
}

/// So it is when the pop has met a push.
#[test]
fn handle_keeps_nothing_after_an_elimination() {
    check(2, || {
        let race = |stack: &Shared<Elimination<1>>, mut handle: Handle<_, _, _>| {
            let pushing = stack.clone();
            let others = [
                pop_push(stack),
                thread::spawn(move || {
                    pushing.push(5);
                    None
                }),
            ];
            let mut values = Vec::from_iter(handle.pop());
            values.extend(others.map(|other| other.join().unwrap()).into_iter().flatten());
            values.extend(handle.pop());
            values
        };
        with_a_handle(race, &[3, 4, 5]);
    });
}
