//! What nobody outside can see: that what is one critical section is one.

extern crate std;

use super::*;
use crate::small::tests::{drop_loud_ones, pop, push, whole};
use crate::{Masked, NoBackoff, Stack};
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

fn new<T, const CAP: usize>() -> MaskedStack<T, CAP> {
    initial!(MaskedStack<T, CAP>)
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
    drop_loud_ones(&whole, 2);
    assert!(stack.is_empty());
    push(stack, Loud(&dropped));
    assert_eq!(dropped.load(SeqCst), 3);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(whole))).is_err());
    assert_eq!(dropped.load(SeqCst), 4);
}

/// Of a stack that threads can share.
fn in_place(stack: &Stack<u16, Masked<9>, NoBackoff>) -> &MaskedStack<u16, 9> {
    &stack.inner.0
}

/// None of them ends while another context is in a critical section.
#[test]
fn operations_are_critical_sections() {
    let operations: [fn(&MaskedStack<u16, 9>); 7] = [
        |stack| push(stack, 1),
        |stack| _ = pop(stack),
        |stack| _ = stack.is_empty(),
        |stack| _ = stack.detach(),
        |stack| _ = stack.take_node(),
        // SAFETY: taken from this stack.
        |stack| _ = unsafe { stack.next(&mut Taken::from_first(2), |value| value.read()) },
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
        let shared = &Stack::<u16, Masked<9>, NoBackoff>::custom();
        let stack = in_place(shared);
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
                    operation(in_place(shared));
                    sender.send(()).unwrap();
                });
                receiver.recv().unwrap();
                assert!(receiver.recv_timeout(Duration::from_millis(100)).is_err(), "not in a critical section");
            });
            receiver.recv().unwrap();
        });
    }
}
