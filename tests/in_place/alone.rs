//! One context: order, room, what comes back.

use super::*;
use std::alloc::{Layout, alloc_zeroed};
use std::iter::FusedIterator;
use std::rc::Rc;

for_each_stack_in_place! {
    order, room, takes_all, pushes_as_many_as_it_can, iterators, handles, interrupt, values_of_one_thread, borrowed_values,
    large_values, values_without_size, moved, shows_itself, no_call_of_the_allocator,
}

/// Every way in, and every way out, in turn.
fn order<R: InPlace, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    for round in 0..scaled(2 * R::ROOM) {
        let values = round % R::ROOM + 1;
        for value in 0..values {
            assert_eq!(stack.is_empty(), value == 0);
            let pushed = match value % 4 {
                0 => stack.try_push(value),
                1 => stack.push_spare(value),
                2 => stack.interrupt().push(value),
                _ => stack.try_handle().unwrap().try_push(value),
            };
            pushed.unwrap();
        }
        for value in (0..values).rev() {
            let popped = match (value + round) % 4 {
                0 => stack.pop(),
                1 => stack.try_pop().unwrap(),
                2 => stack.interrupt().pop().unwrap(),
                _ => stack.try_handle().unwrap().pop(),
            };
            assert_eq!(popped, Some(value));
        }
        assert_eq!((stack.pop(), stack.try_pop()), (None, Ok(None)));
    }
}

/// It is full when it should be, and says so with the value; then there is room for as many as were popped.
fn room<R: InPlace, B: Backoff>() {
    fn refuses<R: InPlace, B: Backoff>(stack: &Stack<String, R, B>) {
        for push in [Stack::try_push, Stack::push_spare] {
            let refused = push(stack, String::from("too many")).unwrap_err();
            assert_eq!(refused.kind(), PushErrorKind::NoSpareNode);
            assert_eq!(refused.into_value(), "too many");
        }
    }

    let stack = Stack::<String, R, B>::custom();
    for round in 0..4 {
        assert_eq!(fill(&stack, |value| value.to_string()), R::ROOM);
        refuses(&stack);
        assert!(R::ROOM >= R::CAP);
        let popped = round % R::CAP + 1;
        for value in (R::ROOM - popped..R::ROOM).rev() {
            assert_eq!(stack.pop(), Some(value.to_string()));
        }
        for value in R::ROOM - popped..R::ROOM {
            stack.push_spare(value.to_string()).unwrap();
        }
        refuses(&stack);
        assert!((0..R::ROOM).rev().all(|value| stack.pop() == Some(value.to_string())));
        assert!(stack.is_empty());
    }
}

/// From the top down, whatever is pushed and popped meanwhile. What the iterator has yet to give has its nodes.
fn takes_all<R: InPlace, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    fill(&stack, |value| value);
    let mut taken = stack.take_all();
    assert!(stack.is_empty() && stack.pop().is_none());
    for given in 0..R::ROOM {
        let refused = stack.try_push(0).unwrap_err();
        assert_eq!(refused.kind(), PushErrorKind::NoSpareNode);
        assert_eq!(taken.next(), Some(R::ROOM - 1 - given));
        // The node of what was given.
        stack.try_push(1000 + given).unwrap();
    }
    assert_eq!(taken.next(), None);
    let mut second = stack.take_all();
    assert!((0..3).all(|at| second.next() == Some(999 + R::ROOM - at)));
    // The rest goes with the iterator.
    drop(second);
    assert_eq!(taken.next(), None);
    drop(taken);
    assert!(stack.take_all().next().is_none());
    assert_eq!(fill(&stack, |value| value), R::ROOM);
}

/// All at once, the last one on top; those for which there is no node come back in order.
fn pushes_as_many_as_it_can<R: InPlace, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    stack.try_push_all([]).unwrap();
    assert!(stack.is_empty());
    for first in 0..=R::ROOM {
        for through_handle in [false, true] {
            stack.try_push_all(0..first).unwrap();
            let seen_empty = Cell::new(0);
            let values =
                (first..R::ROOM + 5).inspect(|_| seen_empty.set(seen_empty.get() + usize::from(stack.is_empty())));
            let refused = if through_handle {
                stack.try_handle().unwrap().try_push_all(values).unwrap_err()
            } else {
                stack.try_push_all(values).unwrap_err()
            };
            assert_eq!(refused.kind(), PushErrorKind::NoSpareNode);
            assert_eq!(seen_empty.get(), if first == 0 { R::ROOM + 1 } else { 0 }, "all at once");
            assert!(refused.into_value().eq(R::ROOM..R::ROOM + 5));
            assert!(stack.take_all().eq((0..R::ROOM).rev()));
        }
    }
    // Just as many as there is room for.
    stack.try_push_all(0..R::ROOM).unwrap();
    let refused = stack.try_push_all([R::ROOM]).unwrap_err();
    assert!(refused.into_value().eq([R::ROOM]));
    // The iterator uses the stack that it fills.
    let last = stack.take_all().next();
    stack.try_push_all((0..3).inspect(|_| assert!(stack.try_push(7).is_ok() && stack.pop() == Some(7)))).unwrap();
    assert_eq!((last, stack.pop()), (Some(R::ROOM - 1), Some(2)));
}

