//! Which calls wait for the slot of a context that does not go on, and which do not: on one core with strict priorities it
//! would not for as long as whom it preempts waits; after a fork it never does.
//!
//! Such a context stands in the middle of a push, where it calls the allocator, and so in the only slot there is.

use crate::common::*;
use crate::ledger::*;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

type OneSlot<B> = Stack<Block, Slots<1>, B>;

/// How long a call has to take to be one that waits: others would be back long before.
const LONG: Duration = Duration::from_millis(50);

/// A context in the middle of a push, which it ends when this is dropped.
pub struct Resident(Arc<Gate>);

#[derive(Default)]
struct Gate {
    reached: AtomicBool,
    open: AtomicBool,
}

thread_local! {
    static GATE: RefCell<Option<Arc<Gate>>> = const { RefCell::new(None) };
}

impl Resident {
    /// Has a thread push 0 with a node that it has to allocate, and returns once it does.
    pub fn enter<'scope, 'env, T: From<u8> + Send, R: Reclaim, B: Backoff>(
        scope: &'scope thread::Scope<'scope, 'env>,
        stack: &'env Stack<T, R, B>,
    ) -> Self {
        let gate = Arc::new(Gate::default());
        let its = gate.clone();
        scope.spawn(move || {
            GATE.set(Some(its));
            on_next_allocation(stand);
            stack.push(0.into());
        });
        wait_until(&gate.reached);
        Self(gate)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.0.open.store(true, SeqCst);
    }
}

fn stand() {
    let gate = GATE.take().unwrap();
    gate.reached.store(true, SeqCst);
    wait_until(&gate.open);
}

fn wait_until(flag: &AtomicBool) {
    while !flag.load(SeqCst) {
        thread::yield_now();
    }
}

impl From<u8> for Block {
    fn from(id: u8) -> Self {
        block(id.into())
    }
}

/// Fails if the thread's call ends by itself.
fn assert_waits<O>(thread: &ScopedJoinHandle<'_, O>, what: &str) {
    let start = Instant::now();
    while start.elapsed() < LONG {
        assert!(!thread.is_finished(), "{what} did not wait");
        thread::sleep(LONG / 10);
    }
}

/// Two values, and no spare node.
fn two_values<B: Backoff>() -> OneSlot<B> {
    (1..=2).map(block).collect()
}

pub fn check<B: Backoff>() {
    pop_waits_for_the_owner::<B>();
    pop_waits_for_a_further_slot::<B>();
    take_all_waits_at_its_end::<B>();
    take_all_waits_when_dropped::<B>();
    push_all_waits_without_memory::<B>(false);
    push_all_waits_without_memory::<B>(true);
    handles_do_not_wait::<B>();
}

fn pop_waits_for_the_owner<B: Backoff>() {
    let stack = two_values::<B>();
    thread::scope(|scope| {
        let resident = Resident::enter(scope, &stack);
        assert_eq!(stack.try_pop(), Err(NoSlot));
        assert_eq!(stack.push_spare(block(3)).unwrap_err().kind(), PushErrorKind::NoSlot);
        assert!(!stack.is_empty());
        assert_eq!(stack.reclaim(), 0);
        let pop = scope.spawn(|| stack.pop());
        assert_waits(&pop, "pop");
        drop(resident);
        assert!(pop.join().unwrap().is_some());
    });
}

fn pop_waits_for_a_further_slot<B: Backoff>() {
    let stack = two_values::<B>();
    thread::scope(|scope| {
        let _resident = Resident::enter(scope, &stack);
        let pop = scope.spawn(|| stack.pop());
        assert_waits(&pop, "pop");
        // Does not wait: it adds a slot, and the pop gets that.
        stack.push(block(3));
        assert!(pop.join().unwrap().is_some());
        assert!(stack.try_pop().unwrap().is_some());
    });
}

fn take_all_waits_at_its_end<B: Backoff>() {
    let stack = two_values::<B>();
    thread::scope(|scope| {
        let resident = Resident::enter(scope, &stack);
        let mut values = stack.take_all();
        assert_eq!(values.next(), Some(block(2)));
        let last = scope.spawn(move || values.next());
        assert_waits(&last, "the iterator");
        drop(resident);
        assert_eq!(last.join().unwrap(), Some(block(1)));
    });
}

fn take_all_waits_when_dropped<B: Backoff>() {
    let stack = two_values::<B>();
    thread::scope(|scope| {
        let resident = Resident::enter(scope, &stack);
        let values = stack.take_all();
        let dropped = scope.spawn(move || drop(values));
        assert_waits(&dropped, "the drop of the iterator");
        drop(resident);
        dropped.join().unwrap();
    });
    assert_eq!(stack.take_all().count(), 1, "what the resident has pushed");
}

/// With its values to push; or with empty nodes to give back, after a panic of the iterator.
fn push_all_waits_without_memory<B: Backoff>(panics: bool) {
    let (ledger, stack) = (ledger(), two_values::<B>());
    thread::scope(|scope| {
        let (send, resident) = std::sync::mpsc::channel();
        let (stack, ledger) = (&stack, &ledger);
        let push_all = scope.spawn(move || {
            let mut next = 3..=3;
            let values = std::iter::from_fn(|| {
                if next.is_empty() {
                    // All values are there, and have nodes. Now another one comes, and there is no memory any more.
                    Ledger::paused(|| send.send(Resident::enter(scope, stack)).unwrap());
                    ledger.fail(0, usize::MAX);
                    if panics {
                        resume_unwind(Box::new(()));
                    }
                }
                next.next().map(block)
            });
            ledger.during(|| catch_unwind(AssertUnwindSafe(|| stack.push_all(values))).is_err())
        });
        let resident = resident.recv().unwrap();
        assert_waits(&push_all, "push_all");
        drop(resident);
        assert_eq!(push_all.join().unwrap(), panics);
        assert_ne!(ledger.refused(), 0);
    });
    assert_eq!(stack.take_all().count(), if panics { 3 } else { 4 });
}

/// A handle has its slot.
fn handles_do_not_wait<B: Backoff>() {
    let stack = two_values::<B>();
    let mut handle = stack.handle();
    thread::scope(|scope| {
        // In the slot that is left.
        let resident = Resident::enter(scope, &stack);
        let pop = scope.spawn(|| stack.pop());
        assert_waits(&pop, "pop");
        assert!(handle.pop().is_some());
        handle.push(block(3));
        assert!(!pop.is_finished(), "pop did not wait");
        drop(resident);
        assert!(pop.join().unwrap().is_some());
    });
}
