//! What nobody outside can see: all bits zero, and what slots keep.

extern crate std;

use super::slots::FREE;
use super::*;
use core::mem::{self, MaybeUninit};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::vec::Vec;

fn new<T, const CAP: usize, const N: usize>() -> FixedStack<T, CAP, N> {
    initial!(FixedStack<T, CAP, N>)
}

fn push<T, const CAP: usize, const N: usize>(stack: &FixedStack<T, CAP, N>, value: T) {
    assert!(stack.try_push(value).is_ok());
}

fn pop<T, const CAP: usize, const N: usize>(stack: &FixedStack<T, CAP, N>) -> Option<T> {
    stack.try_pop().ok().flatten()
}

/// As many values as there is room for; and then pops them, the last one first.
fn fill_and_empty<const CAP: usize, const N: usize>(stack: &FixedStack<u16, CAP, N>) -> u16 {
    let mut count = 0;
    while stack.try_push(count).is_ok() {
        count += 1;
    }
    assert!(matches!(stack.try_push(7), Err((PushErrorKind::NoSpareNode, 7))));
    assert!((0..count).rev().all(|value| pop(stack) == Some(value)));
    assert_eq!(pop(stack), None);
    assert!(stack.is_empty());
    count
}

#[test]
fn zero_is_an_empty_stack() {
    // SAFETY: all bits zero are an empty stack, as the file `nodes.rs` says.
    let stack: FixedStack<u16, 3, 2> = unsafe { MaybeUninit::zeroed().assume_init() };
    for _ in 0..3 {
        assert_eq!(fill_and_empty(&stack), 3 + 2 * 2);
    }
    assert_eq!(fill_and_empty(&new::<u16, 1, 1>()), 2);
}

#[test]
fn sizes() {
    assert!(mem::size_of::<FixedStack<u16, 64, 2>>() <= 64 * 4 + 80);
}

/// Values that others protect when they are popped are held back, at most one for each other slot, whatever is popped meanwhile:
/// there is always room for `CAP` values.
#[test]
fn holds_cap_values_while_slots_keep_the_most() {
    fn check<const N: usize>(mut random: u32) {
        const CAP: usize = 5;
        let stack = new::<u16, CAP, N>();
        for round in 0..2000 {
            let mut next = |below: usize| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) as usize % below
            };
            // Others are in all slots but one, each with any hazard, of which some are on nodes that it has not seen for long.
            let mine = next(N);
            for (_, slot) in stack.slots.0.iter().enumerate().filter(|(index, _)| *index != mine) {
                if next(3) > 0 || slot.word.load(Relaxed) == FREE {
                    slot.word.store(1 + next(CAP + N * N), Relaxed);
                }
            }
            stack.slots.0[mine].leave();
            let (most, mut count) = (next(CAP + 1), 0);
            while count < most && stack.try_push(round).is_ok() {
                count += 1;
            }
            // Who is inside has no node in hand here, so there is room for more than `CAP`.
            assert_eq!(count, most);
            while pop(&stack).is_some() {
                count -= 1;
            }
            assert_eq!(count, 0);
            let mut free = 0;
            while stack.try_push(round).is_ok() {
                free += 1;
            }
            let kept = stack.slots.0.iter().map(|slot| {
                let kept = slot.kept.get_mut();
                // SAFETY: nobody else is here.
                unsafe { kept.deref() }.iter().filter(|number| usize::from(**number) != NONE).count()
            });
            let kept: Vec<_> = kept.collect();
            assert!(kept.iter().all(|kept| *kept < N), "{kept:?}");
            assert_eq!(free + kept.iter().sum::<usize>(), CAP + N * N);
            while pop(&stack).is_some() {}
        }
        let mut kept = stack.slots.0.iter().map(|slot| slot.kept.get_mut());
        // SAFETY: nobody else is here.
        assert!(N == 1 || kept.any(|kept| unsafe { kept.deref() }.iter().any(|number| usize::from(*number) != NONE)));
    }
    check::<1>(1);
    check::<2>(2);
    check::<3>(3);
    check::<4>(4);
    check::<7>(5);
}

