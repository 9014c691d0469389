//! One thread: the order of values, what the traits of collections promise, handles and spare nodes. (All methods in any
//! order, against a model: see `programs.rs`.)

#[macro_use]
mod common;

use common::*;
use std::error::Error;
use std::mem;
use std::rc::Rc;

for_each_stack! {
    order_of_push_all, order_of_collections, extend_exclusive, default_and_debug, handle_keeps_its_stack, many_handles,
    push_spare_takes_from_everywhere, reclaim_counts, not_send_values, handle_looks_and_pops, interrupt_is_the_stack,
    moves,
}

/// What is never to reclaim by itself keeps all spare nodes, too.
#[test]
fn haphazard_without_a_limit() {
    let stack = Stack::<u8, Haphazard<{ usize::MAX }>, NoBackoff>::custom();
    stack.reserve(1).unwrap();
    stack.push(1);
    assert_eq!((stack.pop(), stack.pop()), (Some(1), None));
}

/// A value that shows by the count of an `Rc` whether it was dropped, once.
struct Item(u32, #[expect(dead_code, reason = "counts by existing")] Rc<()>);

fn order_of_push_all<R: Engine, B: Backoff>() {
    let stack = Stack::<u32, R, B>::custom();
    stack.push(0);
    stack.push_all([1, 2, 3]);
    stack.push_all([]);
    stack.push_all(std::iter::once(4));
    stack.handle().push_all(5..8);
    assert!(stack.take_all().eq([7, 6, 5, 4, 3, 2, 1, 0]));
    assert!(stack.is_empty());
    assert_eq!(stack.take_all().next(), None);
    // An iterator that pushes and pops itself: what it gives is not visible before its end.
    stack.push(1);
    stack.push_all((10..13).inspect(|&value| {
        stack.push(100 + value);
        assert_eq!(stack.pop(), Some(100 + value));
        assert_eq!(stack.pop(), Some(1));
        stack.push(1);
    }));
    assert!(stack.take_all().eq([12, 11, 10, 1]));
}

fn order_of_collections<R: Engine, B: Backoff>() {
    let stack: Stack<u32, R, B> = (0..100).collect();
    assert!(stack.into_iter().eq((0..100).rev()));

    let mut stack: Stack<u32, R, B> = (0..3).collect();
    stack.extend(3..6);
    let mut shared = &stack;
    shared.extend(6..9);
    stack.handle().extend(9..12);
    assert_eq!(stack.pop(), Some(11));
    let mut rest = stack.into_iter();
    assert_eq!(rest.next(), Some(10));
    assert!(rest.by_ref().take(3).eq([9, 8, 7]));
    assert!(format!("{rest:?}").starts_with("IntoIter"));
    assert!(rest.by_ref().eq((0..7).rev()));
    // Fused.
    assert_eq!(rest.next(), None);
    assert_eq!(rest.next(), None);

    let empty: Stack<u32, R, B> = std::iter::empty().collect();
    assert!(empty.is_empty());
    assert_eq!(empty.into_iter().next(), None);
}

fn extend_exclusive<R: Engine, B: Backoff>() {
    let alive = Rc::new(());
    let mut stack = Stack::<Item, R, B>::custom();
    for round in 0..50 {
        stack.extend((0..round).map(|value| Item(value, Rc::clone(&alive))));
        assert_eq!(stack.pop().map(|item| item.0), round.checked_sub(1));
    }
    let left = (0..50_usize).map(|round| round.saturating_sub(1)).sum::<usize>();
    assert_eq!(Rc::strong_count(&alive) - 1, left);
    let mut iterator = stack.into_iter();
    assert_eq!(iterator.by_ref().take(5).count(), 5);
    assert_eq!(Rc::strong_count(&alive) - 1, left - 5);
    drop(iterator);
    assert_eq!(Rc::strong_count(&alive), 1);
}

fn default_and_debug<R: Engine, B: Backoff>() {
    /// Neither `Debug` nor `Clone` nor `Default`.
    struct Opaque;

    let stack = Stack::<Opaque, R, B>::default();
    assert!(stack.is_empty());
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: true, .. }");
    stack.push(Opaque);
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: false, .. }");
    let handle = stack.handle();
    assert_eq!(format!("{handle:?}"), "Handle { stack: Stack { is_empty: false, .. }, .. }");
    drop(handle);
    let mut all = stack.take_all();
    assert_eq!(format!("{all:?}"), "TakeAll { is_empty: false, .. }");
    assert_eq!(all.size_hint(), (1, None));
    assert!(all.next().is_some());
    assert_eq!(format!("{all:?}"), "TakeAll { is_empty: true, .. }");
    assert_eq!(all.size_hint(), (0, Some(0)));
    assert!(all.next().is_none() && all.next().is_none());
}

