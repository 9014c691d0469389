//! Models for the loom checker: every interleaving, and every value that the memory model lets a load see.
//!
//! Run with `ci/loom`. Nodes, slots and exchangers are checked in three ways: values arrive once; what a slot's owner alone may
//! touch is in loom's `UnsafeCell`; and before a node is freed, or used again other than where it was, loom is told that nobody
//! else may access its link any more (`sync::assert_exclusive`), so a missed hazard is reported even where no value goes astray.
//!
//! Limits are smaller under loom, all of them in `src/model.rs`: each pop scans (with four slots each second one), each second
//! spare node goes to the depot. `LOOM_MAX_PREEMPTIONS` sets how many preemptions an execution may have.

mod common;

use common::*;
use elimination_stack::{Elimination, Exponential, NoBackoff, PushError, Slots, Stack};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst, fence};
use loom::thread;
use std::mem;

type Plain<const N: usize> = Stack<u32, Slots<N>, NoBackoff>;
type Eliminating = Stack<u32, Slots<2>, Elimination<2>>;

/// Both values arrive, whoever links first: a lost compare-exchange is tried again, with the new top below.
#[test]
fn push_against_push() {
    check(3, || {
        let done = race(Plain::<2>::custom(), [push::<1, _, _>], push::<2, _, _>);
        assert_all(done, &[1, 2]);
    });
}

/// What a push has written, a pop that finds its node sees: linking is a Release, looking again an Acquire.
#[test]
fn push_against_pop() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1]), [pop], push::<2, _, _>);
        assert_all(done, &[1, 2]);
    });
}

/// One of the two gets the value, and the loser does not touch the node after the winner has let it go.
#[test]
fn pop_against_pop_of_one_node() {
    check(3, || assert_all(race(Plain::<2>::from_iter([1]), [pop], pop), &[1]));
}

/// The loser of the first node goes on to the second, which it protects before it looks at it.
#[test]
fn pop_against_pop_of_two_nodes() {
    check(3, || assert_all(race(Plain::<2>::from_iter([1, 2]), [pop], pop), &[1, 2]));
}

/// A pop has read the link of the top node; meanwhile the node is popped, and pushed again above another.
#[test]
fn pop_against_reuse_of_the_node() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop], reuse::<4, _, _>);
        assert_all(done, &[1, 2, 3, 4]);
    });
}

/// Pops, then pushes 3: with the node that was popped, if the scan let it go, or without a scan above the same node.
fn pop_push<const N: usize>(stack: &Plain<N>) -> Vec<u32> {
    let values = pop(stack);
    stack.push(3);
    values
}

/// Two contexts take turns in popping and reusing a node, so that it can come back to the top by way of another slot,
/// while a third one still looks at it.
#[test]
fn pop_against_reuse_by_two_others() {
    check(1, || {
        assert_all(race(Plain::<3>::from_iter([1, 2]), [pop_push, pop_push], pop), &[1, 2, 3, 3]);
    });
}

/// A pop has read the link of the top node; meanwhile the node is popped, and pushed again above the same one, without a scan. So
/// the pop may win it, and sees the new value.
#[test]
fn pop_against_node_pushed_again() {
    check(3, || assert_all(race(Plain::<4>::from_iter([1, 2]), [pop], pop_push), &[1, 2, 3]));
}

/// Meanwhile what was below the node is popped as well. So the node must not be pushed above another one, as long as a pop knows
/// that link.
#[test]
fn node_is_not_pushed_again_above_another() {
    check(2, || {
        assert_all(race(Plain::<4>::from_iter([1, 2, 3]), [pop, pop], pop_push), &[1, 2, 3, 3]);
    });
}

