//! Models of what a handle does without waiting, which has code of its own.

mod common;

use common::*;
use elimination_stack::{NoBackoff, Slots, Stack};

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
