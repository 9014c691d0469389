//! The engines whose nodes lie in the stack.

use crate::common::*;
use crate::engines::InPlace;
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

fn refused(result: Result<(), PushError<Word>>) {
    out(result.err().map(PushError::into_value));
}

/// A stack that is full is emptied in each way, a stack that moves, and one that is dropped with values.
pub fn alone<R: InPlace, B: Backoff>() {
    let census = Census::new(R::ROOM + 9);
    census.during(|| {
        let stack = Stack::<Word, R, B>::custom();
        let too_many = stack.try_push_all((0..R::ROOM + 2).map(Word::new)).unwrap_err();
        assert_eq!(too_many.into_value().count(), 2);
        let stack = *Box::new(stack);
        let mut taken = stack.take_all();
        (0..2).for_each(|_| out(taken.next()));
        (0..2).for_each(|id| refused(stack.push_spare(Word::new(R::ROOM + 2 + id))));
        // The rest is dropped.
        drop(taken);
        out(stack.pop());
        let mut handle = stack.try_handle().unwrap();
        (4..7).for_each(|id| refused(handle.try_push(Word::new(R::ROOM + id))));
        out(handle.try_pop().unwrap());
        assert!(!format!("{handle:?} {stack:?} {:?}", stack.interrupt()).is_empty());
        drop(handle);
        let mut rest = stack.into_iter();
        out(rest.next());
    });
    census.assert_all_dropped();
}

/// Each thread makes calls of all kinds at random.
pub fn together<R: InPlace, B: Backoff>(seed: usize, threads: usize) {
    let census = Census::new(threads * CALLS * VALUES);
    census.during(|| {
        let (stack, ids) = (Stack::<Word, R, B>::custom(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..threads {
                let (census, stack, ids) = (&census, &stack, &ids);
                let random = Random::new(4 * seed + thread);
                scope.spawn(move || census.during(|| calls(stack, ids, random)));
            }
        });
        stack.into_iter().for_each(|value| out(Some(value)));
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

fn calls<R: InPlace, B: Backoff>(stack: &Stack<Word, R, B>, ids: &AtomicUsize, mut random: Random) {
    let value = || Word::new(ids.fetch_add(1, Relaxed));
    let mut handle = stack.try_handle().unwrap();
    for _ in 0..CALLS {
        match random.below(16) {
            0..4 => refused(stack.try_push(value())),
            4 => refused(stack.push_spare(value())),
            5..7 => refused(handle.try_push(value())),
            7 => {
                let pushed = stack.try_push_all((0..VALUES).map(|_| value()));
                pushed.err().into_iter().flat_map(PushError::into_value).for_each(|value| out(Some(value)));
            }
            8 => stack.take_all().for_each(|value| out(Some(value))),
            9..11 => out(stack.try_pop().unwrap_or_default()),
            11..13 => out(handle.pop()),
            _ => out(stack.pop()),
        }
    }
}
