//! Threads that stop for good in the middle of a call: a signal's handler that does not return before the end.
//!
//! The handler stops its thread only if it finds it inside of a call, and outside of the allocator, whose locks the
//! others need. So each thread that counts as parked sits at some instruction of some call.

use crate::common::*;
use crate::ledger::*;
use std::cell::Cell;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Once, OnceLock};
use std::thread;

/// A thread that is to be parked.
#[derive(Default)]
struct Victim {
    /// Which thread it is, once it runs.
    thread: OnceLock<libc::pthread_t>,
    inside: AtomicBool,
    parked: AtomicBool,
    released: AtomicBool,
}

thread_local! {
    static VICTIM: Cell<*const Victim> = const { Cell::new(ptr::null()) };
}

extern "C" fn park(_: libc::c_int) {
    // SAFETY: null, or set by a thread that outlives no victim.
    let Some(victim) = (unsafe { VICTIM.get().as_ref() }) else { return };
    if !victim.inside.load(SeqCst) || in_allocator() {
        return;
    }
    victim.parked.store(true, SeqCst);
    while !victim.released.load(SeqCst) {
        // SAFETY: always valid to call, by signal handlers too. Waits for a millisecond.
        unsafe { libc::poll(ptr::null_mut(), 0, 1) };
    }
}

fn install_handler() {
    static ONCE: Once = Once::new();
    // SAFETY: the action is initialised, and the handler has the signature that its flags ask for.
    ONCE.call_once(|| unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = park as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()), 0);
    });
}

/// Releases the victims at the end, also if an assertion fails.
struct Release<'a>(&'a [Victim]);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|victim| victim.released.store(true, SeqCst));
    }
}

/// A stack, and what went in and came out.
struct World<R: Engine, B: Backoff> {
    stack: Stack<Block, R, B>,
    ledger: Ledger,
    next: AtomicUsize,
    /// Values in the stack or in the hands of a call.
    live: AtomicUsize,
    most_live: AtomicUsize,
    /// The sum of the live values.
    sum: AtomicUsize,
}

/// How a thread uses the stack. Who has a handle uses nothing else, or would be two contexts.
struct Worker<'a, R: Engine, B: Backoff> {
    world: &'a World<R, B>,
    random: Random,
    handle: Option<Handle<'a, Block, R, B>>,
    /// Set during each call.
    inside: &'a AtomicBool,
}

impl<R: Engine, B: Backoff> World<R, B> {
    fn new() -> Self {
        let zero = || AtomicUsize::new(0);
        let (stack, ledger) = (Stack::custom(), ledger());
        Self { stack, ledger, next: zero(), live: zero(), most_live: zero(), sum: zero() }
    }

    /// A value that is about to go in.
    fn value(&self) -> Block {
        let id = self.next.fetch_add(1, SeqCst);
        self.sum.fetch_add(id, SeqCst);
        let live = self.live.fetch_add(1, SeqCst) + 1;
        self.most_live.fetch_max(live, SeqCst);
        block(id)
    }

    fn values<const COUNT: usize>(&self) -> [Block; COUNT] {
        std::array::from_fn(|_| self.value())
    }

    /// A value that came out, or did not go in.
    fn out(&self, value: Option<Block>) {
        if let Some(value) = value {
            self.sum.fetch_sub(value.0, SeqCst);
            self.live.fetch_sub(1, SeqCst);
        }
    }

    /// So many nodes there may be, by the documentation, with as many values.
    fn bound(&self, values: &AtomicUsize) -> usize {
        values.load(SeqCst) + idle::<R, B>() + slot::<R, B>() * self.ledger.slots()
    }

    fn assert_bound(&self, when: &str) {
        let (nodes, bound) = (self.ledger.nodes(), self.bound(&self.live));
        assert!(nodes <= bound, "{when}: {nodes} nodes, bound {bound}");
        let (nodes, bound) = (self.ledger.most_nodes(), self.bound(&self.most_live));
        assert!(nodes <= bound, "{when}: at most {nodes} nodes, bound {bound}");
    }
}

impl<'a, R: Engine, B: Backoff> Worker<'a, R, B> {
    fn new(world: &'a World<R, B>, seed: usize, with_handle: bool, inside: &'a AtomicBool) -> Self {
        let handle = with_handle.then(|| world.stack.handle());
        Self { world, random: Random::new(seed), handle, inside }
    }