fn handle_keeps_its_stack<R: Engine, B: Backoff>() {
    let (left, right) = (Stack::<u32, R, B>::custom(), Stack::<u32, R, B>::custom());
    let (mut left_handle, mut right_handle) = (left.handle(), right.handle());
    for value in 0..1000 {
        left_handle.push(value);
        right_handle.push(1000 + value);
        right.push(2000 + value);
    }
    for value in (0..1000).rev() {
        assert_eq!(right_handle.pop(), Some(2000 + value));
        assert_eq!(right.pop(), Some(1000 + value));
        assert_eq!(left.pop(), Some(value));
    }
    assert_eq!((left_handle.pop(), right_handle.pop()), (None, None));
    assert!(left.is_empty() && right.is_empty());
}

/// What a handle says of its stack, and that it pops what is there, whoever has pushed it.
fn handle_looks_and_pops<R: Engine, B: Backoff>() {
    let stack = Stack::<u32, R, B>::custom();
    let mut handle = stack.handle();
    assert!(std::ptr::eq(handle.stack(), &raw const stack));
    assert_eq!((handle.is_empty(), handle.try_pop()), (true, Ok(None)));
    handle.push(1);
    stack.push(2);
    assert_eq!((handle.is_empty(), handle.try_pop(), handle.try_pop()), (false, Ok(Some(2)), Ok(Some(1))));
    // What was popped so is not kept, wherever it comes back from.
    handle.push(3);
    assert_eq!((handle.try_pop(), handle.pop()), (Ok(Some(3)), None));
    stack.push(4);
    assert_eq!(handle.pop(), Some(4));
    assert!(handle.is_empty() && stack.is_empty());
}

fn interrupt_is_the_stack<R: Engine, B: Backoff>() {
    let stack = Stack::<u32, R, B>::custom();
    let interrupt = stack.interrupt();
    assert_eq!(
        interrupt.push(1).map_err(|refused| (refused.kind(), refused.into_value())),
        Err((PushErrorKind::NoSpareNode, 1))
    );
    stack.reserve_for(1).unwrap();
    interrupt.push(2).unwrap();
    assert!(!interrupt.is_empty() && !stack.is_empty());
    assert_eq!((interrupt.pop(), interrupt.pop()), (Ok(Some(2)), Ok(None)));
    assert!(interrupt.is_empty() && stack.is_empty());
}

fn many_handles<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let count = if R::SLOTS < 100 { 3 * R::SLOTS + 5 } else { 20 };
    for _ in 0..2 {
        let mut handles: Vec<_> = (0..count).map(|_| stack.handle()).collect();
        for (value, handle) in handles.iter_mut().enumerate() {
            handle.push(value);
        }
        // All slots are taken by handles, and yet the stack's own calls have one.
        stack.push(count);
        assert_eq!(stack.try_pop(), Ok(Some(count)));
        for (value, handle) in handles.iter_mut().enumerate().rev() {
            assert_eq!(handle.pop(), Some(value));
        }
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.try_pop(), Ok(None));
    }
}

fn push_spare_takes_from_everywhere<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let error = stack.push_spare(7).unwrap_err();
    assert_eq!((error.kind(), error.into_value()), (PushErrorKind::NoSpareNode, 7));
    if !R::FOR_HANDLERS {
        return;
    }
    // One node, popped through a handle that is then dropped: it is found in that handle's slot.
    let mut handles: Vec<_> = (0..R::SLOTS).map(|_| stack.handle()).collect();
    let last = handles.last_mut().unwrap();
    last.push(1);
    assert_eq!(last.pop(), Some(1));
    last.push_spare(2).unwrap();
    assert_eq!(stack.try_pop(), Ok(Some(2)));
    drop(handles);
    stack.push_spare(3).unwrap();
    assert_eq!(stack.push_spare(4).unwrap_err().kind(), PushErrorKind::NoSpareNode);
    assert_eq!(stack.try_pop(), Ok(Some(3)));
    // Through a handle of another slot, too.
    let mut handle = stack.handle();
    handle.push_spare(5).unwrap();
    assert_eq!(handle.pop(), Some(5));
}