/// A handle does the same with what it keeps. Whoever has read the link before, wins the node, and would use it for another
/// push, sees that the handle keeps it again.
#[test]
fn handle_pushes_a_node_again() {
    check(2, || {
        let pairs = |stack: &Plain<4>| {
            let mut handle = stack.handle();
            let pairs = (4..=5).filter_map(|value| {
                handle.push(value);
                handle.pop()
            });
            pairs.collect()
        };
        assert_all(race(Plain::<4>::from_iter([1]), [reuse::<3, _, _>], pairs), &[1, 3, 4, 5]);
    });
}

/// As `pop_against_reuse_of_the_node`, with a handle on one side, which publishes its hazard by a store.
#[test]
fn handle_against_reuse_of_the_node() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop_by_handle], reuse::<3, _, _>);
        assert_all(done, &[1, 2, 3]);
    });
}

/// A handle has shown its hazard before its push, without a barrier, and pops what it has pushed; or another pops that
/// meanwhile, and would use the node again.
#[test]
fn handle_against_reuse_of_what_it_pushed() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [pop_push_pop_by_handle::<4, _, _>], reuse::<3, _, _>);
        assert_all(done, &[1, 2, 3, 4]);
    });
}

/// The same with `try_pop`, which after a lost race publishes its next hazard by itself.
#[test]
fn try_pop_against_reuse_of_the_node() {
    check(3, || {
        let done = race(Plain::<2>::from_iter([1, 2]), [try_pop], reuse::<3, _, _>);
        assert_all(done, &[1, 2, 3]);
    });
}

/// A handle knows what is below the node that it keeps and pops; that one it does not keep, and has to protect as any other
/// before it takes it for the top.
#[test]
fn handle_against_reuse_below_what_it_kept() {
    check(3, || {
        let done = race(Plain::<2>::custom(), [pop_push], |stack| {
            let mut handle = stack.handle();
            (1..=2).for_each(|value| handle.push(value));
            [handle.pop(), handle.pop()].into_iter().flatten().collect()
        });
        assert_all(done, &[1, 2, 3]);
    });
}

/// Three contexts, two slots: a claim finds the first slot taken, and perhaps the second.
#[test]
fn claim_against_claim() {
    check(2, || {
        assert_all(race(Plain::<2>::from_iter([1]), [pop, push::<2, _, _>], try_pop), &[1, 2]);
    });
}

/// What a slot holds is handed from one owner to the next: the second push uses the node of the first pop.
#[test]
fn slot_changes_hands() {
    check(3, || {
        let work = push_pop::<2, _, _>;
        assert_all(race(Plain::<1>::from_iter([1]), [work], work), &[1, 2, 2]);
    });
}

/// One slot in place: a second context adds one, and protects with it what the first retires.
#[test]
fn growth() {
    check(2, || {
        let work = pop_push_pop_by_handle::<3, _, _>;
        assert_all(race(Plain::<1>::from_iter([1, 2]), [work], work), &[1, 2, 3, 3]);
    });
}

/// A stack whose only slot in place is lost, so that all who come are in further ones.
fn further_slots(values: impl IntoIterator<Item = u32>) -> Plain<1> {
    let stack = Plain::from_iter(values);
    // There are enough already, and the newest one is lost, too: to add one, or to change which is the newest in use, takes a
    // model many steps, and is for models of its own.
    let [in_place, _, _, _, newest] = [(); 5].map(|()| stack.handle());
    mem::forget(in_place);
    mem::forget(newest);
    stack
}

/// A further slot is in use no more as a handle ends, while a pop comes into it. A scan from the slot in place sees what the pop
/// protects there.
#[test]
fn further_slot_comes_out_of_use_and_back() {
    check(2, || {
        let stack = Plain::<1>::from_iter([1]);
        // So none has to be added, which takes a model many steps.
        drop([(); 3].map(|()| stack.handle()));
        let done = race(stack, [pop], |stack| {
            let mut in_place = stack.handle();
            drop(stack.handle());
            let value = in_place.pop();
            in_place.push(2);
            value.into_iter().collect()
        });
        assert_all(done, &[1, 2]);
    });
}

