//! What one thread does.

use crate::common::*;

/// Each method at least once, those of errors and iterators too.
pub fn every_method<R: Engine, B: Backoff>() {
    let census = Census::new(200);
    let mut ids = 0..200;
    let mut value = || Word::new(ids.next().unwrap());
    census.during(|| {
        let mut stack = Stack::<Word, R, B>::custom();
        assert!(stack.is_empty() && stack.pop().is_none() && stack.try_pop().unwrap().is_none());
        let refused = stack.push_spare(value()).unwrap_err();
        assert_eq!(refused.kind(), PushErrorKind::NoSpareNode);
        assert!(!format!("{refused} {refused:?}").is_empty());
        stack.push(refused.into_value());
        stack.try_push(value()).unwrap();
        drop(stack.pop());
        stack.reserve(3).unwrap();
        assert_eq!(stack.reserve(usize::MAX), Err(OutOfMemory));
        stack.push_spare(value()).unwrap();
        stack.push_all([value(), value(), value()]);
        (&stack).extend([value()]);
        stack.extend([value()]);
        drop(stack.try_pop().unwrap());
        through_handles(&stack, &mut value);
        let mut taken = stack.take_all();
        drop(taken.next());
        assert!(!format!("{stack:?} {taken:?} {:?}", taken.size_hint()).is_empty());
        stack.push(value());
        // The rest is dropped.
        drop(taken);
        #[cfg(feature = "stats")]
        assert!(stack.stats().pushes > 0);
        stack.reclaim();
        stack.push_all((0..2).map(|_| value()));
        let mut rest = stack.into_iter();
        drop(rest.next());
        // A value is left in it.
        drop(rest);
        let collected: Stack<Word, R, B> = [value(), value()].into_iter().collect();
        drop(collected.take_all());
        drop(Stack::<Word, R, B>::default());
    });
    census.assert_all_dropped();
}

fn through_handles<R: Engine, B: Backoff>(stack: &Stack<Word, R, B>, value: &mut impl FnMut() -> Word) {
    let mut handle = stack.handle();
    let mut second = stack.try_handle().unwrap();
    handle.push(value());
    second.try_push(value()).unwrap();
    drop(handle.pop());
    // On top of a node that the handle keeps, or another one does.
    handle.push(value());
    handle.push(value());
    drop(second.pop());
    drop(handle.pop());
    drop(second.push_spare(value()).map_err(PushError::into_value));
    handle.push_all([value(), value()]);
    second.extend([value()]);
    assert!(!format!("{handle:?}").is_empty());
    drop(handle);
    drop(second.pop());
}

/// A stack is moved while it has values, and retired nodes, and spare ones; and what its slots remember of each other is used before
/// and after.
pub fn moved<R: Engine, B: Backoff>() {
    let census = Census::new(2 * R::RETIRED + 10);
    census.during(|| {
        let stack = Stack::<Word, R, B>::custom();
        stack.push_all((0..R::RETIRED + 5).map(Word::new));
        (0..R::RETIRED + 2).for_each(|_| drop(stack.pop()));
        beside_handles(&stack);
        let boxed = Box::new(stack);
        beside_handles(&boxed);
        boxed.push(Word::new(R::RETIRED + 5));
        drop(boxed.handle().pop());
        let stack = *boxed;
        beside_handles(&stack);
        let more = R::RETIRED + 6..2 * R::RETIRED + 10;
        more.for_each(|id| stack.push(Word::new(id)));
        let stacks = [stack, Stack::custom()];
        drop(stacks[0].pop());
        stacks[1].reclaim();
    });
    census.assert_all_dropped();
}

/// Operations while each slot in turn is a handle's.
fn beside_handles<R: Engine, B: Backoff>(stack: &Stack<Word, R, B>) {
    let mut handles = Vec::new();
    for _ in 0..10 {
        if let Some(word) = stack.pop() {
            stack.push(word);
        }
        handles.push(stack.handle());
    }
}

pub fn dropped_with_retired_nodes<R: Engine, B: Backoff>() {
    for popped in [1, R::RETIRED - 1, R::RETIRED + 1] {
        let census = Census::new(popped + 3);
        census.during(|| {
            let stack = Stack::<Word, R, B>::custom();
            stack.push_all((0..popped + 3).map(Word::new));
            let mut handle = stack.handle();
            (0..popped).for_each(|_| drop(handle.pop()));
            drop(handle);
            drop(stack);
        });
        census.assert_all_dropped();
    }
}