fn iterators<R: InPlace, B: Backoff>() {
    fn ends<V: Eq + std::fmt::Debug>(mut iterator: impl FusedIterator<Item = V>) {
        assert!((0..3).all(|_| iterator.next().is_none()));
    }

    let stack = Stack::<usize, R, B>::custom();
    assert_eq!(stack.take_all().size_hint(), (0, Some(0)));
    stack.try_push_all(0..4).unwrap();
    let mut taken = stack.take_all();
    for value in (0..4).rev() {
        let (least, most) = taken.size_hint();
        assert!(least >= 1 && least <= value + 1 && most.is_none_or(|most| most > value));
        assert_eq!(taken.next(), Some(value));
    }
    assert_eq!(taken.size_hint(), (0, Some(0)));
    // What is pushed now is none of it.
    stack.try_push_all(0..3).unwrap();
    ends(taken);
    let mut rest = stack.into_iter();
    for value in (0..3).rev() {
        let (least, most) = rest.size_hint();
        assert!(least <= value + 1 && most.is_none_or(|most| most > value));
        assert_eq!(rest.next(), Some(value));
    }
    ends(rest);
}

/// Handles keep nothing: there are as many as one likes.
fn handles<R: InPlace, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let mut handles: Vec<_> = (0..50).map(|_| stack.try_handle().unwrap()).collect();
    assert!(std::ptr::eq(handles[0].stack(), &raw const stack));
    for at in 0..R::ROOM {
        assert_eq!(handles[at % 50].is_empty(), at == 0);
        let pushed = if at % 2 == 0 { handles[at % 50].try_push(at) } else { handles[at % 50].push_spare(at) };
        pushed.unwrap();
    }
    assert_eq!(handles[0].try_push(7).unwrap_err().kind(), PushErrorKind::NoSpareNode);
    assert_eq!(handles[1].push_spare(7).unwrap_err().into_value(), 7);
    std::mem::forget(handles.pop());
    for at in (0..R::ROOM).rev() {
        let popped = if at % 2 == 0 { handles[at % 49].pop() } else { handles[at % 49].try_pop().unwrap() };
        assert_eq!(popped, Some(at));
    }
    assert_eq!((handles[0].pop(), handles[1].try_pop()), (None, Ok(None)));
    assert!(stack.is_empty());
}

fn interrupt<R: InPlace, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let interrupt = stack.interrupt();
    assert!(interrupt.is_empty() && interrupt.pop() == Ok(None));
    (0..R::ROOM).for_each(|value| interrupt.push(value).unwrap());
    let refused = interrupt.push(7).unwrap_err();
    assert_eq!((refused.kind(), refused.into_value()), (PushErrorKind::NoSpareNode, 7));
    assert!(!interrupt.is_empty());
    assert!((0..R::ROOM).rev().all(|value| interrupt.pop() == Ok(Some(value))));
}

fn values_of_one_thread<R: InPlace, B: Backoff>() {
    let shared = Rc::new(Cell::new(0));
    let stack = Stack::<Rc<Cell<usize>>, R, B>::custom();
    (0..4).for_each(|_| stack.try_push(Rc::clone(&shared)).unwrap());
    assert_eq!(Rc::strong_count(&shared), 5);
    stack.pop().unwrap().set(1);
    drop(stack.take_all().next());
    assert_eq!((Rc::strong_count(&shared), shared.get()), (1, 1));
    stack.try_push(Rc::clone(&shared)).unwrap();
    drop(stack);
    assert_eq!(Rc::strong_count(&shared), 1);
}

fn borrowed_values<R: InPlace, B: Backoff>() {
    let words = [String::from("one"), String::from("two")];
    let stack = Stack::<&str, R, B>::custom();
    stack.try_push_all(words.iter().map(String::as_str)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(stack.try_handle().unwrap().pop(), Some("two")));
    });
    assert!(stack.into_iter().eq(["one"]));
}

/// Each byte goes in and comes out. That no call makes copies of it on the caller's stack is in `stack_need.rs`.
fn large_values<R: InPlace, B: Backoff>() {
    const SIZE: usize = 64 << 10;
    type Large = [u8; SIZE];
    let value = |seed: u8| std::array::from_fn(|at| (31 * at).to_le_bytes()[0] ^ seed);

    // Made where it is, for it has no room on this thread's stack.
    // SAFETY: the block is as large as it says, and new; all bits zero are an empty stack, as the suite `zero` checks.
    let stack =
        unsafe { Box::from_raw(alloc_zeroed(Layout::new::<Stack<Large, R, B>>()).cast::<Stack<Large, R, B>>()) };
    for seed in 0..4 {
        stack.try_push(value(seed)).unwrap();
    }
    assert!(stack.pop() == Some(value(3)));
    let refused = (0..R::ROOM).find_map(|_| stack.try_push(value(9)).err()).unwrap();
    assert!(refused.into_value() == value(9));
    assert!(stack.take_all().skip(R::ROOM - 3).eq((0..3).rev().map(value)));
}

