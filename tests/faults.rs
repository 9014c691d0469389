//! What goes wrong around a stack: threads that stop for good in the middle of a call, or are not there any more after a
//! fork; no memory where a call cannot say so; waits that panic; stacks dropped beside others of their type.
//!
//! A failing allocator where calls can say so is in `allocator.rs`.

#![cfg(all(unix, not(miri)))]

#[macro_use]
mod common;
#[path = "faults/aborts.rs"]
mod aborts;
#[path = "faults/fork.rs"]
mod fork;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "faults/parked.rs"]
mod parked;
#[path = "common/process.rs"]
mod process;
#[path = "faults/waits.rs"]
mod waits;
#[path = "common/worker.rs"]
mod worker;

use common::*;
use ledger::*;
use std::thread;

for_each_stack! { calls_end_as_box_new, dropped_beside_another }
for_each_slots_stack! { others_go_on, children_go_on }

fn calls_end_as_box_new<R: Engine, B: Backoff>() {
    aborts::check::<R, B>();
}

#[test]
fn a_panic_while_waiting_aborts() {
    with_watchdog(aborts::check_waits);
}

#[test]
fn waits_for_who_has_the_last_slot() {
    with_watchdog(|| {
        waits::check::<NoBackoff>();
        waits::check::<Elimination<1>>();
    });
}

#[test]
fn a_child_beside_who_has_the_last_slot() {
    with_watchdog(fork::check_beside_a_resident);
}

/// After a fork.
fn children_go_on<R: Engine, B: Backoff>() {
    fork::check_while_others_work::<R, B>();
}

/// The bound on nodes holds whatever thread stalls wherever, and whoever does not stall goes on.
///
/// (`Haphazard` holds back more then, and a context that takes a hazard record may stop the others.)
fn others_go_on<R: Engine, B: Backoff>() {
    // In the last case those who go on have no slot in place, and the stack adds one.
    let mut cases = [1, 2, R::SLOTS.max(2) - 1, R::SLOTS];
    cases.sort_unstable();
    for parked in cases {
        if parked <= R::SLOTS {
            (0..scaled(5)).for_each(|seed| parked::check::<R, B>(parked, seed));
        }
    }
}

/// Stacks of one type share nothing: one is dropped, with its values, while the other one works, on the same thread and
/// on another one.
fn dropped_beside_another<R: Engine, B: Backoff>() {
    type Value = Box<usize>;
    for round in 0..scaled(50) {
        let ledger = Ledger::new::<Value>();
        let (stays, goes) = (Stack::<Value, R, B>::custom(), Stack::<Value, R, B>::custom());
        let fill = |stack: &Stack<Value, R, B>, values: usize| {
            stack.push_all((0..values).map(Box::new));
            // Leaves retired and spare nodes behind.
            (0..values / 2).for_each(|_| drop(stack.pop()));
            (values - values / 2..values).for_each(|value| stack.push(Box::new(value)));
        };
        let values = 20 * round;
        ledger.during(|| {
            fill(&stays, values);
            fill(&goes, values);
        });
        thread::scope(|scope| {
            scope.spawn(|| {
                ledger.during(|| {
                    let mut handle = stays.handle();
                    for value in values..2 * values {
                        handle.push(Box::new(value));
                        assert_eq!(stays.pop().as_deref(), Some(&value));
                    }
                });
            });
            ledger.during(|| drop(goes));
        });
        ledger.during(|| assert!(stays.take_all().map(|value| *value).eq((0..values).rev())));
        ledger.nothing_after(stays);
    }
}