/// A pop in a further slot protects a node, reads its link and leaves; a handle that ends takes the slot out of use; and a scan,
/// which leaves it out, lets the node go, and a push uses it again. The pop's read happens before that all the same.
#[test]
fn slot_goes_out_of_use_after_a_pop() {
    type Handle = elimination_stack::Handle<'static, u32, Slots<1>, NoBackoff>;
    // SAFETY: the caller sees to it that the stack outlives the handle.
    let handle = |stack: &Arc<Plain<1>>| unsafe { std::mem::transmute::<_, Handle>(stack.handle()) };
    check(2, move || {
        let stack = Plain::<1>::from_iter([1]);
        drop([(); 3].map(|()| stack.handle()));
        let stack = Arc::new(stack);
        // In the slot in place, and in the first further one.
        let (mut scans, ends) = (handle(&stack), handle(&stack));
        let [pops, holds] = [stack.clone(), stack.clone()];
        let others = [
            thread::spawn(move || pops.try_pop().ok().flatten()),
            thread::spawn(move || {
                drop(ends);
                drop(holds);
                None
            }),
        ];
        let mut values = Vec::from_iter(scans.pop());
        scans.push(2);
        drop(scans);
        values.extend(others.map(|other| other.join().unwrap()).into_iter().flatten());
        let stack = Arc::try_unwrap(stack).unwrap_or_else(|_| unreachable!("all threads are joined"));
        assert_all((stack, values), &[1, 2]);
    });
}

/// What a handle in a further slot keeps, another one pops.
#[test]
fn further_slot_keeps_a_node() {
    check(1, || {
        let keep = |stack: &Plain<1>| {
            let mut handle = stack.handle();
            handle.push(2);
            let value = handle.pop();
            (3..=4).for_each(|value| handle.push(value));
            value.into_iter().collect()
        };
        assert_all(race(further_slots([1]), [pop_by_handle], keep), &[1, 2, 3, 4]);
    });
}

/// Detaching all nodes and unlinking one exclude each other; the pop's node is not freed under its eyes.
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

/// The detached chains of two contexts have no node in common, though one of them was linked as a whole.
#[test]
fn take_all_against_take_all_and_push_all() {
    check(2, || {
        let done = race(Plain::<2>::from_iter([1]), [|stack| stack.take_all().collect()], |stack| {
            stack.push_all([2, 3]);
            stack.take_all().collect()
        });
        assert_all(done, &[1, 2, 3]);
    });
}

/// The whole chain is linked at once: a pop sees none of it, or all of its values and links.
#[test]
fn push_all_against_pop() {
    check(2, || {
        let done = race(Plain::<2>::from_iter([1]), [push_all], pop);
        assert_all(done, &[1, 2, 3]);
    });
}

/// A pop's surplus goes to the depot, a push takes it from there.
#[test]
fn depot_put_against_take() {
    check(2, || {
        let stack = Plain::<2>::from_iter([1, 2, 3]);
        let done = race(stack, [push::<4, _, _>], |stack| {
            let mut values = pop(stack);
            values.extend(pop(stack));
            values.extend(pop(stack));
            values
        });
        assert_all(done, &[1, 2, 3, 4]);
    });
}

