//! The counters of the feature `stats` count what was done.

#![cfg(all(feature = "stats", not(loom)))]

#[macro_use]
mod common;

use common::*;
use std::thread;

for_each_stack! { one_thread, many_threads }

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
    for _ in 0..5 {
        stack.pop();
    }
    assert_eq!(stack.take_all().count(), 25);
    assert_eq!(stack.pop(), None);
    let done = stack.stats();
    assert_eq!((done.pushes, done.pops), (30, 30));
    assert_eq!((done.lost_races, done.eliminated_pushes, done.eliminated_pops, done.withdrawals), (0, 0, 0, 0));
    assert!(done.retired <= done.retired_peak && done.retired_peak > 0 && done.retired_peak <= 30 + R::SLOTS);
    assert!(stack.reclaim() <= 30);
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
