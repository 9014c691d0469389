//! What nobody outside can see: all bits zero; and that what is one critical section is one.

extern crate std;

use super::*;
use crate::small::tests::{self, fill_and_empty, pop, push, whole};
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

fn new<T, const CAP: usize>() -> MaskedStack<T, CAP> {
    initial!(MaskedStack<T, CAP>)
}

#[test]
fn zero_is_an_empty_stack() {
    tests::zero_is_an_empty_stack::<MaskedStack<u16, 5>>(5);
    tests::zero_is_an_empty_stack::<MaskedStack<u16, 1>>(1);
    assert_eq!(fill_and_empty(&*Box::new(new::<_, 65535>())), 65535);
}

#[test]
fn sizes() {
    assert!(mem::size_of::<MaskedStack<u16, 64>>() <= 64 * 4 + 16);
}

#[test]
fn chains() {
    tests::chains::<MaskedStack<u16, 3>>();
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
    let whole = whole(new::<Loud<'_>, 2>());
    let stack = &whole.0;
    let full = |value| catch_unwind(AssertUnwindSafe(|| drop(stack.try_push(value).err()))).is_err();
    push(stack, Loud(&dropped));
    push(stack, Loud(&dropped));
    assert!(full(Loud(&dropped)));
    let mut taken = stack.detach();
    for _ in 0..2 {
        // SAFETY: taken from this stack.
        assert!(catch_unwind(AssertUnwindSafe(|| unsafe { stack.drop_next(&mut taken).is_ok() })).is_err());
    }
    // SAFETY: taken from this stack.
    assert!(matches!(unsafe { stack.drop_next(&mut taken) }, Ok(false)));
    assert!(stack.is_empty());
    push(stack, Loud(&dropped));
    assert_eq!(dropped.load(SeqCst), 3);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(whole))).is_err());
    assert_eq!(dropped.load(SeqCst), 4);
}

#[test]
fn all_values_are_dropped() {
    let dropped = AtomicUsize::new(0);
    tests::all_values_are_dropped(new::<_, 4>(), &dropped);
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
                stack.add(&mut chain, 1, 1);
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
                    sender.send(()).unwrap();
                    operation(stack);
                    sender.send(()).unwrap();
                });
                receiver.recv().unwrap();
                assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err(), "not in a critical section");
            });
            receiver.recv().unwrap();
        });
    }
}

#[test]
fn values_arrive_once() {
    let stack = new::<_, 3>();
    tests::values_arrive_once(&stack, 3);
    // No node got lost.
    assert!((0..3).all(|value| stack.try_push(value).is_ok()) && stack.try_push(3).is_err());
}
