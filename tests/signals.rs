//! A signal handler as the interrupt: a timer signal pushes and pops on the very stack that its thread is in the middle
//! of using. Nothing hangs, nothing is lost.
//!
//! In the handler there are only `push_spare`, `try_pop` and atomics, which is all that may be called there: if one
//! of the two called the allocator, or waited for what the interrupted thread has, this suite would hang or crash.

#![cfg(all(unix, not(miri)))]

#[macro_use]
mod common;
#[path = "common/process.rs"]
mod process;

use common::*;
use process::{handle_signals, set_timer};
use std::hint::spin_loop;
use std::mem;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};
use std::thread;
use std::time::{Duration, Instant};

// `Haphazard` says that none of its operations is fit for a handler.
for_each_slots_stack! {
    alone, beside_another_thread, on_a_reservation, a_handle_and_the_handler, reuse_behind_its_back,
}

// Here the handler calls nothing of the stack.
for_each_stack! { others_work_on }

/// From the end of one interrupt to the next signal, in microseconds: 20 kHz. Each interrupt sets the timer anew, so where
/// signals are slow, as in emulation, there are not more of them than the threads can take.
const PERIOD: i32 = 50;

/// Where signals are slow or rare, or the processor is busy, fewer of them must do.
const ENOUGH_TIME: Duration = Duration::from_secs(4);

/// What a handler and its thread count: values in and out, by number and by sum.
#[derive(Debug, Default)]
struct Count {
    number: AtomicU64,
    sum: AtomicU64,
}

impl Count {
    fn add(&self, value: u64) {
        self.number.fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.number.load(SeqCst), self.sum.load(SeqCst))
    }
}

/// One stack, its thread, and what the signals do to it.
struct Interrupted<R: Engine, B: Backoff> {
    stack: Stack<u64, R, B>,
    pushed: Count,
    popped: Count,
    next: AtomicU64,
    /// How many more values may be on the stack.
    room: AtomicI64,
    /// Set while the thread is inside of a call of the stack.
    inside: AtomicBool,
    signals: AtomicUsize,
    /// Signals that found the thread inside.
    landed: AtomicUsize,
    /// Signals that found all slots claimed, which cannot be but by the interrupted call or a handle.
    without_slot: AtomicUsize,
    without_node: AtomicUsize,
}

/// The thread that the signal is for, and what it runs there.
struct Target {
    thread: libc::pthread_t,
    data: *const (),
    interrupt: unsafe fn(*const ()),
}

static TARGET: AtomicPtr<Target> = AtomicPtr::new(ptr::null_mut());

/// Handlers that may have a reference to the target. A handler enters before it looks for the target; who takes the
/// target away looks here afterwards.
static HANDLERS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn on_signal(signal: libc::c_int) {
    HANDLERS.fetch_add(1, SeqCst);
    // SAFETY: null, or valid while this handler is counted.
    if let Some(target) = unsafe { TARGET.load(SeqCst).as_ref() } {
        // SAFETY: the thread lives as long as the target. All of these functions may be called by signal handlers.
        unsafe {
            if libc::pthread_equal(libc::pthread_self(), target.thread) == 0 {
                // A timer's signal is for the whole process, and any of its threads gets it.
                libc::pthread_kill(target.thread, signal);
            } else {
                (target.interrupt)(target.data);
                set_timer(PERIOD);
            }
        }
    }
    HANDLERS.fetch_sub(1, SeqCst);
}

