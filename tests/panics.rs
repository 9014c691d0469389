//! A `Drop` or an iterator of the user's that panics: every other value is still dropped, once, and the stack works on.

#[macro_use]
mod common;
#[path = "common/expected.rs"]
mod expected;

use common::*;
use expected::{Loud, panic_expected, panics};

for_each_stack! {
    in_drop_of_stack, in_drop_of_take_all, in_drop_of_into_iter, in_consumer_of_take_all, in_iterator_of_push_all,
    in_drop_after_pop, in_drop_of_iterator, in_iterator_while_values_hold_slots, in_iterator_of_from_iter,
}

const VALUES: usize = 20;

/// A value that panics when it is dropped, if its id says so.
struct Fragile(Word, Option<usize>);

impl Counted for Fragile {
    fn id(&self) -> usize {
        self.0.id()
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        // The `Word` in it is dropped all the same.
        if Some(self.0.id()) == self.1 {
            panic_expected();
        }
    }
}

/// A consumer that panics with a value in hand.
fn panic_with(value: Fragile) {
    let _in_hand = value;
    if std::hint::black_box(true) {
        panic_expected();
    }
}

/// Runs `action` once for each value that may be the one that panics, and checks that all were dropped.
fn for_each_fragile(action: impl Fn(usize, &dyn Fn(usize) -> Fragile)) {
    for fragile in 0..VALUES {
        let census = Census::new(VALUES);
        census.during(|| action(fragile, &|id| Fragile(Word::new(id), Some(fragile))));
        census.assert_all_dropped();
    }
}

/// The stack holds `0..VALUES` afterwards, and works: through its own calls, and through handles.
fn assert_usable<R: Engine, B: Backoff>(stack: &Stack<Fragile, R, B>) {
    assert!(stack.is_empty());
    let handles: Vec<_> = (0..10).map(|_| stack.handle()).collect();
    assert_eq!(stack.try_pop().map(|value| value.is_none()), Ok(true));
    drop(handles);
    for round in 0..100 {
        let census = Census::new(VALUES);
        census.during(|| {
            let mut handle = stack.handle();
            for id in 0..VALUES {
                let value = Fragile(Word::new(id), None);
                if id % 2 == round % 2 { stack.push(value) } else { handle.push(value) }
            }
            for id in (0..VALUES).rev() {
                assert_eq!(stack.pop().map(|value| value.id()), Some(id));
            }
            assert!(handle.pop().is_none());
        });
        census.assert_all_dropped();
    }
}

fn in_drop_of_stack<R: Engine, B: Backoff>() {
    for_each_fragile(|_, make| {
        let stack: Stack<Fragile, R, B> = (0..VALUES).map(make).collect();
        panics(|| drop(stack));
    });
}

/// Drops an iterator that is partly consumed; what came out is dropped later, outside.
fn drop_half_way(mut values: impl Iterator<Item = Fragile>, fragile: usize) {
    let out: Vec<_> = values.by_ref().take(5).collect();
    if fragile < VALUES - 5 {
        panics(|| drop(values));
        drop(out);
    } else {
        drop(values);
        panics(|| drop(out));
    }
}

fn in_drop_of_take_all<R: Engine, B: Backoff>() {
    for_each_fragile(|fragile, make| {
        let stack: Stack<Fragile, R, B> = (0..VALUES).map(make).collect();
        drop_half_way(stack.take_all(), fragile);
        assert_usable(&stack);
    });
}

fn in_drop_of_into_iter<R: Engine, B: Backoff>() {
    for_each_fragile(|fragile, make| {
        drop_half_way((0..VALUES).map(make).collect::<Stack<_, R, B>>().into_iter(), fragile);
    });
}