fn reclaim_counts<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    assert_eq!(stack.reclaim(), 0);
    for count in [1, 2, 3, 5, 64, 1000] {
        stack.reserve(count).unwrap();
        assert_eq!(stack.reclaim(), count);
        assert_eq!(stack.push_spare(1).unwrap_err().kind(), PushErrorKind::NoSpareNode, "reclaim left a node");
        stack.reserve(count).unwrap();
        stack.push_spare(1).unwrap();
        assert_eq!(stack.reclaim(), count - 1);
        assert_eq!(stack.try_pop(), Ok(Some(1)));
        assert_eq!(stack.reclaim(), 1);
    }
    // What a handle holds is left alone, until the handle is gone.
    let mut handle = stack.handle();
    handle.push(1);
    assert_eq!(handle.pop(), Some(1));
    let meanwhile = stack.reclaim();
    assert!(meanwhile == 0 || !R::FOR_HANDLERS);
    drop(handle);
    assert_eq!(meanwhile + stack.reclaim(), 1);
}

/// What slots remember of each other is good wherever the stack is, in a box or out of one that is freed.
fn moves<R: Engine, B: Backoff>() {
    let use_slots = |stack: &Stack<u32, R, B>, count| {
        let mut handles = Vec::new();
        for value in 0..=count {
            stack.push(value);
            assert_eq!(stack.pop(), Some(value));
            handles.push(stack.handle());
        }
    };
    let mut stack = Stack::custom();
    for handles in 0..10 {
        let boxed = Box::new(mem::take(&mut stack));
        use_slots(&stack, handles);
        use_slots(&boxed, handles);
        stack = *boxed;
        use_slots(&stack, handles);
    }
}

fn not_send_values<R: Engine, B: Backoff>() {
    let shared = Rc::new(5);
    let stack = Stack::<Rc<i32>, R, B>::custom();
    stack.push(Rc::clone(&shared));
    stack.handle().push(Rc::clone(&shared));
    assert_eq!(Rc::strong_count(&shared), 3);
    assert_eq!(stack.pop().as_deref(), Some(&5));
    assert_eq!(Rc::strong_count(&shared), 2);
    drop(stack);
    assert_eq!(Rc::strong_count(&shared), 1);
}

#[test]
fn errors() {
    /// Not `Debug`.
    struct Opaque(u8);

    let stack = Stack::new();
    let error = stack.push_spare(Opaque(1)).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::NoSpareNode);
    assert_eq!(error.to_string(), format!("value not pushed: {}", PushErrorKind::NoSpareNode));
    assert_eq!(format!("{error:?}"), "PushError { kind: NoSpareNode, .. }");
    assert!((&error as &dyn Error).source().is_none());
    assert_eq!(error.into_value().0, 1);

    // What is wrong; and what to do.
    let texts = [
        PushErrorKind::OutOfMemory.to_string(),
        PushErrorKind::NoSpareNode.to_string(),
        PushErrorKind::NoSlot.to_string(),
        OutOfMemory.to_string(),
    ];
    let parts = texts.each_ref().map(|text| text.split_once("; ").unwrap());
    let wrong = [
        "out of memory for a node",
        "no spare node",
        "all slots are claimed",
        "out of memory for the nodes to reserve",
    ];
    assert_eq!(parts.map(|(wrong, _)| wrong), wrong);
    assert!(parts.map(|(_, to_do)| to_do).iter().all(|to_do| !to_do.is_empty() && !to_do.ends_with('.')));
    assert_eq!(NoSlot.to_string(), PushErrorKind::NoSlot.to_string());

    // That they come when they should is for the suite `allocator`, without memory.
}