/// Runs `action` while a timer interrupts this thread with `interrupt(data)`.
fn interrupted<D>(data: &D, interrupt: unsafe fn(*const ()), action: impl FnOnce()) {
    struct Stop(#[expect(dead_code, reason = "valid until the timer has stopped")] Box<Target>);

    impl Drop for Stop {
        fn drop(&mut self) {
            // Another thread may be in the handler still, about to pass a signal on; it must not find this thread gone.
            // Signals that come later find no target.
            TARGET.store(ptr::null_mut(), SeqCst);
            while HANDLERS.load(SeqCst) > 0 {
                thread::yield_now();
            }
            set_timer(0);
        }
    }

    // There is one timer for the process.
    let _one = one_at_a_time();
    // SAFETY: always valid to call.
    let thread = unsafe { libc::pthread_self() };
    let mut target = Box::new(Target { thread, data: ptr::from_ref(data).cast(), interrupt });
    // Never taken away. If signals were ignored between two tests, QEMU's user mode (7.2) would crash: another thread that it has
    // got as far as to the handler looks twice which one it is, and jumps to the address `SIG_IGN`.
    handle_signals(libc::SIGALRM, on_signal);
    TARGET.store(&raw mut *target, SeqCst);
    let _stop = Stop(target);
    set_timer(PERIOD);
    action();
}

impl<R: Engine, B: Backoff> Interrupted<R, B> {
    fn new() -> Self {
        Self {
            stack: Stack::custom(),
            pushed: Count::default(),
            popped: Count::default(),
            next: AtomicU64::new(1),
            room: AtomicI64::new(i64::MAX),
            inside: AtomicBool::new(false),
            signals: AtomicUsize::new(0),
            landed: AtomicUsize::new(0),
            without_slot: AtomicUsize::new(0),
            without_node: AtomicUsize::new(0),
        }
    }

    fn value(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// One call of the stack, which a signal may interrupt; `values` it will push.
    fn call<O>(&self, values: &[u64], call: impl FnOnce() -> O) -> O {
        self.inside.store(true, SeqCst);
        let result = call();
        self.inside.store(false, SeqCst);
        for &value in values {
            self.pushed.add(value);
        }
        result
    }

    /// What the signal does. Pushes and pops from one to three values.
    ///
    /// # Safety
    ///
    /// `this` is an `Interrupted<R, B>`.
    unsafe fn interrupt(this: *const ()) {
        // SAFETY: the caller's contract.
        let this = unsafe { &*this.cast::<Self>() };
        let signal = this.signals.fetch_add(1, Relaxed);
        if this.inside.load(SeqCst) {
            this.landed.fetch_add(1, Relaxed);
        }
        let times = 1 + signal % 3;
        // Pushes first, pops first, only one of both: the interrupted call then finds all kinds of changes.
        for step in 0..2 {
            for _ in 0..times {
                let push = match signal / 3 % 4 {
                    0 => step == 0,
                    1 => step == 1,
                    2 => true,
                    _ => false,
                };
                if push { this.interrupt_pushes() } else { this.interrupt_pops() }
            }
        }
    }

    /// Makes room for a value that is about to be pushed, if there is.
    fn admit(&self) -> bool {
        let admitted = self.room.fetch_sub(1, SeqCst) > 0;
        if !admitted {
            self.room.fetch_add(1, SeqCst);
        }
        admitted
    }

    /// Counts a value that came out.
    fn out(&self, value: u64) {
        self.popped.add(value);
        self.room.fetch_add(1, SeqCst);
    }

    fn interrupt_pushes(&self) {
        if !self.admit() {
            return;
        }
        let value = self.value();
        match self.stack.push_spare(value) {
            Ok(()) => self.pushed.add(value),
            Err(error) => {
                self.room.fetch_add(1, SeqCst);
                self.refused(error.kind());
            }
        }
    }

    fn interrupt_pops(&self) {
        match self.stack.try_pop() {
            Ok(Some(value)) => self.out(value),
            Ok(None) => {}
            Err(NoSlot { .. }) => self.refused(PushErrorKind::NoSlot),
        }
    }

    fn refused(&self, kind: PushErrorKind) {
        let count = if kind == PushErrorKind::NoSlot { &self.without_slot } else { &self.without_node };
        count.fetch_add(1, Relaxed);
    }

    /// Some calls of all kinds.
    fn work<'a>(&'a self, random: &mut Random, handle: &mut Option<Handle<'a, u64, R, B>>) {
        let pop = |value: Option<u64>| {
            value.inspect(|&value| self.popped.add(value));
        };
        match (random.below(32), handle) {
            (0..8, None) => {
                let value = self.value();
                self.call(&[value], || self.stack.push(value));
            }
            (0..8, Some(handle)) => {
                let value = self.value();
                self.call(&[value], || handle.push(value));
            }
            (8..10, _) => {
                let value = self.value();
                let refused = self.call(&[], || self.stack.push_spare(value)).is_err();
                if !refused {
                    self.pushed.add(value);
                }
            }
            (10..12, _) => {
                let values: [u64; 5] = std::array::from_fn(|_| self.value());
                self.call(&values, || self.stack.push_all(values));
            }
            (12..24, None) => pop(self.call(&[], || self.stack.pop())),
            (12..24, Some(handle)) => pop(self.call(&[], || handle.pop())),
            (24..28, _) => pop(self.call(&[], || self.stack.try_pop()).unwrap_or(None)),
            (28, _) => {
                let mut all = self.call(&[], || self.stack.take_all());
                while let Some(value) = self.call(&[], || all.next()) {
                    self.popped.add(value);
                }
            }
            (29, _) => {
                let mut all = self.call(&[], || self.stack.take_all());
                (0..3).for_each(|_| pop(self.call(&[], || all.next())));
                // The values that are left go back, one by one.
                for value in all {
                    self.call(&[], || self.stack.push(value));
                }
            }
            (30, handle) => {
                drop(handle.take());
                *handle = (random.below(2) == 0).then(|| self.call(&[], || self.stack.handle()));
            }
            _ => _ = self.call(&[], || self.stack.is_empty()),
        }
    }

    /// Works until enough signals have landed inside of calls.
    fn run(&self, enough: usize, mut work: impl FnMut()) {
        interrupted(self, Self::interrupt, || {
            let start = Instant::now();
            while self.landed.load(Relaxed) < enough {
                (0..100).for_each(|_| work());
                if start.elapsed() > ENOUGH_TIME {
                    break;
                }
            }
        });
        let (signals, landed) = (self.signals.load(SeqCst), self.landed.load(SeqCst));
        assert!(landed > 0, "of {signals} signals none landed inside of a call");
    }

    /// Empties the stack and compares what went in with what came out.
    fn check(self) {
        let (mut pushed, mut popped) = (self.pushed.get(), self.popped.get());
        assert!(pushed.0 > 0 && popped.0 > 0);
        for value in self.stack {
            popped.0 += 1;
            popped.1 += value;
        }
        assert_eq!(mem::take(&mut pushed), popped, "(values, sum) that went in, that came out");
    }
}

fn alone<R: Engine, B: Backoff>() {
    let enough = scaled(3_000);
    let tested = Interrupted::<R, B>::new();
    let (mut random, mut handle) = (Random::new(1), None);
    tested.run(enough, || tested.work(&mut random, &mut handle));
    drop(handle);
    if R::SLOTS == 1 {
        // The handler can only have missed the slot that the interrupted call had.
        assert!(tested.without_slot.load(SeqCst) > 0);
    } else {
        // The thread's handle, its call and the handler's.
        assert!(R::SLOTS < 3 || tested.without_slot.load(SeqCst) == 0);
    }
    tested.check();
}

/// The other thread is not interrupted, but in the way.
fn beside_another_thread<R: Engine, B: Backoff>() {
    let enough = scaled(3_000);
    let tested = Interrupted::<R, B>::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut handle = Some(tested.stack.handle());
            let mut random = Random::new(2);
            while !stop.load(Relaxed) {
                let value = tested.value();
                if random.below(2) == 0 {
                    tested.stack.push(value);
                    tested.pushed.add(value);
                } else if let Some(value) = handle.as_mut().and_then(Handle::pop) {
                    tested.popped.add(value);
                }
                (0..random.below(50)).for_each(|_| spin_loop());
            }
        });
        let _stop = StopAtEnd(&stop);
        let (mut random, mut handle) = (Random::new(3), None);
        tested.run(enough, || tested.work(&mut random, &mut handle));
    });
    tested.check();
}

