//! What nobody outside can see: all bits zero; and that what is one critical section is one.

extern crate std;

use super::*;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use std::vec::Vec;

fn new<T, const CAP: usize>() -> MaskedStack<T, CAP> {
    initial!(MaskedStack<T, CAP>)
}

fn push<T, const CAP: usize>(stack: &MaskedStack<T, CAP>, value: T) {
    assert!(stack.try_push(value).is_ok());
}

fn pop<T, const CAP: usize>(stack: &MaskedStack<T, CAP>) -> Option<T> {
    stack.try_pop().ok().flatten()
}

/// As many values as there is room for, and no more; and then pops them, the last one first.
fn fill_and_empty<const CAP: usize>(stack: &MaskedStack<u16, CAP>) {
    assert!(stack.is_empty());
    let count = u16::try_from(CAP).unwrap();
    for value in 0..count {
        push(stack, value);
        assert!(!stack.is_empty());
    }
    assert!(matches!(stack.try_push(7), Err((PushErrorKind::NoSpareNode, 7))));
    assert!(matches!(stack.take_node(), Err(PushErrorKind::NoSpareNode)));
    assert!((0..count).rev().all(|value| pop(stack) == Some(value)));
    assert_eq!(pop(stack), None);
}

#[test]
fn zero_is_an_empty_stack() {
    // SAFETY: all bits zero are an empty stack, as the file `nodes.rs` says.
    let stack: MaskedStack<u16, 5> = unsafe { mem::MaybeUninit::zeroed().assume_init() };
    for _ in 0..3 {
        fill_and_empty(&stack);
    }
    fill_and_empty(&new::<u16, 1>());
    fill_and_empty(&*Box::new(new::<u16, 65535>()));
}

#[test]
fn sizes() {
    assert!(mem::size_of::<MaskedStack<u16, 64>>() <= 64 * 4 + 16);
}

#[test]
fn chains() {
    let stack = new::<u16, 3>();
    push(&stack, 1);
    // SAFETY: all nodes are this stack's.
    unsafe {
        stack.link_chain(Chain::EMPTY);
        let mut chain = Chain::EMPTY;
        for value in 2..=3 {
            let node = stack.take_node().ok().unwrap();
            stack.add(&mut chain, node, value);
        }
        assert!(matches!(stack.take_node(), Err(PushErrorKind::NoSpareNode)));
        stack.link_chain(chain);
        let mut taken = stack.detach();
        assert!(stack.is_empty());
        for value in [3, 2, 1] {
            assert!(stack.next(&mut taken).is_ok_and(|next| next == Some(value)));
            push(&stack, value);
        }
        assert!(matches!(stack.next(&mut taken), Ok(None)));
        assert!([1, 2, 3].into_iter().all(|value| pop(&stack) == Some(value)));
        let mut chain = Chain::EMPTY;
        let node = stack.take_node().ok().unwrap();
        stack.add(&mut chain, node, 4);
        let mut taken = chain.into_taken();
        assert!(matches!(stack.drop_next(&mut taken), Ok(true)));
        assert!(matches!(stack.drop_next(&mut taken), Ok(false)));
    }
    fill_and_empty(&stack);
}

/// Panics when it is dropped, and counts that.
struct Loud<'a>(&'a AtomicUsize);

impl Drop for Loud<'_> {
    fn drop(&mut self) {
        // Another thread can enter a critical section, unless this one is in one.
        let (sender, receiver) = channel();
        thread::spawn(move || with(|_| sender.send(())));
        assert!(receiver.recv_timeout(Duration::from_secs(10)).is_ok(), "dropped in a critical section");
        self.0.fetch_add(1, SeqCst);
        panic!("loud");
    }
}

#[test]
fn drops_run_outside_of_sections() {
    let dropped = AtomicUsize::new(0);
    let stack = new::<Loud<'_>, 2>();
    let full = |value| catch_unwind(AssertUnwindSafe(|| drop(stack.try_push(value).err()))).is_err();
    push(&stack, Loud(&dropped));
    push(&stack, Loud(&dropped));
    assert!(full(Loud(&dropped)));
    let mut taken = stack.detach();
    for _ in 0..2 {
        // SAFETY: taken from this stack.
        assert!(catch_unwind(AssertUnwindSafe(|| unsafe { stack.drop_next(&mut taken).is_ok() })).is_err());
    }
    // SAFETY: taken from this stack.
    assert!(matches!(unsafe { stack.drop_next(&mut taken) }, Ok(false)));
    assert!(stack.is_empty());
    push(&stack, Loud(&dropped));
    assert_eq!(dropped.load(SeqCst), 3);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(SeqCst), 4);
}

/// If a value's `Drop` panics, the other values are dropped, too.
#[test]
fn all_values_are_dropped() {
    struct Counted<'a>(&'a AtomicUsize, bool);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            assert!(!self.1, "loud");
        }
    }

    let dropped = AtomicUsize::new(0);
    let stack = new::<Counted<'_>, 4>();
    (0..3).for_each(|value| push(&stack, Counted(&dropped, value == 1)));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(SeqCst), 3);
}

/// None of them ends while another context is in a critical section.
#[test]
fn operations_are_critical_sections() {
    type Stack = MaskedStack<u16, 9>;
    let operations: [fn(&Stack); 7] = [
        |stack| push(stack, 1),
        |stack| _ = pop(stack),
        |stack| _ = stack.is_empty(),
        |stack| _ = stack.detach(),
        |stack| _ = stack.take_node(),
        // SAFETY: taken from this stack.
        |stack| _ = unsafe { stack.next(&mut Taken::from_first(2)) },
        |stack| {
            let mut chain = Chain::EMPTY;
            // SAFETY: the node is in no list, and so the stack's to give.
            unsafe {
                stack.add(&mut chain, Empty::new(1), 1);
                stack.link_chain(chain);
            }
        },
    ];
    for operation in operations {
        let stack = &new::<u16, 9>();
        // Two nodes are in no list.
        for _ in 0..2 {
            assert!(stack.take_node().is_ok());
        }
        push(stack, 2);
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            with(|_| {
                scope.spawn(move || {
                    operation(stack);
                    sender.send(()).unwrap();
                });
                assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err(), "not in a critical section");
            });
            receiver.recv().unwrap();
        });
    }
}

/// Threads push and pop at once, on few nodes; each value arrives once.
#[test]
fn values_arrive_once() {
    const EACH: usize = 20_000;
    const THREADS: usize = 3;
    let stack = &new::<usize, 3>();
    let seen: Vec<_> = (0..THREADS * EACH).map(|_| AtomicBool::new(false)).collect();
    let arrive = |value: usize| assert!(!seen[value].swap(true, SeqCst), "{value} twice");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for mut value in thread * EACH..(thread + 1) * EACH {
                    while let Err((_, back)) = stack.try_push(value) {
                        value = back;
                        pop(stack).into_iter().for_each(arrive);
                    }
                    if value % 3 == 0 {
                        pop(stack).into_iter().for_each(arrive);
                    }
                    if value % 100 == 0 {
                        let mut taken = stack.detach();
                        // SAFETY: taken from this stack.
                        while let Some(value) = unsafe { stack.next(&mut taken) }.ok().unwrap() {
                            arrive(value);
                        }
                    }
                }
            });
        }
    });
    while let Some(value) = pop(stack) {
        arrive(value);
    }
    assert!(seen.iter().all(|seen| seen.load(SeqCst)));
    // No node got lost.
    assert!((0..3).all(|value| stack.try_push(value).is_ok()) && stack.try_push(3).is_err());
}
