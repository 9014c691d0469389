//! Threads: every value comes out once.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

for_each_stack_in_place! { as_many_threads_as_slots, more_threads_than_slots, take_all_beside_pushes }

/// Calls of each thread.
const CALLS: usize = 20_000;

/// Nobody is refused for want of a slot, nor of a node as long as there are fewer values than `CAP`.
fn as_many_threads_as_slots<R: InPlace, B: Backoff>() {
    let threads = R::CONTEXTS.min(8);
    let refused = conserves_values::<R, B>(threads, R::CAP / threads);
    assert_eq!(refused, [0, 0], "for want of a slot, and of a node, with room for all");
    // With one value more each, it may be.
    conserves_values::<R, B>(threads, R::CAP / threads + 1);
}

/// Then a call may find no slot, and says so; and no value is lost.
fn more_threads_than_slots<R: InPlace, B: Backoff>() {
    let threads = R::CONTEXTS.min(6) + 2;
    let refused = conserves_values::<R, B>(threads, R::CAP / threads + 1);
    assert!(R::CONTEXTS < usize::MAX || refused[0] == 0);
}

/// Threads push and pop at random, each as long as it has at most `most` values in the stack. Checks that each value comes out
/// once, and that there is room afterwards. Returns how often a thread was refused for want of a slot, and of a node.
fn conserves_values<R: InPlace, B: Backoff>(threads: usize, most: usize) -> [usize; 2] {
    let calls = scaled(CALLS);
    let stack = &Stack::<Box<usize>, R, B>::custom();
    let seen: Vec<_> = (0..threads * calls).map(|_| AtomicBool::new(false)).collect();
    let refused = [const { AtomicUsize::new(0) }; 2];
    // How many are in the stack of each thread's, or are about to go in.
    let inside: Vec<_> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
    let arrive = |value: Box<usize>| {
        assert!(!seen[*value].swap(true, SeqCst), "{value} twice");
        inside[*value / calls].fetch_sub(1, SeqCst);
    };
    let refuse = |error: PushError<Box<usize>>| {
        refused[usize::from(error.kind() != PushErrorKind::NoSlot)].fetch_add(1, SeqCst);
        arrive(error.into_value());
    };
    thread::scope(|scope| {
        for thread in 0..threads {
            let (inside, refused, seen) = (&inside, &refused, &seen);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                let mut handle = stack.try_handle().unwrap();
                for value in (thread * calls..(thread + 1) * calls).map(Box::new) {
                    if inside[thread].load(SeqCst) < most {
                        inside[thread].fetch_add(1, SeqCst);
                        let pushed = match random.below(3) {
                            0 => stack.push_spare(value),
                            1 => handle.try_push(value),
                            _ => stack.try_push(value),
                        };
                        pushed.unwrap_or_else(refuse);
                    } else {
                        seen[*value].store(true, SeqCst);
                    }
                    match random.below(8) {
                        0..2 => stack.pop().into_iter().for_each(arrive),
                        2 => handle.pop().into_iter().for_each(arrive),
                        3 if stack.is_empty() => thread::yield_now(),
                        3..6 => match stack.try_pop() {
                            Ok(value) => value.into_iter().for_each(arrive),
                            Err(_) => _ = refused[0].fetch_add(1, SeqCst),
                        },
                        _ => {}
                    }
                }
            });
        }
    });
    while let Some(value) = stack.pop() {
        arrive(value);
    }
    assert!(seen.iter().all(|seen| seen.load(SeqCst)), "a value was lost");
    let room = fill(stack, |_| Box::new(0));
    assert!((R::CAP..=R::ROOM).contains(&room), "room for {room}");
    refused.map(AtomicUsize::into_inner)
}

/// Each thread's values are in the reverse order of their pushes in what one call takes.
fn take_all_beside_pushes<R: InPlace, B: Backoff>() {
    const PUSHERS: usize = 2;
    let calls = scaled(CALLS);
    let stack = &Stack::<(usize, usize), R, B>::custom();
    let running = &AtomicUsize::new(PUSHERS);
    let mut taken = 0;
    thread::scope(|scope| {
        for thread in 0..PUSHERS {
            scope.spawn(move || {
                let mut next = 0;
                while next < calls {
                    if next % 5 == 0 {
                        let end = calls.min(next + 3);
                        match stack.try_push_all((next..end).map(|value| (thread, value))) {
                            Ok(()) => next = end,
                            Err(refused) => next = end - refused.into_value().count(),
                        }
                    } else if stack.try_push((thread, next)).is_ok() {
                        next += 1;
                    } else {
                        thread::yield_now();
                    }
                }
                running.fetch_sub(1, SeqCst);
            });
        }
        let mut expected = [0; PUSHERS];
        loop {
            let over = running.load(SeqCst) == 0;
            let all: Vec<_> = stack.take_all().collect();
            for &(thread, value) in all.iter().rev() {
                assert_eq!(value, expected[thread], "thread {thread}");
                expected[thread] += 1;
            }
            taken += all.len();
            if over && all.is_empty() {
                break;
            }
        }
    });
    assert_eq!(taken, PUSHERS * calls);
}
