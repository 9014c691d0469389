//! What a few threads do at the same time.

use crate::common::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Calls of each thread.
const CALLS: usize = 24;
/// Values of a call, at most.
const VALUES: usize = 4;

fn out(value: Option<Word>) {
    if let Some(value) = value {
        Census::out(value.id());
    }
}

/// A stack of which this thread's slot is about to scan: as if it had been in use for long. How many values that took.
fn used_for_long<R: Engine, B: Backoff>() -> (Stack<Word, R, B>, usize) {
    let stack = Stack::custom();
    let values = R::RETIRED + 2;
    stack.push_all((0..values).map(Word::new));
    (0..R::RETIRED - 1).for_each(|_| out(stack.pop()));
    (stack, values)
}

/// A handle whose slot is about to scan, for another thread.
fn handle_used_for_long<'a, R: Engine, B: Backoff>(
    stack: &'a Stack<Word, R, B>,
    ids: &AtomicUsize,
) -> Handle<'a, Word, R, B> {
    let mut handle = stack.handle();
    let first = ids.fetch_add(R::RETIRED, Relaxed);
    handle.push_all((first..first + R::RETIRED).map(Word::new));
    (0..R::RETIRED - 1).for_each(|_| out(handle.pop()));
    handle
}

/// Each thread makes calls of all kinds at random.
pub fn everything<R: Engine, B: Backoff>(seed: usize, threads: usize) {
    let census = Census::new((threads + 1) * (R::RETIRED + 2) + threads * CALLS * VALUES);
    census.during(|| {
        let (stack, first) = used_for_long::<R, B>();
        let ids = AtomicUsize::new(first);
        thread::scope(|scope| {
            for thread in 0..threads {
                let (census, stack, ids) = (&census, &stack, &ids);
                let random = Random::new(4 * seed + thread);
                let handle = (thread % 2 == 0).then(|| handle_used_for_long(stack, ids));
                scope.spawn(move || census.during(|| calls(stack, ids, random, handle)));
            }
        });
        stack.into_iter().for_each(|value| out(Some(value)));
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

fn calls<R: Engine, B: Backoff>(
    stack: &Stack<Word, R, B>,
    ids: &AtomicUsize,
    mut random: Random,
    mut handle: Option<Handle<'_, Word, R, B>>,
) {
    let value = || Word::new(ids.fetch_add(1, Relaxed));
    for _ in 0..CALLS {
        match (random.below(16), &mut handle) {
            (0..5, Some(handle)) => handle.push(value()),
            (0..4, None) => stack.push(value()),
            (4, None) => stack.try_push(value()).unwrap(),
            (5, Some(handle)) => out(handle.push_spare(value()).err().map(PushError::into_value)),
            (5, None) => out(stack.push_spare(value()).err().map(PushError::into_value)),
            (6, Some(handle)) => handle.push_all((0..VALUES).map(|_| value())),
            (6, None) => stack.push_all((0..VALUES).map(|_| value())),
            (7, _) => stack.take_all().for_each(|value| out(Some(value))),
            (8, _) => _ = stack.reclaim(),
            (9, _) => out(stack.try_pop().unwrap_or_default()),
            (10, _) => stack.reserve(1).unwrap(),
            (_, Some(handle)) => out(handle.pop()),
            (_, None) => out(stack.pop()),
        }
    }
}

/// Two handles push and pop in turn, so each keeps the node of its last push while the other one works on the list.
pub fn pairs<R: Engine, B: Backoff>() {
    let census = Census::new(2 * (CALLS + R::RETIRED));
    census.during(|| {
        let (stack, ids) = (Stack::<Word, R, B>::custom(), AtomicUsize::new(0));
        let handles = [(); 2].map(|()| handle_used_for_long(&stack, &ids));
        thread::scope(|scope| {
            for mut handle in handles {
                let (census, ids) = (&census, &ids);
                scope.spawn(move || {
                    census.during(|| {
                        for _ in 0..CALLS {
                            handle.push(Word::new(ids.fetch_add(1, Relaxed)));
                            out(handle.pop());
                        }
                    });
                });
            }
        });
        stack.take_all().for_each(|value| out(Some(value)));
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

/// Values that a push finds where its caller has them, and whose next owner drops them while the call still runs.
pub fn large_values<R: Engine, B: Backoff>() {
    type Large = (Box<usize>, [usize; 4]);

    let stack = Stack::<Large, R, B>::custom();
    let value = |id| (Box::new(id), [id; 4]);
    thread::scope(|scope| {
        let stack = &stack;
        scope.spawn(move || {
            let mut handle = stack.handle();
            for id in 0..CALLS {
                handle.push(value(id));
                stack.push(value(id));
                if let Err(error) = stack.push_spare(value(id)) {
                    let (mut first, others) = error.into_value();
                    *first += 1;
                    assert_eq!((*first, others), (id + 1, [id; 4]));
                }
            }
        });
        scope.spawn(move || {
            for _ in 0..4 * CALLS {
                if let Some((first, others)) = stack.pop() {
                    assert_eq!([*first; 4], others);
                }
            }
        });
    });
}

/// A node is pushed again with a value whose next owner drops it while the call still runs.
pub fn nodes_again<R: Engine, B: Backoff>() {
    let stack = Stack::<Box<usize>, R, B>::custom();
    thread::scope(|scope| {
        let stack = &stack;
        scope.spawn(move || {
            let mut handle = stack.handle();
            for id in 0..2 * CALLS {
                handle.push(Box::new(id));
                drop(handle.pop());
                stack.push(Box::new(id));
                drop(stack.pop());
            }
        });
        scope.spawn(move || (0..4 * CALLS).for_each(|_| drop(stack.pop())));
    });
}

/// An iterator's nodes come back while others pop, push and reclaim.
pub fn beside_iterators<R: Engine, B: Backoff>() {
    const ROUNDS: usize = 6;
    let total = ROUNDS * VALUES + ROUNDS;
    let census = Census::new(total + R::RETIRED + 2);
    census.during(|| {
        let (stack, first) = used_for_long::<R, B>();
        thread::scope(|scope| {
            let (census, stack) = (&census, &stack);
            scope.spawn(move || {
                census.during(|| {
                    for round in 0..ROUNDS {
                        let ids = first + round * VALUES..first + (round + 1) * VALUES;
                        stack.push_all(ids.map(Word::new));
                        let mut taken = stack.take_all();
                        out(taken.next());
                        stack.push(Word::new(first + ROUNDS * VALUES + round));
                        taken.for_each(|value| out(Some(value)));
                    }
                });
            });
            scope.spawn(move || {
                census.during(|| {
                    let mut handle = stack.handle();
                    (0..2 * ROUNDS).for_each(|_| out(handle.pop()));
                });
            });
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    stack.reclaim();
                    thread::yield_now();
                }
            });
        });
        stack.into_iter().for_each(|value| out(Some(value)));
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

/// What belongs to a handle's slot goes from thread to thread.
pub fn a_handle_that_moves<R: Engine, B: Backoff>() {
    let census = Census::new(3 * VALUES + R::RETIRED + 2);
    census.during(|| {
        let (stack, first) = used_for_long::<R, B>();
        thread::scope(|scope| {
            let mut handle = stack.handle();
            for round in 0..3 {
                let census = &census;
                let worker = scope.spawn(move || {
                    census.during(move || {
                        let ids = first + round * VALUES..first + (round + 1) * VALUES;
                        ids.for_each(|id| handle.push(Word::new(id)));
                        (0..VALUES - 1).for_each(|_| out(handle.pop()));
                        handle
                    })
                });
                out(stack.pop());
                handle = worker.join().unwrap();
            }
        });
        stack.into_iter().for_each(|value| out(Some(value)));
    });
    census.assert_all_out();
    census.assert_all_dropped();
}
