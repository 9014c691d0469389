//! After `fork` the child has one thread. What the others were in the middle of, nobody ends: the slots that they were in stay
//! claimed. `try_pop` and `push_spare` do not mind, `pop` may wait for ever.

use crate::common::*;
use crate::process::{End, in_child};
use crate::waits::Resident;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// What is safe in a child: ends, whatever it finds.
fn try_much<R: Reclaim, B: Backoff>(stack: &Stack<u64, R, B>) -> i32 {
    for value in 0..1000 {
        let (Ok(_) | Err(NoSlot)) = stack.try_pop();
        let _refused = stack.push_spare(value);
        _ = stack.is_empty();
    }
    0
}

/// Forks while others are in the middle of something, wherever.
pub fn check_while_others_work<R: Engine, B: Backoff>() {
    let stack = Stack::<u64, R, B>::custom();
    stack.push_all(0..1000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopAtEnd(&done);
        for value in 0..2 * R::SLOTS.min(4) as u64 {
            let (stack, done) = (&stack, &done);
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    stack.push(value);
                    stack.pop();
                }
            });
        }
        for _ in 0..scaled(20) {
            let end = in_child(60_000, || try_much(&stack));
            assert_eq!(end, End::Exit(0));
        }
    });
}

/// Forks while another thread is in the only slot.
pub fn check_beside_a_resident() {
    let stack: Stack<u64, Slots<1>, NoBackoff> = [1, 2].into_iter().collect();
    thread::scope(|scope| {
        let _resident = Resident::enter(scope, &stack);
        let end = in_child(60_000, || i32::from(stack.try_pop() != Err(NoSlot)));
        assert_eq!(end, End::Exit(0), "try_pop");
        let refused = || stack.push_spare(3).map_err(|error| error.kind()) == Err(PushErrorKind::NoSlot);
        let end = in_child(60_000, || i32::from(!refused()));
        assert_eq!(end, End::Exit(0), "push_spare");
        let end = in_child(100, || i32::from(stack.pop().is_some()));
        assert_eq!(end, End::Hangs, "pop");
    });
}
