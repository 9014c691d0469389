//! What has to hold before anything runs: `Send` and `Sync` exactly when `T: Send`, constants, inference, lifetimes.
//!
//! That a stack is invariant in `T`, and that what `T` borrows outlives it, is shown by examples in the documentation
//! that do not compile.

#[macro_use]
mod common;
#[macro_use]
#[path = "common/implements.rs"]
mod implements;

use common::*;
use elimination_stack::{Interrupt, IntoIter, TakeAll};
use implements::*;
use std::cell::Cell;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;
use std::thread;

for_each_stack! { works_without_static, sends_what_is_not_sync, handle_goes_along, local_constants }

/// The most slots are as documented, and the most with which `IDLE_NODES` is a size.
#[test]
fn slots_have_a_limit() {
    let most = Slots::<1>::MOST;
    assert_eq!(most, if cfg!(target_pointer_width = "64") { 65535 } else { 13377 });
    let idle = |slots: usize| 12 * (slots as u128).pow(2) + 4 * slots as u128 - 1;
    assert!(idle(most) <= isize::MAX as u128 && (most == 65535 || idle(most + 1) > isize::MAX as u128));
    assert_eq!(Stack::<u8, Slots<3>, NoBackoff>::IDLE_NODES as u128, idle(3));
}

/// The question itself, since all else rests on it.
#[test]
fn implements_tells_the_truth() {
    assert!(implements!(u32: Send) && implements!(Cell<u32>: Send) && implements!(&'static u32: Sync));
    assert!(!implements!(Rc<u32>: Send) && !implements!(Cell<u32>: Sync) && !implements!(*const u32: Send));
}

/// `Send + !Sync`, `!Send + Sync`, `!Send + !Sync`.
type SendOnly = Cell<u32>;
type SyncOnly = MutexGuard<'static, u32>;
type Neither = Rc<u32>;

// Asked of each stack by name: in a generic function, a bound that is not declared does not hold.
macro_rules! threads {
    ($reclaim:ty, $backoff:ty) => {
        #[test]
        fn send_and_sync_exactly_if_the_values_are_send() {
            assert!(implements!(Stack<u32, $reclaim, $backoff>: Send + Sync));
            assert!(implements!(Stack<SendOnly, $reclaim, $backoff>: Send + Sync));
            assert!(!implements!(Stack<SyncOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(Stack<SyncOnly, $reclaim, $backoff>: Sync));
            assert!(!implements!(Stack<Neither, $reclaim, $backoff>: Send));
            assert!(!implements!(Stack<Neither, $reclaim, $backoff>: Sync));
        }

        #[test]
        fn handle_is_send_and_never_sync() {
            assert!(implements!(Handle<'static, u32, $reclaim, $backoff>: Send));
            assert!(implements!(Handle<'static, SendOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(Handle<'static, SyncOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(Handle<'static, Neither, $reclaim, $backoff>: Send));
            assert!(!implements!(Handle<'static, u32, $reclaim, $backoff>: Sync));
            assert!(!implements!(Handle<'static, SyncOnly, $reclaim, $backoff>: Sync));
        }

        #[test]
        fn iterators_are_send_if_the_values_are() {
            assert!(implements!(TakeAll<'static, SendOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(TakeAll<'static, SyncOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(TakeAll<'static, Neither, $reclaim, $backoff>: Send));
            assert!(!implements!(TakeAll<'static, Neither, $reclaim, $backoff>: Sync));
            assert!(implements!(IntoIter<SendOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(IntoIter<SyncOnly, $reclaim, $backoff>: Send));
            assert!(!implements!(IntoIter<Neither, $reclaim, $backoff>: Send));
            assert!(!implements!(IntoIter<Neither, $reclaim, $backoff>: Sync));
        }
    };
}

macro_rules! concrete {
    ($reclaim:ty, $backoff:ty) => {
        threads! { $reclaim, $backoff }

        #[test]
        fn other_traits() {
            /// Implements nothing.
            struct Opaque;

            assert!(implements!(Stack<Opaque, $reclaim, $backoff>: Default + Debug));
            assert!(implements!(Stack<Opaque, $reclaim, $backoff>: UnwindSafe + RefUnwindSafe));
            assert!(implements!(Stack<Opaque, $reclaim, $backoff>: IntoIterator<Item = Opaque>));
            assert!(implements!(Stack<Opaque, $reclaim, $backoff>: Extend<Opaque> + FromIterator<Opaque>));
            assert!(implements!(&'static Stack<Opaque, $reclaim, $backoff>: Extend<Opaque>));
            assert!(implements!(Handle<'static, Opaque, $reclaim, $backoff>: Extend<Opaque> + Debug));
            assert!(implements!(Handle<'static, Opaque, $reclaim, $backoff>: UnwindSafe + RefUnwindSafe));
            assert!(implements!(TakeAll<'static, Opaque, $reclaim, $backoff>: UnwindSafe + RefUnwindSafe));
            assert!(implements!(Interrupt<'static, Opaque, $reclaim, $backoff>: Copy + Debug));
            assert!(implements!(TakeAll<'static, Opaque, $reclaim, $backoff>: FusedIterator<Item = Opaque> + Debug));
            assert!(implements!(IntoIter<Opaque, $reclaim, $backoff>: FusedIterator<Item = Opaque> + Debug));

            assert!(!implements!(Stack<u32, $reclaim, $backoff>: Clone));
            assert!(!implements!(Handle<'static, u32, $reclaim, $backoff>: Clone));
            assert!(!implements!(TakeAll<'static, u32, $reclaim, $backoff>: Clone));
        }

        #[test]
        fn statics() {
            static STACK: Stack<u32, $reclaim, $backoff> = Stack::custom();
            static ROW: [Stack<&str, $reclaim, $backoff>; 3] = [const { Stack::custom() }; 3];
            const LIMITS: [usize; 2] = [
                Stack::<u32, $reclaim, $backoff>::IDLE_NODES,
                Stack::<u32, $reclaim, $backoff>::SLOT_NODES,
            ];

            let thread = thread::spawn(|| {
                let mut handle: Handle<'static, u32, $reclaim, $backoff> = STACK.handle();
                handle.push(1);
                ROW[1].push("one");
            });
            thread.join().unwrap();
            assert_eq!((STACK.pop(), ROW[0].pop(), ROW[1].pop()), (Some(1), None, Some("one")));
            assert!(LIMITS[0] >= LIMITS[1] && LIMITS[1] > 0);
        }
    };
}

for_each_stack_type! { concrete }

mod fixed {
    use super::*;
    threads! { elimination_stack::Fixed<4>, NoBackoff }
}

#[cfg(feature = "critical-section")]
mod masked {
    use super::*;
    threads! { elimination_stack::Masked<4>, NoBackoff }
}

/// In constants, and inside of other types that are constants.
fn local_constants<R: Engine, B: Backoff>() {
    struct Queues<R: Reclaim, B: Backoff> {
        jobs: Stack<u32, R, B>,
        done: Stack<Vec<u8>, R, B>,
    }

    impl<R: Reclaim, B: Backoff> Queues<R, B> {
        const fn new() -> Self {
            Self { jobs: Stack::custom(), done: Stack::custom() }
        }
    }

    let queues = const { Queues::<R, B>::new() };
    queues.jobs.push(1);
    queues.done.push(vec![1]);
    assert_eq!((queues.jobs.pop(), queues.done.pop()), (Some(1), Some(vec![1])));
}

/// Values that borrow from the function that calls.
fn works_without_static<R: Engine, B: Backoff>() {
    let words = [String::from("one"), String::from("two")];
    let stack = Stack::<&str, R, B>::custom();
    stack.push_all(words.iter().map(String::as_str));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(stack.handle().pop(), Some("two")));
    });
    assert_eq!(stack.pop(), Some("one"));
    // References with a shorter life than the stack's type says go in all the same.
    let stack = Stack::<&str, R, B>::custom();
    let text: &'static str = "static";
    stack.push(text);
    assert!(stack.into_iter().eq([text]));
}

fn sends_what_is_not_sync<R: Engine, B: Backoff>() {
    let stack = Stack::<Cell<u32>, R, B>::custom();
    thread::scope(|scope| {
        scope.spawn(|| stack.push(Cell::new(1)));
    });
    let value = stack.pop().unwrap();
    value.set(2);
    assert_eq!(value.get(), 2);
}

fn handle_goes_along<R: Engine, B: Backoff>() {
    let stack = Stack::<u32, R, B>::custom();
    let mut handle = stack.handle();
    let handle = thread::scope(|scope| {
        let thread = scope.spawn(move || {
            handle.push(1);
            handle
        });
        thread.join().unwrap()
    });
    let mut all = thread::scope(|scope| scope.spawn(|| stack.take_all()).join().unwrap());
    assert_eq!(all.next(), Some(1));
    drop(handle);
}

#[test]
fn infers_the_default_types() {
    static WORK: Stack<Box<dyn Fn() -> u32 + Send>> = Stack::new();

    WORK.push(Box::new(|| 7));
    assert_eq!(WORK.pop().map(|job| job()), Some(7));

    let stack = Stack::new();
    stack.push(1u32);
    assert_eq!(stack.pop(), Some(1));

    let stack = Stack::new();
    let mut handle = stack.handle();
    handle.push("text");
    assert_eq!(handle.pop(), Some("text"));

    // Where the type is known, also by the traits.
    let stack: Stack<u8> = Stack::default();
    assert!(stack.is_empty());
    let stack: Stack<_> = [1, 2, 3].into_iter().collect();
    assert!(stack.into_iter().eq([3, 2, 1]));
}

#[test]
fn errors() {
    fn passes_on() -> Result<(), Box<dyn Error + Send + Sync>> {
        let stack = Stack::new();
        stack.reserve(1)?;
        stack.push_spare(1)?;
        stack.try_push_all([])?;
        drop(stack.try_handle()?);
        assert_eq!(stack.try_pop()?, Some(1));
        Ok(())
    }

    passes_on().unwrap();
    assert!(implements!(PushError<u32>: Send + Sync + Error + 'static));
    assert!(implements!(PushError<Neither>: Error + Display + Debug));
    assert!(!implements!(PushError<Neither>: Send) && !implements!(PushError<Neither>: Sync));
    assert!(!implements!(PushError<SyncOnly>: Send) && implements!(PushError<SyncOnly>: Sync));
    assert!(implements!(NoSlot: Send + Sync + Error + Copy + Eq + 'static));
    assert!(implements!(OutOfMemory: Send + Sync + Error + Copy + Eq + 'static));
    assert!(implements!(PushErrorKind: Send + Sync + Display + Copy + Eq + 'static));
}

// Whatever the value is. Constants, for a program that is linked would need a logger.
#[cfg(feature = "defmt")]
const _: () = {
    assert!(implements!(PushError<Neither>: defmt::Format) && !implements!(Neither: defmt::Format));
    assert!(implements!(PushErrorKind: defmt::Format));
    assert!(implements!(NoSlot: defmt::Format) && implements!(OutOfMemory: defmt::Format));
};