/// The handler has a slot and a node whenever it comes: this is the promise of `reserve`.
fn on_a_reservation<R: Engine, B: Backoff>() {
    const MOST: usize = 50;

    // The interrupted call and the handler.
    if R::SLOTS < 2 {
        return;
    }
    let enough = scaled(3_000);
    let mut tested = Interrupted::<R, B>::new();
    *tested.room.get_mut() = i64::try_from(MOST).unwrap();
    tested.stack.reserve(Stack::<u64, R, B>::IDLE_NODES + MOST).unwrap();
    let mut random = Random::new(4);
    tested.run(enough, || {
        for _ in 0..random.below(MOST) {
            if tested.admit() {
                let value = tested.value();
                tested.call(&[value], || tested.stack.push_spare(value).expect("enough is reserved"));
            }
        }
        while let Some(value) = tested.call(&[], || tested.stack.try_pop().expect("there are enough slots")) {
            tested.out(value);
        }
    });
    assert_eq!(tested.without_slot.load(SeqCst), 0, "the handler found no slot");
    assert_eq!(tested.without_node.load(SeqCst), 0, "the handler found no node");
    tested.check();
}

/// A thread that uses its handle alone is one context, the handler is the second: with two slots it finds one, also if
/// the thread's `push_spare` finds no spare node anywhere.
fn a_handle_and_the_handler<R: Engine, B: Backoff>() {
    if R::SLOTS < 2 {
        return;
    }
    let enough = scaled(3_000);
    let tested = Interrupted::<R, B>::new();
    let mut handle = tested.stack.handle();
    let mut random = Random::new(5);
    tested.run(enough, || {
        let value = tested.value();
        match random.below(8) {
            0 => tested.call(&[value], || handle.push(value)),
            1 => _ = tested.call(&[], || handle.pop()).inspect(|&value| tested.popped.add(value)),
            // Keeps the spare nodes rare.
            _ => _ = tested.call(&[], || handle.push_spare(value)).inspect(|()| tested.pushed.add(value)),
        }
    });
    drop(handle);
    assert_eq!(tested.without_slot.load(SeqCst), 0, "the handler found no slot");
    tested.check();
}

