//! A `Drop` or an iterator of the user's that panics: every value is dropped once, and no node is lost.

use super::*;

for_each_stack_in_place! {
    in_drop_of_stack, in_drop_of_take_all, in_drop_of_into_iter, in_drop_after_pop, in_iterator_of_push_all, in_drop_of_iterator,
    in_drop_of_what_was_refused,
}

/// A value that panics when it is dropped, if its id says so.
struct Fragile(Word, Option<usize>);

impl Drop for Fragile {
    fn drop(&mut self) {
        // The `Word` in it is dropped all the same.
        if Some(self.0.id()) == self.1 {
            panic_expected();
        }
    }
}

type Tested<R, B> = Stack<Fragile, R, B>;

/// Runs `action` on a stack with all values for which there is room, some of which may be the one that panics; checks that
/// all were dropped.
fn for_each_fragile<R: InPlace, B: Backoff>(action: impl Fn(usize, Tested<R, B>)) {
    let step = R::ROOM / 8 + 1;
    for fragile in (0..R::ROOM).step_by(step).chain([R::ROOM - 1]) {
        // The last one is the value that does not find room.
        let census = Census::new(R::ROOM + 1);
        census.during(|| {
            let stack = Stack::custom();
            assert_eq!(fill(&stack, |id| Fragile(Word::new(id), Some(fragile))), R::ROOM);
            action(fragile, stack);
        });
        census.assert_all_dropped();
    }
}

/// The stack is empty, and has all its nodes.
fn assert_usable<R: InPlace, B: Backoff>(stack: &Tested<R, B>) {
    assert!(stack.is_empty());
    let census = Census::new(R::ROOM + 1);
    census.during(|| {
        for _ in 0..2 {
            assert_eq!(fill(stack, |id| Fragile(Word::new(id), None)), R::ROOM, "nodes were lost");
            assert!(stack.take_all().map(|value| value.0.id()).eq((0..R::ROOM).rev()));
        }
    });
    census.assert_all_dropped();
}

fn in_drop_of_stack<R: InPlace, B: Backoff>() {
    for_each_fragile::<R, B>(|_, stack| panics(|| drop(stack)));
}

fn in_drop_of_take_all<R: InPlace, B: Backoff>() {
    for_each_fragile::<R, B>(|fragile, stack| {
        let mut all = stack.take_all();
        // What came out is dropped later, outside.
        let out: Vec<_> = all.by_ref().take(2).collect();
        if fragile < R::ROOM - 2 {
            panics(|| drop(all));
            drop(out);
        } else {
            drop(all);
            panics(|| drop(out));
        }
        assert_usable(&stack);
    });
    // In the iterator's consumer: the iterator is dropped by unwinding.
    for_each_fragile::<R, B>(|_, stack| {
        panics(|| stack.take_all().for_each(drop));
        assert_usable(&stack);
    });
}

fn in_drop_of_into_iter<R: InPlace, B: Backoff>() {
    for_each_fragile::<R, B>(|fragile, stack| {
        let mut values = stack.into_iter();
        let out: Vec<_> = values.by_ref().take(2).collect();
        if fragile < R::ROOM - 2 {
            panics(|| drop(values));
            drop(out);
        } else {
            drop(values);
            panics(|| drop(out));
        }
    });
}

fn in_drop_after_pop<R: InPlace, B: Backoff>() {
    for_each_fragile::<R, B>(|_, stack| {
        panics(|| {
            loop {
                drop(stack.pop());
            }
        });
        while stack.try_handle().unwrap().pop().is_some() {}
        assert_usable(&stack);
    });
}

/// What an iterator that panics has given is dropped, nothing of it was pushed, and its nodes are free again.
fn in_iterator_of_push_all<R: InPlace, B: Backoff>() {
    for given in 0..R::ROOM {
        let census = Census::new(R::ROOM);
        census.during(|| {
            let stack = Tested::<R, B>::custom();
            let broken = |last: usize| {
                (0..R::ROOM).map(move |id| if id == last { panic_expected() } else { Fragile(Word::new(id), None) })
            };
            panics(|| stack.try_push_all(broken(given)));
            panics(|| stack.try_handle().unwrap().try_push_all(broken(given)));
            assert_eq!(census.alive(), 0);
            assert_usable(&stack);
            // On top of others.
            stack.try_push(Fragile(Word::new(R::ROOM - 1), None)).unwrap();
            panics(|| stack.try_push_all(broken(given.min(R::ROOM - 2))));
            assert_eq!((census.alive(), stack.pop().map(|value| value.0.id())), (1, Some(R::ROOM - 1)));
            assert_usable(&stack);
        });
        census.assert_all_dropped();
    }
}

/// The iterator has given everything, and panics as it goes: nothing was pushed.
fn in_drop_of_iterator<R: InPlace, B: Backoff>() {
    let values = |count| Loud((0..count).map(|id| Fragile(Word::new(id), None)));
    let census = Census::new(R::ROOM + 3);
    census.during(|| {
        let stack = Tested::<R, B>::custom();
        panics(|| stack.try_push_all(values(3)));
        assert_eq!(census.alive(), 0);
        assert_usable(&stack);
        // It is in the error: those that were given are pushed, and stay.
        panics(|| drop(stack.try_push_all(values(R::ROOM + 3))));
        assert_eq!(stack.take_all().count(), R::ROOM);
        assert_usable(&stack);
    });
    census.assert_all_dropped();
}

fn in_drop_of_what_was_refused<R: InPlace, B: Backoff>() {
    let census = Census::new(2 * R::ROOM + 2);
    census.during(|| {
        let stack = Tested::<R, B>::custom();
        assert_eq!(fill(&stack, |id| Fragile(Word::new(id), None)), R::ROOM);
        for (id, push) in
            [(R::ROOM + 1, Stack::try_push as fn(&Tested<R, B>, _) -> _), (R::ROOM + 2, Stack::push_spare)]
        {
            panics(|| drop(push(&stack, Fragile(Word::new(id), Some(id)))));
        }
        let id = R::ROOM + 3;
        panics(|| drop(stack.try_push_all([Fragile(Word::new(id), Some(id))])));
        assert!(stack.take_all().map(|value| value.0.id()).eq((0..R::ROOM).rev()));
        assert_usable(&stack);
    });
    census.assert_all_dropped();
}