/// Two contexts want the same batch, and the faster one's node comes back to the depot.
#[test]
fn depot_take_against_take() {
    check(2, || {
        let stack = Plain::<2>::custom();
        stack.reserve(2).unwrap();
        let done = race(stack, [push_spare::<1, _, _>], |stack| {
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
        assert_all(race(stack, [push_spare::<2, _, _>], pop), &[1, 2]);
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

/// A handle whose slot and depot have no spare node moves to the slot of the pop, if it is free and has one, and never
/// has two.
#[test]
fn handle_moves_to_a_spare_node() {
    check(2, || {
        let push_spare = |stack: &Plain<2>| {
            let mut handle = stack.handle();
            let refused = handle.push_spare(2).err().map(PushError::into_value);
            refused.into_iter().chain(handle.pop()).collect()
        };
        assert_all(race(Plain::<2>::from_iter([1]), [push_spare], pop), &[1, 2]);
    });
}

/// A handle leaves its slot for one with a spare node, and stays in that; a handle that is made meanwhile must not take
/// the slot in between for the free one that it has to leave to others.
#[test]
fn handle_moves_while_another_is_made() {
    check(3, || {
        let stack = Arc::new(Plain::<1>::from_iter([1]));
        let other = {
            let stack = stack.clone();
            thread::spawn(move || mem::forget(stack.handle()))
        };
        let mut handle = stack.handle();
        assert!(handle.push_spare(2).is_err(), "there is no spare node");
        other.join().unwrap();
        assert_eq!(stack.try_pop(), Ok(Some(1)), "both handles stay, and there is no slot for others");
    });
}

/// `reclaim` frees only what the other context does not protect.
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
    check(2, || {
        let stack = Plain::<2>::custom();
        stack.reserve(2).unwrap();
        let done = race(stack, [push_spare::<1, _, _>], |stack| {
            stack.reclaim();
            vec![]
        });
        assert_all(done, &[1]);
    });
}

/// A back-off that waits loses nothing.
#[test]
fn exponential_back_off() {
    check(2, || {
        let stack = Stack::<u32, Slots<2>, Exponential>::from_iter([1]);
        assert_all(race(stack, [pop], push_pop::<2, _, _>), &[1, 2]);
    });
}

/// Two contexts in the list, so that both a push and a pop can lose and meet in the one exchanger.
#[test]
fn elimination() {
    check(2, || {
        let stack = Stack::<u32, Slots<2>, Elimination<1>>::from_iter([1]);
        let done = race(stack, [pop, push::<2, _, _>], push_pop::<3, _, _>);
        assert_all(done, &[1, 2, 3]);
    });
}

/// A push that loses its race with a node that others may protect goes on to the exchanger with another one, and who gets that
/// may push it again.
#[test]
fn elimination_beside_nodes_pushed_again() {
    check(2, || {
        let stack = Stack::<u32, Slots<4>, Elimination<1>>::from_iter([1, 2]);
        let pop_push = |stack: &Stack<_, _, _>| {
            let values = pop(stack);
            stack.push(3);
            values
        };
        assert_all(race(stack, [pop_push], pop_push), &[1, 2, 3, 3]);
    });
}

/// After an elimination a pop comes to the list by way of the array, and has to protect what it finds there as any other;
/// through the stack and through a handle. (With two exchangers each operation of a model begins as after an elimination, without
/// a visit.)
#[test]
fn pop_after_elimination_against_reuse_of_the_node() {
    for popping in [pop, pop_by_handle] {
        check(3, move || {
            let done = race(Eliminating::from_iter([1, 2]), [popping], reuse::<4, _, _>);
            assert_all(done, &[1, 2, 3, 4]);
        });
    }
}

/// Whether `outcome` is true in some execution.
fn may_be(preemptions: usize, outcome: impl Fn() -> bool + Send + Sync + 'static) -> bool {
    // Not loom's: it outlives the executions.
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let see = seen.clone();
    check(preemptions, move || {
        if outcome() {
            see.store(true, Relaxed);
        }
    });
    seen.load(Relaxed)
}

/// A worker says that it sleeps, then `finds_nothing`; another context pushes, then looks for sleepers. Whether both may find
/// nothing, so that nobody wakes the worker.
fn wake_up_may_be_lost(finds_nothing: fn(&Plain<1>) -> bool, worker_has_fence: bool, other_has_fence: bool) -> bool {
    may_be(3, move || {
        let shared = Arc::new((Plain::<1>::custom(), AtomicBool::new(false)));
        let worker = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (stack, sleeping) = &*shared;
                sleeping.store(true, Relaxed);
                if worker_has_fence {
                    fence(SeqCst);
                }
                finds_nothing(stack)
            })
        };
        let (stack, sleeping) = &*shared;
        stack.push(1);
        if other_has_fence {
            fence(SeqCst);
        }
        let wakes = sleeping.load(Relaxed);
        worker.join().unwrap() && !wakes
    })
}

/// The section "Ordering" of docs/guarantees.md: a worker may sleep after an empty look if both sides have a fence; each is
/// needed.
#[test]
fn sleepers_need_both_fences() {
    let looks: [fn(&Plain<1>) -> bool; 4] = [
        Stack::is_empty,
        |stack| stack.pop().is_none(),
        |stack| stack.try_pop() == Ok(None),
        |stack| stack.handle().pop().is_none(),
    ];
    for finds_nothing in looks {
        assert!(!wake_up_may_be_lost(finds_nothing, true, true), "with both fences");
        assert!(wake_up_may_be_lost(finds_nothing, false, true), "without the worker's");
        assert!(wake_up_may_be_lost(finds_nothing, true, false), "without the other's");
    }
}

/// Each of two contexts pushes to a stack of its own, then pops from the other's. Whether both may find nothing.
fn both_may_find_nothing(with_fences: bool) -> bool {
    may_be(3, move || {
        let stacks = Arc::new((Plain::<1>::custom(), Plain::<1>::custom()));
        let push_pop = move |mine: &Plain<1>, others: &Plain<1>| {
            mine.push(1);
            if with_fences {
                fence(SeqCst);
            }
            others.pop()
        };
        let other = {
            let stacks = stacks.clone();
            thread::spawn(move || push_pop(&stacks.1, &stacks.0))
        };
        let found = push_pop(&stacks.0, &stacks.1);
        other.join().unwrap().is_none() && found.is_none()
    })
}

/// One stack is linearizable, two together are not: a pop that found nothing orders nothing.
#[test]
fn two_stacks_need_fences() {
    assert!(both_may_find_nothing(false), "without fences");
    assert!(!both_may_find_nothing(true), "with fences");
}

/// What one context has written before it pushes, the other one sees once it has got the value.
fn assert_push_before_pop<S: Send + Sync + 'static>(make: fn() -> S, push: fn(&S), pop: fn(&S) -> bool) {
    check(3, move || {
        let shared = Arc::new((make(), AtomicU32::new(0)));
        let pushing = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.store(1, Relaxed);
                push(&shared.0);
            })
        };
        if pop(&shared.0) {
            assert_eq!(shared.1.load(Relaxed), 1, "what was written before the push");
        }
        pushing.join().unwrap();
    });
}

