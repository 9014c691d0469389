//! What nobody outside can see: what slots keep.

extern crate std;

use super::slots::FREE;
use super::*;
use crate::NoBackoff;
use crate::engine::sealed::Inner;
use crate::small::InPlace;
use crate::small::tests::{drop_loud_ones, fill_and_empty, pop, push, whole};
use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

fn new<T, const CAP: usize, const N: usize>() -> FixedStack<T, CAP, N> {
    initial!(FixedStack<T, CAP, N>)
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
                // SAFETY: nobody else is here.
                let kept = slot.kept.with_mut(|kept| unsafe { *kept });
                kept.into_iter().filter(|number| usize::from(*number) != NONE).count()
            });
            let kept: Vec<_> = kept.collect();
            assert!(kept.iter().all(|kept| *kept < N), "{kept:?}");
            assert_eq!(free + kept.iter().sum::<usize>(), CAP + N * N);
            while pop(&stack).is_some() {}
        }
        // SAFETY: nobody else is here.
        let mut kept = stack.slots.0.iter().flat_map(|slot| slot.kept.with_mut(|kept| unsafe { *kept }));
        assert!(N == 1 || kept.any(|number| usize::from(number) != NONE));
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
        assert!(matches!(stack.next(&mut taken, |value| value.read()), Ok(Some(1))));
        assert!(matches!(stack.next(&mut taken, |value| value.read()), Err(NoSlot)));
        slots[1].leave();
        assert!(matches!(stack.next(&mut taken, |value| value.read()), Ok(None)));
    }
    slots[0].leave();
    assert_eq!(pop(&stack), Some(2));
    assert_eq!(fill_and_empty(&stack), 6);
}

/// A push of many neither waits for a slot nor loses a value.
#[test]
fn push_all_gives_back_what_has_no_slot() {
    let stack = InPlace::<_, NoBackoff>(new::<u16, 3, 1>(), PhantomData);
    let slot = Cell::new(None);
    let values = (1..=3).inspect(|value| {
        if *value == 2 {
            slot.set(stack.0.slots.claim(4));
        }
    });
    let Err((kind, value, mut rest)) = stack.push_all(None, values) else { panic!("there is no slot") };
    assert_eq!((kind, value, rest.next()), (PushErrorKind::NoSlot, 2, Some(3)));
    slot.take().unwrap().leave();
    assert_eq!(pop(&stack.0), Some(1));
    assert_eq!(fill_and_empty(&stack.0), 4);
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
    let whole = Box::new(whole(new::<Loud<'_>, 4, 1>()));
    let stack = &whole.0;
    let loud = || Loud(&raw const *stack, &dropped);
    (0..5).for_each(|_| push(stack, loud()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack.try_push(loud()).err()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(pop(stack)))).is_err());
    drop_loud_ones(&whole, 4);
    push(stack, loud());
    assert_eq!(dropped.load(SeqCst), 6);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(whole))).is_err());
    assert_eq!(dropped.load(SeqCst), 7);
}