fn values_without_size<R: InPlace, B: Backoff>() {
    struct Nothing;

    thread_local! {
        static DROPPED: Cell<usize> = const { Cell::new(0) };
    }

    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPPED.set(DROPPED.get() + 1);
        }
    }

    let stack = Stack::<Nothing, R, B>::custom();
    assert_eq!(fill(&stack, |_| Nothing), R::ROOM);
    // Of the value that was one too many.
    assert_eq!(DROPPED.take(), 1);
    drop(stack.pop());
    assert_eq!(DROPPED.take(), 1);
    stack.take_all().take(2).for_each(drop);
    assert_eq!(DROPPED.take(), R::ROOM - 1);
    assert_eq!(stack.try_push_all((0..R::ROOM + 3).map(|_| Nothing)).unwrap_err().into_value().count(), 3);
    drop(stack);
    assert_eq!(DROPPED.take(), R::ROOM + 3);
}

/// A stack with values moves as any value does.
fn moved<R: InPlace, B: Backoff>() {
    let stack = Stack::<Box<usize>, R, B>::custom();
    (0..4).for_each(|value| stack.try_push(Box::new(value)).unwrap());
    let boxed = Box::new(stack);
    assert_eq!(boxed.pop().as_deref(), Some(&3));
    let mut stacks = [*boxed, Stack::default()];
    stacks.swap(0, 1);
    assert!(stacks[0].is_empty());
    assert!(stacks[1].take_all().map(|value| *value).eq([2, 1, 0]));
    assert!(stacks.iter().all(|stack| fill(stack, Box::new) == R::ROOM));
}

fn shows_itself<R: InPlace, B: Backoff>() {
    let stack = Stack::<Rc<()>, R, B>::default();
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: true, .. }");
    stack.try_push(Rc::new(())).unwrap();
    assert_eq!(format!("{:?}", stack.interrupt()), "Interrupt(Stack { is_empty: false, .. })");
    assert_eq!(format!("{:?}", stack.try_handle().unwrap()), "Handle { stack: Stack { is_empty: false, .. }, .. }");
    assert_eq!(format!("{:?}", stack.take_all()), "TakeAll { is_empty: false, .. }");
    assert_eq!(format!("{:?}", stack.into_iter()), "IntoIter(Stack { is_empty: true, .. })");
}

fn no_call_of_the_allocator<R: InPlace, B: Backoff>() {
    let ledger = ledger();
    ledger.no_calls("a stack in place", || {
        let stack = Stack::<_, R, B>::custom();
        assert_eq!(fill(&stack, block), R::ROOM);
        assert!(stack.push_spare(block(0)).is_err() && stack.interrupt().push(block(0)).is_err());
        drop(stack.try_pop());
        let mut handle = stack.try_handle().unwrap();
        drop((handle.pop(), handle.pop()));
        handle.try_push(block(1)).unwrap();
        drop(handle.try_push_all((0..R::CAP).map(block)));
        drop(handle);
        stack.take_all().take(3).for_each(drop);
        drop(stack.try_push_all((0..R::CAP + 50).map(block)));
        assert!(!stack.is_empty() && stack.pop().is_some());
        let mut rest = stack.into_iter();
        drop(rest.next());
        drop(rest);
    });
    // The ledger counts.
    ledger.during(|| drop(Box::new(block(1))));
    assert_eq!(ledger.calls(), (1, 1));
}

#[test]
fn statics() {
    static BYTES: Stack<u8, Fixed<8>> = Stack::custom();
    static ROW: [Stack<&str, Fixed<2, 1>, NoBackoff>; 3] = [const { Stack::custom() }; 3];

    thread::spawn(|| {
        BYTES.try_push(1).unwrap();
        ROW[1].try_handle().unwrap().try_push("one").unwrap();
    })
    .join()
    .unwrap();
    assert_eq!((BYTES.pop(), ROW[0].pop(), ROW[1].pop()), (Some(1), None, Some("one")));
    assert_eq!(fill(&BYTES, |_| 7), 8 + 4);
}

/// The most nodes that there may be, of which there is no number too many.
#[test]
fn most_nodes() {
    static FIXED: Stack<u32, Fixed<65531, 2>> = Stack::custom();

    assert_eq!(fill(&FIXED, |value| u32::try_from(value).unwrap()), 65535);
    assert!(FIXED.take_all().eq((0..65535).rev()));
    #[cfg(feature = "critical-section")]
    {
        static MASKED: Stack<u32, Masked<65535>> = Stack::custom();

        assert_eq!(fill(&MASKED, |value| u32::try_from(value).unwrap()), 65535);
        assert!(MASKED.take_all().eq((0..65535).rev()));
    }
}

/// With few nodes a stack has the size that its documentation says.
#[test]
fn sizes() {
    assert!(size_of::<Stack<u16, Fixed<64>>>() <= (64 + 4) * 4 + 48);
    #[cfg(feature = "critical-section")]
    assert_eq!(size_of::<Stack<u16, Masked<64>>>(), 64 * 4 + 2 * size_of::<usize>());
}
