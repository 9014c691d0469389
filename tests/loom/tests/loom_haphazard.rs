//! Models of the engine `Haphazard`, as those of `loom.rs`, in which the crate's own atomics are loom's as well.
//!
//! It reclaims after each node under loom, so what is retired is at once in question, and comes back as a spare node.

mod common;

use common::*;
use elimination_stack::{Haphazard, NoBackoff, Stack};

type OnHaphazard = Stack<u32, Haphazard<1>, NoBackoff>;

/// What a push has written, a pop that finds its node sees.
#[test]
fn push_against_pop() {
    check(2, || {
        assert_all(race(OnHaphazard::from_iter([1]), [pop], push::<2, _, _>), &[1, 2]);
    });
}

/// One of the two gets the value, and the loser does not touch the node after the winner has let it go.
#[test]
fn pop_against_pop() {
    check(2, || assert_all(race(OnHaphazard::from_iter([1]), [pop], pop), &[1]));
}

/// A pop has read the link of the top node; meanwhile the node is popped, given back by the crate, and pushed again.
#[test]
fn pop_against_reuse_of_the_node() {
    check(2, || {
        let done = race(OnHaphazard::from_iter([1, 2]), [pop], reuse::<3, _, _>);
        assert_all(done, &[1, 2, 3]);
    });
}

/// Both make the domain that all nodes need; the slower one uses the faster one's, and gives its own back.
#[test]
fn first_nodes() {
    check(3, || {
        assert_all(race(OnHaphazard::custom(), [push::<1, _, _>], push_pop::<2, _, _>), &[1, 2]);
    });
}

/// Who sees a node sees the domain, although it may have looked for the domain before there was one.
#[test]
fn first_node_against_pop() {
    check(3, || {
        let done = race(OnHaphazard::custom(), [pop], push::<1, _, _>);
        assert_all(done, &[1]);
    });
}

/// A handle keeps its hazard record, and shows the next node in it.
#[test]
fn handle_against_reuse_of_the_node() {
    check(2, || {
        let done = race(OnHaphazard::from_iter([1, 2]), [pop_by_handle], reuse::<3, _, _>);
        assert_all(done, &[1, 2, 3]);
    });
}

/// Detached nodes are retired one by one, and used again, while a slower pop still looks at one.
#[test]
fn take_all_and_push_against_pop() {
    check(2, || {
        let done = race(OnHaphazard::from_iter([1, 2]), [pop], |stack| {
            let values = stack.take_all().collect();
            stack.push(3);
            values
        });
        assert_all(done, &[1, 2, 3]);
    });
}

/// A pop sees none of the chain, or all of its values and links.
#[test]
fn push_all_against_pop() {
    check(2, || {
        let done = race(OnHaphazard::from_iter([1]), [push_all], pop);
        assert_all(done, &[1, 2, 3]);
    });
}

/// A slot's spare nodes and hazard record are handed from one owner to the next.
#[test]
fn slot_changes_hands() {
    check(2, || {
        let work = push_pop::<2, _, _>;
        assert_all(race(OnHaphazard::from_iter([1]), [work], work), &[1, 2, 2]);
    });
}

/// One gives all spare nodes back, the other one wants one of them and makes another.
#[test]
fn reclaim_against_spare_nodes() {
    check(2, || {
        let stack = OnHaphazard::custom();
        stack.reserve(2).unwrap();
        let done = race(stack, [push_pop::<1, _, _>], |stack| {
            stack.reclaim();
            vec![]
        });
        assert_all(done, &[1]);
    });
}
