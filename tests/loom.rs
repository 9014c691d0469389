//! Models for the loom checker: every interleaving, and every value that the memory model lets a load see.
//!
//! Run with `ci/loom`. Nodes, slots and exchangers are checked in three ways: values arrive once; what a
//! slot's owner alone may touch is in loom's `UnsafeCell`; and before a node is freed or used again, loom is told that
//! nobody else may access its link any more (`sync::assert_exclusive`), so a missed hazard is reported even where
//! no value goes astray.
//!
//! The limits shrink under loom (`Slots::RETIRE_LIMIT` and its neighbours): each pop scans, each second spare node
//! goes to the depot. `LOOM_MAX_PREEMPTIONS` sets how many preemptions an execution may have.
#![cfg(loom)]

use elimination_stack::{Elimination, Exponential, Haphazard, NoBackoff, PushError, Slots, Stack};
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

type Plain<const N: usize> = Stack<u32, Slots<N>, NoBackoff>;

/// Checks a model. `preemptions` bounds those of an execution, where all of them would take too long.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(preemptions);
    }
    builder.check(model);
}

/// Runs the closures in threads of their own, the first in this one.
fn race<const N: usize, S: Send + Sync + 'static>(
    stack: S,
    others: [fn(&S) -> Vec<u32>; N],
    here: fn(&S) -> Vec<u32>,
) -> (S, Vec<u32>) {
    let stack = Arc::new(stack);
    let threads = others.map(|other| {
        let stack = stack.clone();
        thread::spawn(move || other(&stack))
    });
    let mut values = here(&stack);
    for thread in threads {
        values.extend(thread.join().unwrap());
    }
    (Arc::try_unwrap(stack).unwrap_or_else(|_| unreachable!("all threads are joined")), values)
}

/// What came out and what is left is exactly `expected`.
fn assert_all<S: IntoIterator<Item = u32>>((stack, mut values): (S, Vec<u32>), expected: &[u32]) {
    values.extend(stack);
    values.sort_unstable();
    assert_eq!(values, expected);
}

fn pop<S>(stack: &S) -> Vec<u32>
where
    for<'a> &'a S: Pop,
{
    stack.pop().into_iter().collect()
}

/// `pop`, of a stack of any types.
trait Pop {
    fn pop(self) -> Option<u32>;
}

impl<R: elimination_stack::Reclaim, B: elimination_stack::Backoff> Pop for &Stack<u32, R, B> {
    fn pop(self) -> Option<u32> {
        self.pop()
    }
}

#[test]
fn push_against_push() {
    check(3, || {
        let done = race(
            Plain::<2>::custom(),
            [|stack| {
                stack.push(1);
                vec![]
            }],
            |stack| {
                stack.push(2);
                vec![]
            },
        );
        assert_all(done, &[1, 2]);
    });
}

#[test]
fn push_against_pop() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1]), [pop], |stack| {
            stack.push(2);
            vec![]
        });
        assert_all(done, &[1, 2]);
    });
}

#[test]
fn pop_against_pop_of_one_node() {
    check(3, || assert_all(race(Plain::<2>::from_iter([1]), [pop], pop), &[1]));
}

#[test]
fn pop_against_pop_of_two_nodes() {
    check(3, || assert_all(race(Plain::<2>::from_iter([1, 2]), [pop], pop), &[1, 2]));
}

/// A pop has read the link of the top node; meanwhile the node is popped, and pushed again above another.
#[test]
fn pop_against_reuse_of_the_node() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop], |stack| {
            let mut values = pop(stack);
            values.extend(pop(stack));
            // Takes the node that was popped first, if the scan let it go.
            stack.push(3);
            stack.push(4);
            values
        });
        assert_all(done, &[1, 2, 3, 4]);
    });
}

/// The same with a handle on one side, which publishes its hazard by a store.
#[test]
fn handle_against_reuse_of_the_node() {
    check(3, || {
        let by_handle = |stack: &Plain<2>| stack.handle().pop().into_iter().collect();
        let done = race(Plain::<2>::from_iter([1, 2]), [by_handle], |stack| {
            let mut values = pop(stack);
            values.extend(pop(stack));
            stack.push(3);
            values
        });
        assert_all(done, &[1, 2, 3]);
    });
}

/// Three contexts, two slots: a claim finds the first slot taken, and perhaps the second.
#[test]
fn claim_against_claim() {
    check(2, || {
        let done = race(
            Plain::<2>::from_iter([1]),
            [pop, |stack| {
                stack.push(2);
                vec![]
            }],
            |stack| stack.try_pop().ok().flatten().into_iter().collect(),
        );
        assert_all(done, &[1, 2]);
    });
}

/// What a slot holds is handed from one owner to the next: the second push uses the node of the first pop.
#[test]
fn slot_changes_hands() {
    check(3, || {
        let push_pop = |stack: &Plain<1>| {
            stack.push(2);
            pop(stack)
        };
        assert_all(race(Plain::<1>::from_iter([1]), [push_pop], push_pop), &[1, 2, 2]);
    });
}

/// One slot in place: a second context adds one, and protects with it what the first retires.
#[test]
fn growth() {
    check(2, || {
        let work = |stack: &Plain<1>| {
            let mut handle = stack.handle();
            let value = handle.pop();
            handle.push(3);
            value.into_iter().chain(handle.pop()).collect()
        };
        assert_all(race(Plain::<1>::from_iter([1, 2]), [work], work), &[1, 2, 3, 3]);
    });
}

