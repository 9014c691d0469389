//! Models of sleeping workers: in every execution all wake up. Where one does not, loom says that there is a deadlock.
//!
//! Run with `ci/work-stack`, which also takes away what they need, one thing at a time: then one does not. The stack and the
//! event are the real ones, over loom's atomics; the task's waker and the cores' event are models of what those do.
#![cfg(loom)]

// The library's own models check themselves by the same.
#[path = "../../../../tests/loom/tests/common/mod.rs"]
mod common;

use common::check;
use event_listener::Event;
use loom::future::{AtomicWaker, block_on};
use loom::sync::{Arc, Notify};
use loom::thread;
use std::cell::Cell;
use work_stack::{Bell, Listen, WorkStack};

loom::thread_local! {
    /// The number of the core that a thread stands for.
    static CORE: Cell<usize> = Cell::new(0);
}

/// What [`work_stack`]'s bell for Arm does, on two cores: an event goes to all, and each remembers one until it waits next.
#[derive(Default)]
struct Events([Notify; 2]);

impl Bell for Events {
    fn ring(&self) {
        self.0.iter().for_each(Notify::notify);
    }

    fn ring_all(&self) {
        self.ring();
    }
}

impl Listen for Events {
    type Listener<'a> = ();

    fn listen(&self) {}

    fn wait(&self, (): ()) {
        self.0[CORE.with(Cell::get)].wait();
    }
}

type Pop<B> = fn(&WorkStack<u32, B>) -> Option<u32>;

/// Starts `workers`, each of which pops once; does `work` meanwhile; returns what they got, in order.
fn workers<B: Bell + Send + Sync + 'static>(
    workers: usize,
    bell: B,
    pop: Pop<B>,
    work: fn(&WorkStack<u32, B>),
) -> Vec<Option<u32>> {
    let stack = Arc::new(WorkStack::new(bell));
    let start = |core| {
        let stack = stack.clone();
        thread::spawn(move || {
            CORE.with(|own| own.set(core));
            pop(&stack)
        })
    };
    let threads: Vec<_> = (0..workers).map(start).collect();
    work(&stack);
    let mut got: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    got.sort_unstable();
    got
}

/// What holds for one worker, whatever wakes it.
fn one_worker_wakes_up<B: Bell + Send + Sync + 'static>(bell: fn() -> B, pop: Pop<B>) {
    check(3, move || assert_eq!(workers(1, bell(), pop, |stack| stack.push(1)), [Some(1)]));
    check(3, move || assert_eq!(workers(1, bell(), pop, WorkStack::close), [None]));
    let push_and_close = |stack: &WorkStack<u32, B>| {
        stack.push(1);
        stack.close();
    };
    check(3, move || {
        assert_eq!(workers(1, bell(), pop, push_and_close), [Some(1)], "what was pushed before comes first");
    });
}

/// What holds for several.
fn two_workers_wake_up<B: Listen + Send + Sync + 'static>(bell: fn() -> B) {
    let push_twice = |stack: &WorkStack<u32, B>| {
        stack.push(1);
        stack.push(2);
    };
    check(2, move || assert_eq!(workers(2, bell(), WorkStack::pop, push_twice), [Some(1), Some(2)]));
    check(2, move || assert_eq!(workers(2, bell(), WorkStack::pop, WorkStack::close), [None, None]));
    let push_and_close = |stack: &WorkStack<u32, B>| {
        stack.push(1);
        stack.close();
    };
    check(2, move || assert_eq!(workers(2, bell(), WorkStack::pop, push_and_close), [None, Some(1)]));
}

#[test]
fn threads() {
    one_worker_wakes_up(Event::new, WorkStack::pop);
    two_workers_wake_up(Event::new);
}

#[test]
fn tasks() {
    one_worker_wakes_up(AtomicWaker::new, |stack| block_on(stack.pop_async()));
}

#[test]
fn cores() {
    one_worker_wakes_up(Events::default, WorkStack::pop);
    two_workers_wake_up(Events::default);
}