#[test]
fn says_that_all_slots_are_claimed() {
    let stack = new::<u16, 2, 2>();
    push(&stack, 1);
    let mut taken = stack.detach();
    push(&stack, 2);
    let slots = [stack.slots.claim(6).unwrap(), stack.slots.claim(6).unwrap()];
    assert!(matches!(stack.try_push(3), Err((PushErrorKind::NoSlot, 3))));
    assert!(matches!(stack.try_pop(), Err(NoSlot)));
    assert!(matches!(stack.take_node(), Err(PushErrorKind::NoSlot)));
    // SAFETY: all is this stack's.
    unsafe {
        // The value comes, its node has to wait.
        assert!(matches!(stack.next(&mut taken), Ok(Some(1))));
        assert!(matches!(stack.next(&mut taken), Err(NoSlot)));
        slots[1].leave();
        assert!(matches!(stack.next(&mut taken), Ok(None)));
    }
    slots[0].leave();
    assert_eq!(pop(&stack), Some(2));
    assert_eq!(fill_and_empty(&stack), 6);
}

#[test]
fn chains() {
    let stack = new::<u16, 2, 1>();
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
            assert!(matches!(stack.next(&mut taken), Ok(Some(next)) if next == value));
        }
        assert!(matches!(stack.next(&mut taken), Ok(None)));
        let mut chain = Chain::EMPTY;
        let node = stack.take_node().ok().unwrap();
        stack.add(&mut chain, node, 4);
        let mut taken = chain.into_taken();
        assert!(matches!(stack.drop_next(&mut taken), Ok(true)));
        assert!(matches!(stack.drop_next(&mut taken), Ok(false)));
    }
    assert_eq!(fill_and_empty(&stack), 3);
}

/// Panics when it is dropped, and looks before whether a slot of its stack is claimed.
struct Loud<'a>(*const FixedStack<Loud<'a>, 4, 1>, &'a AtomicUsize);

impl Drop for Loud<'_> {
    fn drop(&mut self) {
        // SAFETY: the stack is in a box, and dropped after its values.
        assert_eq!(unsafe { &*self.0 }.slots.0[0].word.load(Relaxed), FREE, "in a slot");
        self.1.fetch_add(1, SeqCst);
        panic!("loud");
    }
}

#[test]
fn drops_run_outside_of_slots() {
    let dropped = AtomicUsize::new(0);
    let stack = Box::new(new::<Loud<'_>, 4, 1>());
    let loud = || Loud(&raw const *stack, &dropped);
    (0..5).for_each(|_| push(&stack, loud()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack.try_push(loud()).err()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pop(&stack)))).is_err());
    let mut taken = stack.detach();
    for _ in 0..4 {
        // SAFETY: taken from this stack.
        assert!(catch_unwind(AssertUnwindSafe(|| unsafe { stack.drop_next(&mut taken).is_ok() })).is_err());
    }
    // SAFETY: taken from this stack.
    assert!(matches!(unsafe { stack.drop_next(&mut taken) }, Ok(false)));
    push(&stack, loud());
    assert_eq!(dropped.load(SeqCst), 6);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(SeqCst), 7);
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
    let stack = new::<Counted<'_>, 4, 2>();
    (0..3).for_each(|value| push(&stack, Counted(&dropped, value == 1)));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(SeqCst), 3);
}

/// Threads push and pop at once, on few nodes; each value arrives once.
#[test]
fn values_arrive_once() {
    fn check<const N: usize>() {
        const EACH: usize = 30_000;
        let stack = &new::<usize, 2, N>();
        let seen: Vec<_> = (0..N * EACH).map(|_| AtomicBool::new(false)).collect();
        let arrive = |value: usize| assert!(!seen[value].swap(true, SeqCst), "{value} twice");
        thread::scope(|scope| {
            for thread in 0..N {
                scope.spawn(move || {
                    for mut value in thread * EACH..(thread + 1) * EACH {
                        loop {
                            match stack.try_push(value) {
                                Ok(()) => break,
                                Err((PushErrorKind::NoSpareNode, back)) => value = back,
                                Err((kind, _)) => panic!("{kind}: there is one for each"),
                            }
                            pop(stack).into_iter().for_each(arrive);
                        }
                        if value % 3 == 0 {
                            stack.try_pop().expect("there is a slot for each").into_iter().for_each(arrive);
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
        assert!(stack.slots.0.iter().all(|slot| slot.word.load(Relaxed) == FREE));
    }
    check::<1>();
    check::<2>();
    check::<3>();
    check::<4>();
}