/// Few, so that the same nodes are at the top again and again.
const VALUES: usize = 4;

const TWICE: usize = 0;
const STUCK: usize = 1;
const REFUSED: usize = 2;

/// The values `0..VALUES` go round and round; whoever has one says so.
struct Round<R: Engine, B: Backoff> {
    stack: Stack<usize, R, B>,
    held: [AtomicBool; VALUES],
    /// Operations of the threads that are not interrupted.
    progress: AtomicUsize,
    inside: AtomicBool,
    landed: AtomicUsize,
    /// What went wrong, if something did; a handler cannot fail by itself.
    wrong: [AtomicBool; 3],
    stop: AtomicBool,
}

impl<R: Engine, B: Backoff> Round<R, B> {
    fn new() -> Self {
        let stack = Stack::custom();
        if R::FOR_HANDLERS {
            stack.reserve(Stack::<usize, R, B>::IDLE_NODES + VALUES).unwrap();
        }
        stack.push_all(0..VALUES);
        Self {
            stack,
            held: [const { AtomicBool::new(false) }; VALUES],
            progress: AtomicUsize::new(0),
            inside: AtomicBool::new(false),
            landed: AtomicUsize::new(0),
            wrong: Default::default(),
            stop: AtomicBool::new(false),
        }
    }

    fn pop(&self, value: Option<usize>) -> Option<usize> {
        if let Some(value) = value {
            if self.held[value].swap(true, SeqCst) {
                self.wrong[TWICE].store(true, SeqCst);
            }
        }
        value
    }

    fn put_back(&self, value: usize, push: impl FnOnce(usize) -> Result<(), PushError<usize>>) {
        self.held[value].store(false, SeqCst);
        push(value).expect("enough is reserved");
    }

    /// Pops some values and pushes them in another order.
    fn turn(&self, random: &mut Random) {
        let mut taken = [None; VALUES];
        let count = 1 + random.below(VALUES);
        for value in &mut taken[..count] {
            self.inside.store(true, Relaxed);
            let popped = if random.below(2) == 0 { self.stack.pop() } else { self.stack.try_pop().unwrap_or(None) };
            self.inside.store(false, Relaxed);
            *value = self.pop(popped);
        }
        taken.rotate_left(random.below(count));
        for value in taken.into_iter().flatten() {
            let ordinary = !R::FOR_HANDLERS || random.below(2) == 0;
            self.inside.store(true, Relaxed);
            self.put_back(
                value,
                |value| if ordinary { self.stack.try_push(value) } else { self.stack.push_spare(value) },
            );
            self.inside.store(false, Relaxed);
        }
    }