    fn call<O>(&self, call: impl FnOnce() -> O) -> O {
        self.inside.store(true, SeqCst);
        let result = call();
        self.inside.store(false, SeqCst);
        result
    }

    /// Some calls of one kind.
    fn step(&mut self) {
        let times = 1 + self.random.below(8);
        let kind = self.random.below(8);
        match self.handle.take() {
            Some(mut handle) => {
                (0..times).for_each(|_| self.through(&mut handle, kind));
                self.handle = Some(handle);
            }
            None => (0..times).for_each(|_| self.directly(kind)),
        }
    }

    fn through(&self, handle: &mut Handle<'a, Block, R, B>, kind: usize) {
        let world = self.world;
        match kind {
            0 => {
                let values = world.values::<5>();
                self.call(|| handle.push_all(values));
            }
            1 => {
                let value = world.value();
                world.out(self.call(|| handle.push_spare(value).err().map(PushError::into_value)));
            }
            2 | 3 => {
                let value = world.value();
                self.call(|| handle.push(value));
            }
            _ => world.out(self.call(|| handle.pop())),
        }
    }

    fn directly(&self, kind: usize) {
        let (world, stack) = (self.world, &self.world.stack);
        match kind {
            0 => {
                let values = world.values::<5>();
                self.call(|| stack.push_all(values));
            }
            1 => {
                let value = world.value();
                world.out(self.call(|| stack.push_spare(value).err().map(PushError::into_value)));
            }
            2 | 3 => {
                let value = world.value();
                self.call(|| stack.push(value));
            }
            4 => world.out(self.call(|| stack.try_pop()).unwrap_or(None)),
            5 => {
                let mut all = self.call(|| stack.take_all());
                while let Some(value) = self.call(|| all.next()) {
                    world.out(Some(value));
                }
            }
            _ => world.out(self.call(|| stack.pop())),
        }
    }
}

impl Victim {
    fn run<R: Engine, B: Backoff>(&self, world: &World<R, B>, seed: usize, with_handle: bool) {
        VICTIM.set(self);
        world.ledger.during(|| {
            let mut worker = Worker::new(world, seed, with_handle, &self.inside);
            // SAFETY: always valid to call.
            self.thread.get_or_init(|| unsafe { libc::pthread_self() });
            while !self.parked.load(SeqCst) && !self.released.load(SeqCst) {
                worker.step();
            }
        });
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

/// Parks threads in the middle of calls, and lets two others work on. Then the nodes are counted; and in the end, when
/// the parked ones have come back, the values.
pub fn check<R: Engine, B: Backoff>(parked: usize, seed: usize) {
    install_handler();
    let world = World::<R, B>::new();
    let victims: Vec<_> = (0..parked).map(|_| Victim::default()).collect();
    let inside = AtomicBool::new(false);
    let work = |seed| {
        world.ledger.during(|| {
            // Not with a handle: a `pop` takes any slot, so that there has to be one for it.
            let mut worker = Worker::new(&world, seed, false, &inside);
            (0..scaled(500)).for_each(|_| worker.step());
            // What the calls for interrupt handlers have left, ordinary ones give back.
            (2..4).for_each(|push| worker.directly(push));
            worker.directly(7);
        });
    };
    thread::scope(|scope| {
        let _release = Release(&victims);
        for (index, victim) in victims.iter().enumerate() {
            let world = &world;
            scope.spawn(move || victim.run(world, seed + index, (seed + index) % 3 == 0));
        }
        victims.iter().for_each(Victim::park);
        // Without a slot in place, a push adds one.
        let value = world.value();
        world.ledger.during(|| world.stack.push(value));
        thread::scope(|scope| {
            scope.spawn(|| work(parked + seed));
            work(parked + seed + 1);
        });
        world.assert_bound("while some are parked");
    });
    world.assert_bound("at the end");
    let World { stack, ledger, sum, .. } = world;
    let left: usize = ledger.during(|| stack.take_all().map(|value| value.0).sum());
    assert_eq!(left, sum.into_inner(), "the sum of what went in and what came out");
    ledger.nothing_after(stack);
}
