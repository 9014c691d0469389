//! The counters of the feature `stats` count what was done.

#![cfg(feature = "stats")]

#[macro_use]
mod common;
#[path = "common/ledger.rs"]
mod ledger;

use common::*;
use ledger::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

for_each_stack! { one_thread, many_threads, scans_when_due, reclaim_counts_what_it_frees }
for_each_slots_stack! {
    whole_batches_are_reserved_without_a_scan, handles_that_rest_make_no_scan_due, slots_without_nodes_are_not_scanned,
    push_all_gets_no_more_nodes_than_values, counts_each_call_of_the_allocator, nodes_of_an_iterator_count_as_retired,
}

fn one_thread<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    assert_eq!(stack.stats(), elimination_stack::Stats::default());
    for value in 0..10 {
        stack.push(value);
    }
    stack.push_all(0..20);
    let made = stack.stats();
    assert_eq!((made.pushes, made.pops), (30, 0));
    assert_eq!(made.allocator_calls, 30, "one for each node");
    let mut handle = stack.handle();
    for _ in 0..5 {
        handle.pop();
    }
    drop(handle);
    assert!(stack.try_pop().unwrap().is_some() && stack.pop().is_some());
    // The others are dropped with the iterator, which pops, too.
    assert_eq!(stack.take_all().take(10).count(), 10);
    assert_eq!(stack.pop(), None);
    let done = stack.stats();
    assert_eq!((done.pushes, done.pops), (30, 30));
    assert_eq!((done.lost_races, done.eliminated_pushes, done.eliminated_pops, done.withdrawals), (0, 0, 0, 0));
    assert!(done.retired <= done.retired_peak && done.retired_peak > 0 && done.retired_peak <= 30 + R::SLOTS);
    assert!(stack.reclaim() <= 30);
}

fn reclaim_counts_what_it_frees<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    (0..3).for_each(|value| stack.push(value));
    (0..3).for_each(|_| assert!(stack.pop().is_some()));
    assert_eq!(stack.stats().retired, 3);
    assert_eq!(stack.reclaim(), 3);
    let stats = stack.stats();
    assert_eq!((stats.retired, stats.allocator_calls), (0, 6));
}

/// Also when they are retired all at once.
fn nodes_of_an_iterator_count_as_retired<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    stack.push_all(0..32);
    stack.take_all().for_each(drop);
    let stats = stack.stats();
    assert!(stats.retired_peak >= R::RETIRED, "{stats:?}");
}

/// Who looks for a spare node in all slots does not scan those that a crowd has left with nothing in them.
fn slots_without_nodes_are_not_scanned<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    drop((0..100).map(|_| stack.handle()).collect::<Vec<_>>());
    let scans = stack.stats().scans;
    assert!(stack.push_spare(0).is_err());
    assert_eq!(stack.stats().scans, scans);
}

/// Neither later than promised nor sooner, until there is more to do than to scan.
fn scans_when_due<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let mut handle = stack.handle();
    handle.push_all(0..2 * R::RETIRED);
    for pops in 1..=2 * R::RETIRED {
        handle.pop();
        let stats = stack.stats();
        assert_eq!((stats.scans, stats.retired), (pops / R::RETIRED, pops % R::RETIRED), "after {pops} pops");
        assert_eq!(stats.retired_peak, pops.min(R::RETIRED));
    }
}

/// They go to where all contexts find them.
fn whole_batches_are_reserved_without_a_scan<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    stack.reserve(3 * R::RETIRED).unwrap();
    let stats = stack.stats();
    assert_eq!((stats.scans, stats.retired, stats.allocator_calls), (0, 0, 3 * R::RETIRED));
}

/// Each keeps the node that it has pushed, which another one has popped. However many these are, that one has to pop some before
/// a scan is due.
fn handles_that_rest_make_no_scan_due<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let mut resting: Vec<_> = (0..8 * R::SLOTS).map(|_| stack.handle()).collect();
    let mut handle = stack.handle();
    for handle in &mut resting {
        handle.push(0);
    }
    while handle.pop().is_some() {}
    let (before, slots) = (stack.stats(), resting.len() + 2);
    let bursts = 100 * R::SLOTS;
    for _ in 0..bursts {
        // No node is pushed again without a scan.
        handle.push_all(0..2);
        (0..2).for_each(|_| assert!(handle.pop().is_some()));
        let retired = stack.stats().retired;
        assert!(retired < R::RETIRED + 2 * (slots - R::SLOTS), "{retired} retired, {slots} slots");
    }
    // What each makes spare: what is retired in between without a crowd, and as many as rest, up to half of the depot's room.
    let spare = R::RETIRED - R::SLOTS + (resting.len() - R::SLOTS).min(2 * R::SLOTS * (R::SLOTS - 1));
    let scans = stack.stats().scans - before.scans;
    assert!((1..=1 + 2 * bursts / spare).contains(&scans), "{scans} scans in {bursts} bursts, {slots} slots");
}

