//! Models for the loom checker: every interleaving, and every value that the memory model lets a load see. Before a node is
//! linked into the list of free ones, loom is told that nobody else may access its link any more, so a hazard that was missed is
//! reported even where no value goes astray.

extern crate std;

use super::*;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use std::vec::Vec;

type Stack<const N: usize> = FixedStack<u32, 2, N>;

fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    builder.check(model);
}

/// A context's part: what it popped.
type Part<const N: usize> = fn(&Stack<N>) -> Vec<u32>;

/// Runs the parts in threads of their own, the first in this one, on a stack of these values. What came out, and what is left,
/// has to be `after`; and no node got lost, or is in two places.
fn race<const N: usize, const OTHERS: usize>(before: &[u32], others: [Part<N>; OTHERS], here: Part<N>, after: &[u32]) {
    let stack = Arc::new(initial!(Stack<N>));
    for value in before {
        push(&stack, *value);
    }
    let threads = others.map(|other| {
        let stack = stack.clone();
        thread::spawn(move || other(&stack))
    });
    let mut values = here(&stack);
    for thread in threads {
        values.extend(thread.join().unwrap());
    }
    while let Some(value) = stack.try_pop().unwrap() {
        values.push(value);
    }
    values.sort_unstable();
    assert_eq!(values, after);
    let mut nodes = Vec::new();
    while let Ok(node) = stack.take_node() {
        nodes.push(node);
    }
    for slot in &stack.slots.0 {
        // SAFETY: nobody else is here.
        let kept = slot.kept.with_mut(|kept| unsafe { *kept });
        nodes.extend(kept.into_iter().map(usize::from).filter(|number| *number != NONE));
    }
    nodes.sort_unstable();
    assert!(nodes.into_iter().eq(1..=Stack::<N>::LEN));
}

fn push<const N: usize>(stack: &Stack<N>, value: u32) {
    assert!(stack.try_push(value).is_ok());
}

/// Pushes `VALUE`.
fn pushes<const VALUE: u32, const N: usize>(stack: &Stack<N>) -> Vec<u32> {
    push(stack, VALUE);
    Vec::new()
}

/// One value, if there is one.
fn pop<const N: usize>(stack: &Stack<N>) -> Vec<u32> {
    stack.try_pop().unwrap().into_iter().collect()
}

/// Pops, then pushes 3 with the node that was popped, if that is free.
fn pop_push<const N: usize>(stack: &Stack<N>) -> Vec<u32> {
    let values = pop(stack);
    push(stack, 3);
    values
}

/// Both values arrive, in nodes of their own.
#[test]
fn push_against_push() {
    check(3, || race::<2, 1>(&[], [pushes::<1, 2>], pushes::<2, 2>, &[1, 2]));
}

/// What a push has written, a pop that finds its node sees.
#[test]
fn push_against_pop() {
    check(3, || race::<2, 1>(&[1], [pop], pushes::<2, 2>, &[1, 2]));
}

/// One of the two gets the value, the other goes on to the next one; each node is let go once.
#[test]
fn pop_against_pop() {
    check(3, || race::<2, 1>(&[1], [pop], pop, &[1]));
    check(3, || race::<2, 1>(&[1, 2], [pop], pop, &[1, 2]));
}

/// A pop has read the link of the top node; meanwhile the node is popped, and pushed again above another.
#[test]
fn pop_against_reuse() {
    check(3, || {
        race::<2, 1>(
            &[1, 2],
            [pop],
            |stack| {
                let values = [pop(stack), pop(stack)].concat();
                push(stack, 3);
                push(stack, 4);
                values
            },
            &[1, 2, 3, 4],
        );
    });
}

/// A push has read the link of the first free node; meanwhile it is taken, and the next one, too, and the first one is free
/// again.
#[test]
fn push_against_reuse() {
    check(3, || {
        race::<2, 1>(
            &[],
            [pushes::<1, 2>],
            |stack| {
                let first = stack.take_node().ok().unwrap();
                let second = stack.take_node().ok().unwrap();
                let mut chain = Chain::EMPTY;
                assert_eq!(stack.let_go(first), Ok(()));
                // SAFETY: all are this stack's.
                unsafe {
                    stack.add(&mut chain, second, 2);
                    stack.link_chain(chain);
                }
                Vec::new()
            },
            &[1, 2],
        );
    });
}

/// Two contexts pop and use nodes again, while a third one still looks at one.
#[test]
fn pop_against_reuse_by_two_others() {
    check(1, || race::<3, 2>(&[1, 2], [pop_push, pop_push], pop, &[1, 2, 3, 3]));
}

/// A node that is protected when it is popped is kept, and let go by whoever has the slot then.
#[test]
fn kept_node_against_pop() {
    check(2, || {
        race::<2, 1>(
            &[1, 2],
            [|stack| [pop(stack), pop(stack)].concat()],
            |stack| {
                let values = pop(stack);
                push(stack, 3);
                [values, pop(stack)].concat()
            },
            &[1, 2, 3],
        );
    });
}

/// All values are taken while one of them is popped.
#[test]
fn take_all_against_pop() {
    check(3, || {
        race::<2, 1>(
            &[1, 2],
            [pop_push],
            |stack| {
                let (mut taken, mut values) = (stack.detach(), Vec::new());
                // SAFETY: taken from this stack.
                while let Some(value) = unsafe { stack.next(&mut taken, |value| value.read()) }.unwrap() {
                    values.push(value);
                }
                values
            },
            &[1, 2, 3],
        );
    });
}