    /// Stops the thread where it is, until the others have done some operations.
    ///
    /// # Safety
    ///
    /// `this` is a `Round<R, B>`.
    unsafe fn stall(this: *const ()) {
        // SAFETY: the caller's contract.
        let this = unsafe { &*this.cast::<Self>() };
        if !this.inside.load(Relaxed) || this.stop.load(Relaxed) {
            return;
        }
        let landed = this.landed.fetch_add(1, Relaxed);
        let (start, before) = (Instant::now(), this.progress.load(Relaxed));
        // `Haphazard` calls the allocator, in which the others may have to wait for this thread.
        let limit = if R::FOR_HANDLERS { Duration::from_secs(60) } else { Duration::from_millis(2) };
        while this.progress.load(Relaxed) < before + 1 + landed % 100 {
            // SAFETY: always valid to call, by signal handlers too.
            unsafe { libc::sched_yield() };
            if start.elapsed() > limit {
                this.wrong[STUCK].store(R::FOR_HANDLERS, SeqCst);
                return;
            }
        }
    }

    /// Pops and pushes so much in the middle of a call that the nodes are retired, scanned and used again, and leaves
    /// the same values in another order.
    ///
    /// # Safety
    ///
    /// `this` is a `Round<R, B>`.
    unsafe fn churn(this: *const ()) {
        // SAFETY: the caller's contract.
        let this = unsafe { &*this.cast::<Self>() };
        if !this.inside.load(Relaxed) {
            return;
        }
        let landed = this.landed.fetch_add(1, Relaxed);
        for turn in 0..landed % 64 {
            let mut taken = [None; VALUES];
            let count = 1 + (landed + turn) % VALUES;
            for value in &mut taken[..count] {
                *value = this.pop(this.stack.try_pop().unwrap_or(None));
            }
            taken.rotate_left(turn % count);
            for value in taken.into_iter().flatten() {
                this.held[value].store(false, SeqCst);
                if this.stack.push_spare(value).is_err() {
                    this.wrong[REFUSED].store(true, SeqCst);
                }
            }
        }
    }

    fn check(self) {
        let wrong = self.wrong.map(AtomicBool::into_inner);
        assert!(!wrong[TWICE], "a value came twice");
        assert!(!wrong[STUCK], "the others stood still while one was stopped");
        assert!(!wrong[REFUSED], "a push was refused, although enough is reserved");
        let mut left: Vec<usize> = self.stack.into_iter().collect();
        left.sort_unstable();
        assert!(left.into_iter().eq(0..VALUES), "a value was lost, or came twice");
    }
}

/// A thread that is stopped at any instruction of a call neither stops the others nor finds a node that was used again
/// in its hands.
fn others_work_on<R: Engine, B: Backoff>() {
    // With fewer slots than threads, `pop` may have to wait for one.
    let threads = R::SLOTS.min(3);
    if threads < 2 {
        return;
    }
    let enough = scaled(if R::FOR_HANDLERS { 500 } else { 10_000 });
    let round = Round::<R, B>::new();
    thread::scope(|scope| {
        for thread in 1..threads {
            let round = &round;
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !round.stop.load(Relaxed) {
                    let value = round.pop(round.stack.pop());
                    let other = round.pop(if random.below(2) == 0 { round.stack.pop() } else { None });
                    for value in [value, other].into_iter().flatten() {
                        round.put_back(value, |value| round.stack.try_push(value));
                    }
                    round.progress.fetch_add(1, Relaxed);
                }
            });
        }
        let _stop = StopAtEnd(&round.stop);
        let mut random = Random::new(0);
        interrupted(&round, Round::<R, B>::stall, || {
            let start = Instant::now();
            // Each turn may be stopped often, and each time for long.
            while round.landed.load(Relaxed) < enough && start.elapsed() < ENOUGH_TIME {
                round.turn(&mut random);
            }
        });
    });
    assert!(round.landed.load(Relaxed) > 0, "no signal landed inside of a call");
    round.check();
}

/// The top node is popped, retired, used again and pushed again while a pop has its address in hand (ABA).
fn reuse_behind_its_back<R: Engine, B: Backoff>() {
    // The interrupted call and the handler.
    if R::SLOTS < 2 {
        return;
    }
    let enough = scaled(5_000);
    let round = Round::<R, B>::new();
    let mut random = Random::new(0);
    interrupted(&round, Round::<R, B>::churn, || {
        let start = Instant::now();
        while round.landed.load(Relaxed) < enough && start.elapsed() < ENOUGH_TIME {
            (0..100).for_each(|_| round.turn(&mut random));
        }
    });
    assert!(round.landed.load(Relaxed) > 0, "no signal landed inside of a call");
    round.check();
}