/// A push happens before the pop that returns its value, whichever calls the two are, and where the two meet.
#[test]
fn push_happens_before_pop() {
    let pushes: [fn(&Plain<2>); 4] = [
        |stack| stack.push(1),
        |stack| stack.push_all([1]),
        |stack| stack.handle().push(1),
        |stack| stack.push_spare(1).unwrap(),
    ];
    let pops: [fn(&Plain<2>) -> bool; 4] = [
        |stack| stack.pop().is_some(),
        |stack| stack.try_pop().is_ok_and(|value| value.is_some()),
        |stack| stack.handle().pop().is_some(),
        |stack| stack.take_all().next().is_some(),
    ];
    let make = || {
        let stack = Plain::<2>::custom();
        stack.reserve(2).unwrap();
        stack
    };
    for push in pushes {
        for pop in pops {
            assert_push_before_pop(make, push, pop);
        }
    }
    // Several values of one call.
    assert_push_before_pop(make, |stack| stack.push_all([1, 2]), |stack| stack.take_all().last().is_some());
    // Through the array, where both begin.
    let make = || Eliminating::from_iter([2]);
    assert_push_before_pop(make, |stack| stack.push(1), |stack| stack.pop() == Some(1));
    let push_by_handle: fn(&Eliminating) = |stack| stack.handle().push(1);
    assert_push_before_pop(make, push_by_handle, |stack| stack.handle().pop() == Some(1));
}
