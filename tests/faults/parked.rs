//! Threads that stop for good in the middle of a call: a signal's handler that does not return before the end.
//!
//! The handler stops its thread only if it finds it inside of a call, and outside of the allocator, whose locks the
//! others need. So each thread that counts as parked sits at some instruction of some call. One in three does nothing but
//! `reserve` and `reclaim`, another one has a handle.

use crate::common::*;
use crate::ledger::*;
use crate::process::handle_signals;
use crate::worker::*;
use std::cell::Cell;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

/// A thread that is to be parked.
#[derive(Default)]
struct Victim {
    account: Account,
    /// Which thread it is, once it runs.
    thread: OnceLock<libc::pthread_t>,
    parked: AtomicBool,
    released: AtomicBool,
}

thread_local! {
    static VICTIM: Cell<*const Victim> = const { Cell::new(ptr::null()) };
}

extern "C" fn park(_: libc::c_int) {
    // SAFETY: null, or set by a thread that outlives no victim.
    let Some(victim) = (unsafe { VICTIM.get().as_ref() }) else { return };
    if !victim.account.inside.load(SeqCst) || in_allocator() {
        return;
    }
    victim.parked.store(true, SeqCst);
    while !victim.released.load(SeqCst) {
        // SAFETY: always valid to call, by signal handlers too. Waits for a millisecond.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
}

/// Releases the victims at the end, also if an assertion fails.
struct Release<'a>(&'a [Victim]);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|victim| victim.released.store(true, SeqCst));
    }
}

impl Victim {
    /// Works until it was parked, and released.
    fn run<R: Engine, B: Backoff>(&self, ledger: &Ledger, mut worker: Worker<'_, R, B>, keeps_house: bool) {
        VICTIM.set(self);
        // SAFETY: always valid to call.
        self.thread.get_or_init(|| unsafe { libc::pthread_self() });
        while !self.parked.load(SeqCst) && !self.released.load(SeqCst) {
            ledger.during(|| if keeps_house { worker.keep_house() } else { worker.step(50, isize::MAX) });
        }
        VICTIM.set(ptr::null());
    }

    /// Sends signals until one finds the thread inside of a call.
    fn park(&self) {
        while !self.parked.load(SeqCst) {
            if let Some(&thread) = self.thread.get() {
                // SAFETY: the thread lives until it was parked and released.
                unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            }
            thread::yield_now();
        }
    }
}

/// Fails if there are, or were, more nodes than the documentation says.
fn assert_bound<R: Engine, B: Backoff>(ledger: &Ledger, total: Total, when: &str) {
    let others = held_back::<R, B>(ledger.slots());
    let then = total.most + total.most_reserved;
    for (nodes, values) in [(ledger.nodes(), total.live + total.reserved), (ledger.most_nodes(), then)] {
        assert!(
            nodes <= values + others,
            "{when}: {nodes} nodes, {values} values and reserved, bound {}",
            values + others
        );
    }
}

/// Parks threads in the middle of calls, and lets two others work on. Then the nodes are counted; and in the end, when
/// the parked ones have come back, the values.
pub fn check<R: Engine, B: Backoff>(parked: usize, seed: usize) {
    handle_signals(libc::SIGUSR1, park);
    let (ledger, stack) = (ledger(), Stack::<Block, R, B>::custom());
    let victims: Vec<_> = (0..parked).map(|_| Victim::default()).collect();
    let others = [Account::default(), Account::default()];
    let accounts = || victims.iter().map(|victim| &victim.account).chain(&others);
    let worker = |account, seed, with_handle: bool| {
        let through = ledger.during(|| Through::new(&stack, with_handle));
        Worker { stack: &stack, account, through, random: Random::new(seed) }
    };
    let work_on = |account, seed| {
        // Not with a handle: there has to be another slot for `pop`, which takes any.
        let mut worker = worker(account, seed, false);
        ledger.during(|| {
            (0..scaled(500)).for_each(|_| worker.step(50, isize::MAX));
            // What the calls for interrupt handlers have left, ordinary ones give back.
            worker.push_and_pop();
        });
    };
    thread::scope(|scope| {
        let _release = Release(&victims);
        for (index, victim) in victims.iter().enumerate() {
            let turn = (seed + index) % 3;
            let worker = worker(&victim.account, seed + index, turn == 0);
            let ledger = &ledger;
            scope.spawn(move || victim.run(ledger, worker, turn == 1));
        }
        victims.iter().for_each(Victim::park);
        // Without a free slot in place, a push adds one.
        ledger.during(|| worker(&others[0], 0, false).push_and_pop());
        thread::scope(|scope| {
            scope.spawn(|| work_on(&others[0], parked + seed));
            work_on(&others[1], parked + seed + 1);
        });
        assert_bound::<R, B>(&ledger, Account::total(accounts()), "while some are parked");
    });
    let total = Account::total(accounts());
    assert_bound::<R, B>(&ledger, total, "at the end");
    let left = ledger
        .during(|| stack.take_all().fold((0, 0_usize), |(count, sum), value| (count + 1, sum.wrapping_add(value.0))));
    assert_eq!(left, (total.live, total.sum), "(values, their sum) in the end");
    ledger.nothing_after(stack);
}