fn in_consumer_of_take_all<R: Engine, B: Backoff>() {
    for_each_fragile(|_, make| {
        let stack: Stack<Fragile, R, B> = (0..VALUES).map(make).collect();
        // The value that panics is dropped by the loop, and the iterator is then dropped by unwinding.
        panics(|| stack.take_all().for_each(drop));
        assert_usable(&stack);
        stack.push_all((0..3).map(|id| Fragile(Word::new(id), None)));
        panics(|| stack.take_all().for_each(panic_with));
        assert_usable(&stack);
        stack.push_all((0..3).map(|id| Fragile(Word::new(id), None)));
        let values = std::mem::take(&mut { stack }).into_iter();
        panics(|| values.for_each(panic_with));
    });
}

fn in_drop_after_pop<R: Engine, B: Backoff>() {
    for_each_fragile(|fragile, make| {
        let stack: Stack<Fragile, R, B> = (0..VALUES).map(make).collect();
        panics(|| {
            let mut handle = stack.handle();
            loop {
                drop(handle.pop());
            }
        });
        stack.take_all().for_each(drop);
        stack.push_all([make(fragile)]);
        panics(|| drop(stack.try_pop()));
        assert_usable(&stack);
    });
}

/// What an iterator that panics has given is dropped, and nothing of it was pushed.
fn in_iterator_of_push_all<R: Engine, B: Backoff>() {
    for fragile in 0..VALUES {
        let census = Census::new(2 * VALUES);
        census.during(|| {
            let stack: Stack<Fragile, R, B> = (0..3).map(|id| Fragile(Word::new(id), None)).collect();
            let broken = || {
                (3..VALUES + 3).map(|id| {
                    if id == fragile + 3 {
                        panic_expected();
                    }
                    Fragile(Word::new(id), None)
                })
            };
            panics(|| stack.push_all(broken()));
            assert_eq!(census.alive(), 3);
            panics(|| (&stack).extend(broken()));
            let mut handle = stack.handle();
            panics(|| handle.push_all(broken()));
            panics(|| handle.extend(broken()));
            assert_eq!(census.alive(), 3);
            // The handle survives, too.
            handle.push(Fragile(Word::new(VALUES + 3), None));
            drop(handle);
            assert!(stack.take_all().map(|value| value.id()).eq([VALUES + 3, 2, 1, 0]));
            assert_usable(&stack);
        });
        census.assert_all_dropped();
    }
}

/// The iterator has given everything, and panics as it goes: nothing was pushed.
fn in_drop_of_iterator<R: Engine, B: Backoff>() {
    let values = |count| Loud((0..count).map(|id| Fragile(Word::new(id), None)));
    let census = Census::new(VALUES);
    census.during(|| {
        let stack = Stack::<Fragile, R, B>::custom();
        panics(|| stack.push_all(values(VALUES)));
        panics(|| stack.handle().push_all(values(VALUES)));
        assert_eq!(census.alive(), 0);
        assert_usable(&stack);
    });
    census.assert_all_dropped();
}

/// The iterator uses the stack that it fills, and panics while it holds handles.
fn in_iterator_while_values_hold_slots<R: Engine, B: Backoff>() {
    let census = Census::new(100);
    census.during(|| {
        let stack = Stack::<Fragile, R, B>::custom();
        panics(|| {
            let mut handles = Vec::new();
            stack.push_all((0..50).map(|id| {
                handles.push(stack.handle());
                handles[id].push(Fragile(Word::new(50 + id), None));
                if id == 12 {
                    panic_expected();
                }
                Fragile(Word::new(id), None)
            }));
        });
        assert_eq!(census.alive(), 13);
        assert!(stack.take_all().map(|value| value.id()).eq((50..63).rev()));
        assert_usable(&stack);
    });
    census.assert_all_dropped();
}

fn in_iterator_of_from_iter<R: Engine, B: Backoff>() {
    let census = Census::new(VALUES);
    census.during(|| {
        panics(|| {
            (0..VALUES)
                .map(|id| if id == 7 { panic_expected() } else { Fragile(Word::new(id), None) })
                .collect::<Stack<_, R, B>>()
        });
    });
    census.assert_all_dropped();
}