/// The slot's other spare nodes stay there for whoever comes in between, and none is made in vain.
fn push_all_gets_no_more_nodes_than_values<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    // So that all operations are in the same slot, however deep in the program's stack each is called.
    let _others: Vec<_> = (1..R::SLOTS).map(|_| stack.handle()).collect();
    stack.push_all(0..R::RETIRED);
    while stack.pop().is_some() {}
    assert_eq!(stack.stats().retired, 0, "all are spare");
    stack.push_all([0, 1].into_iter().inspect(|value| {
        if *value == 1 {
            stack.push_spare(2).expect("a spare node");
        }
    }));
    for value in [1, 0, 2] {
        assert_eq!(stack.pop(), Some(value));
    }
    let made = stack.stats().allocator_calls;
    // Of the spare nodes three are retired now, and for so many values it takes the others at once.
    stack.push_all(0..=R::RETIRED);
    assert_eq!(stack.stats().allocator_calls - made, 1 + 3);
}

fn counts_each_call_of_the_allocator<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let check = |what: &str, call: &dyn Fn()| {
        ledger.during(call);
        // None of these calls needs a further slot, so all calls are for nodes.
        let (allocations, frees) = ledger.calls();
        assert_eq!(stack.stats().allocator_calls, allocations + frees, "after {what}");
    };
    check("push", &|| (0..1_000).for_each(|id| stack.push(block(id))));
    check("pop", &|| (0..900).for_each(|_| drop(stack.pop())));
    check("reserve", &|| stack.reserve(100).unwrap());
    check("push_all", &|| stack.push_all((0..1_000).map(block)));
    check("take_all", &|| stack.take_all().for_each(drop));
    check("reclaim", &|| _ = stack.reclaim());
    assert_eq!(ledger.nodes(), 0);
}

fn many_threads<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let rounds = scaled(20_000);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut handle = stack.handle();
                for value in 0..rounds {
                    handle.push(value);
                    stack.push(value);
                    assert!(stack.pop().is_some() && handle.pop().is_some());
                }
            });
        }
    });
    let stats = stack.stats();
    assert_eq!((stats.pushes, stats.pops), (8 * rounds, 8 * rounds));
    assert_eq!(stats.eliminated_pushes, stats.eliminated_pops);
}

/// On few cores, since whoever waits lets others run: an offer stands until a partner has lost a race, too.
fn pushes_and_pops_meet<R: Engine>() {
    const THREADS: usize = 16;
    // Of each thread, at most. On two idle cores a few hundred of all threads do. On one, where only who is preempted at the
    // wrong moment loses a race, it takes ten thousand.
    const ROUNDS: usize = 50_000;

    let stack = Stack::<usize, R, Elimination<1, Yield>>::custom();
    let (start, rounds) = (Barrier::new(THREADS), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut handle = stack.handle();
                start.wait();
                for _ in 0..ROUNDS {
                    for value in 0..1_000 {
                        // Not one by one: who is preempted between two shall find another top.
                        if value / 4 % 2 == 0 {
                            handle.push(value);
                        } else {
                            assert!(handle.pop().is_some());
                        }
                    }
                    rounds.fetch_add(1, Relaxed);
                    if stack.stats().eliminated_pops > 0 {
                        break;
                    }
                }
            });
        }
    });
    let stats = stack.stats();
    println!("after {} rounds: {stats:?}", rounds.into_inner());
    assert!(stats.eliminated_pops > 0, "no push has met a pop");
    assert_eq!(stats.eliminated_pushes, stats.eliminated_pops);
}

#[test]
fn eliminated_on_few_cores() {
    with_watchdog(pushes_and_pops_meet::<Slots<8>>);
    with_watchdog(pushes_and_pops_meet::<Haphazard>);
}