#[test]
fn take_all_against_pop() {
    check(2, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop], |stack| stack.take_all().collect());
        assert_all(done, &[1, 2]);
    });
}

/// The detached nodes are used again while a slower pop still looks at one.
#[test]
fn take_all_and_push_against_pop() {
    check(2, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop], |stack| {
            let values = stack.take_all().collect();
            stack.push(3);
            values
        });
        assert_all(done, &[1, 2, 3]);
    });
}

#[test]
fn push_all_against_pop() {
    check(2, || {
        let done = race(
            Plain::<2>::from_iter([1]),
            [|stack| {
                stack.push_all([2, 3]);
                vec![]
            }],
            pop,
        );
        assert_all(done, &[1, 2, 3]);
    });
}

/// A pop's surplus goes to the depot, a push takes it from there.
#[test]
fn depot_put_against_take() {
    check(2, || {
        let stack = Plain::<2>::from_iter([1, 2, 3]);
        let done = race(
            stack,
            [|stack| {
                stack.push(4);
                vec![]
            }],
            |stack| {
                let mut values = pop(stack);
                values.extend(pop(stack));
                values.extend(pop(stack));
                values
            },
        );
        assert_all(done, &[1, 2, 3, 4]);
    });
}

/// Two contexts want the same batch, and the faster one's node comes back to the depot.
#[test]
fn depot_take_against_take() {
    check(2, || {
        let stack = Plain::<2>::custom();
        stack.reserve(2).unwrap();
        let push_spare = |stack: &Plain<2>| stack.push_spare(1).err().map(PushError::into_value).into_iter().collect();
        let done = race(stack, [push_spare], |stack| {
            stack.push(2);
            let mut values = pop(stack);
            stack.push(3);
            values.extend(pop(stack));
            values
        });
        assert_all(done, &[1, 2, 3]);
    });
}

/// Calls for interrupt handlers have left surplus in the depot; one context gives it back, another one takes a node.
#[test]
fn depot_gives_surplus_back_against_take() {
    check(2, || {
        let stack: Plain<2> = (1..=8).collect();
        let values = (1..=7).filter_map(|_| stack.try_pop().unwrap()).collect::<Vec<_>>();
        assert_eq!(values, [8, 7, 6, 5, 4, 3, 2]);
        let push_spare = |stack: &Plain<2>| stack.push_spare(2).err().map(PushError::into_value).into_iter().collect();
        assert_all(race(stack, [push_spare], pop), &[1, 2]);
    });
}

/// With `IDLE_NODES` more reserved than there are values, no `push_spare` refuses, whoever holds what back.
#[test]
fn reserved_nodes_are_always_found() {
    check(2, || {
        let stack = Plain::<2>::custom();
        stack.reserve(Plain::<2>::IDLE_NODES + 2).unwrap();
        let push_spare = |stack: &Plain<2>| {
            stack.push_spare(1).unwrap();
            stack.try_pop().unwrap().into_iter().collect()
        };
        assert_all(race(stack, [push_spare], push_spare), &[1, 1]);
    });
}

#[test]
fn reclaim_against_pop() {
    check(2, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop], |stack| {
            let values = pop(stack);
            stack.reclaim();
            values
        });
        assert_all(done, &[1, 2]);
    });
}

/// Nodes in the depot are given back while another context wants one.
#[test]
fn reclaim_against_depot_take() {
    check(3, || {
        let stack = Plain::<2>::custom();
        stack.reserve(2).unwrap();
        let push_spare = |stack: &Plain<2>| stack.push_spare(1).err().map(PushError::into_value).into_iter().collect();
        let done = race(stack, [push_spare], |stack| {
            stack.reclaim();
            vec![]
        });
        assert_all(done, &[1]);
    });
}

#[test]
fn exponential_back_off() {
    check(2, || {
        let stack = Stack::<u32, Slots<2>, Exponential>::from_iter([1]);
        assert_all(
            race(stack, [pop], |stack| {
                stack.push(2);
                pop(stack)
            }),
            &[1, 2],
        );
    });
}

/// Two contexts in the list, so that both a push and a pop can lose and meet in the one exchanger.
#[test]
fn elimination() {
    check(2, || {
        let stack = Stack::<u32, Slots<2>, Elimination<1>>::from_iter([1]);
        let done = race(
            stack,
            [pop, |stack| {
                stack.push(2);
                vec![]
            }],
            |stack| {
                stack.push(3);
                pop(stack)
            },
        );
        assert_all(done, &[1, 2, 3]);
    });
}

type OnHaphazard = Stack<u32, Haphazard<1>, NoBackoff>;

#[test]
fn haphazard_push_against_pop() {
    check(2, || {
        assert_all(
            race(OnHaphazard::from_iter([1]), [pop], |stack| {
                stack.push(2);
                vec![]
            }),
            &[1, 2],
        );
    });
}

#[test]
fn haphazard_pop_against_pop() {
    check(2, || assert_all(race(OnHaphazard::from_iter([1]), [pop], pop), &[1]));
}

#[test]
fn haphazard_pop_against_reuse_of_the_node() {
    check(2, || {
        let done = race(OnHaphazard::from_iter([1, 2]), [pop], |stack| {
            let mut values = pop(stack);
            values.extend(pop(stack));
            stack.push(3);
            values
        });
        assert_all(done, &[1, 2, 3]);
    });
}
