//! A machine on the current thread: its cores as coroutines, and the calls that the atomics make.

use crate::arena::Arena;
use crate::cache::{Cores, Kind};
use crate::schedule::{Next, Policy, Scheduler};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::alloc::Layout;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// What a core runs.
pub type Body<'a> = Box<dyn FnOnce() + 'a>;

/// How a core ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ran to its end.
    Finished,
    /// It was parked for good, see [`park_at`].
    Parked,
}

/// What a run was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How each core ended.
    pub ends: Vec<End>,
    /// When the last one ended, in cycles; at random, in accesses.
    pub time: u64,
    /// Accesses of all cores.
    pub accesses: u64,
    /// Lines that moved from one core to another, or to one more.
    pub transfers: u64,
    /// Of these, from another cluster or socket.
    pub far_transfers: u64,
}

struct Core {
    yielder: *const Yielder<(), ()>,
    /// Accesses left until it is parked.
    park_in: Option<u64>,
    parked: bool,
}

struct State {
    arena: Arena,
    scheduler: Scheduler,
    cores: Vec<Core>,
    /// The core that runs now, while one does.
    current: Option<usize>,
    accesses: u64,
    limit: u64,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Gives `action` the current thread's machine and the core that runs, if one does.
fn running<O>(action: impl FnOnce(&mut State, usize) -> O) -> Option<O> {
    STATE.with_borrow_mut(|state| {
        let state = state.as_mut()?;
        let core = state.current?;
        Some(action(state, core))
    })
}

/// As `running`, where there need not be a core.
fn installed<O>(action: impl FnOnce(&mut State) -> O) -> O {
    STATE.with_borrow_mut(|state| action(state.as_mut().expect("a `Simulation` of this thread")))
}

/// Lets others run if that is what came out.
fn follow(next: Option<(Next, *const Yielder<(), ()>)>) {
    if let Some((Next::Suspend, yielder)) = next {
        // SAFETY: the yielder is on the stack of the coroutine that runs now.
        unsafe { (*yielder).suspend(()) };
    }
}

/// An access to an atomic; it takes effect when this returns.
#[inline]
pub(crate) fn access(address: usize, kind: Kind) {
    follow(running(State::arrive));
    follow(running(|state, core| state.access(core, address, kind)));
}

impl State {
    fn arrive(&mut self, core: usize) -> (Next, *const Yielder<(), ()>) {
        self.accesses += 1;
        assert!(self.accesses <= self.limit, "{} accesses, and no end: does a core wait for ever?", self.limit);
        let yielder = self.cores[core].yielder;
        if let Some(left) = &mut self.cores[core].park_in {
            *left -= 1;
            if *left == 0 {
                self.cores[core].parked = true;
                self.scheduler.leave(core);
                return (Next::Suspend, yielder);
            }
        }
        (self.scheduler.arrive(core), yielder)
    }

    fn access(&mut self, core: usize, address: usize, kind: Kind) -> (Next, *const Yielder<(), ()>) {
        let offset = self.arena.offset(address).expect("what cores share lies in the arena: `Simulation::place`");
        assert!(!self.arena.is_free(offset), "core {core} accesses memory that was given back");
        (self.scheduler.access(core, offset / crate::arena::LINE, kind), self.cores[core].yielder)
    }
}

/// One step of waiting for somebody else.
pub fn spin_loop() {
    follow(running(|state, core| (state.scheduler.relax(core), state.cores[core].yielder)));
}

/// Computes for so many cycles.
pub fn work(cycles: u64) {
    running(|state, _| state.scheduler.spend(|_| cycles));
}

/// Lets the time that the current core has spent pass, and those whose time comes first go first.
pub fn pass() {
    follow(running(State::arrive));
}

/// The current core's time: cycles since the start; at random, accesses of all cores.
#[must_use]
pub fn now() -> u64 {
    running(|state, _| state.scheduler.now()).unwrap_or_default()
}

/// The number of the core that runs; 0 outside of a run.
#[must_use]
pub fn core_number() -> usize {
    running(|_, core| core).unwrap_or_default()
}

/// Parks the core that runs for good at its `access`-th access from now, 1 being the next: before it takes effect. With
/// `None` not any more.
///
/// # Panics
///
/// For access 0.
pub fn park_at(access: Option<u64>) {
    assert_ne!(access, Some(0), "accesses count from 1");
    running(|state, core| state.cores[core].park_in = access);
}

/// Whether a core was parked.
///
/// # Panics
///
/// Without a machine with such a core.
#[must_use]
pub fn is_parked(core: usize) -> bool {
    installed(|state| state.cores[core].parked)
}

/// An address as a number that does not depend on the host: from the start of the arena.
///
/// # Panics
///
/// If it does not lie there.
#[must_use]
pub fn offset(address: usize) -> usize {
    installed(|state| state.arena.offset(address)).expect("what cores share lies in the arena")
}

/// How many blocks [`alloc`] has given and [`dealloc`] not got back, of this layout, and of all others.
///
/// # Panics
///
/// Without a machine.
#[must_use]
pub fn live(layout: Layout) -> (usize, usize) {
    installed(|state| state.arena.live(layout))
}

/// As [`std::alloc::alloc`], from the arena.
///
/// # Safety
///
/// As there.
#[must_use]
pub unsafe fn alloc(layout: Layout) -> *mut u8 {
    running(|state, _| state.scheduler.spend(|machine| machine.costs.allocation));
    installed(|state| state.arena.alloc(layout))
}

/// As [`std::alloc::dealloc`], to the arena.
///
/// # Safety
///
/// As there.
pub unsafe fn dealloc(block: *mut u8, layout: Layout) {
    running(|state, _| state.scheduler.spend(|machine| machine.costs.allocation));
    installed(|state| state.arena.dealloc(block, layout));
}

/// A machine on the current thread, which has at most one. Dropping it takes it away.
pub struct Simulation {
    // The machine is the thread's.
    not_send: PhantomData<*const ()>,
}

impl Simulation {
    /// A machine that ends with a panic after so many accesses, for then some core waits for ever.
    ///
    /// # Panics
    ///
    /// If the thread has one already.
    #[must_use]
    pub fn new(policy: Policy, limit: u64) -> Self {
        STATE.with_borrow_mut(|state| {
            assert!(state.is_none(), "one machine per thread");
            *state = Some(State {
                arena: Arena::new(),
                scheduler: Scheduler::new(policy),
                cores: Vec::new(),
                current: None,
                accesses: 0,
                limit,
            });
        });
        Self { not_send: PhantomData }
    }

    /// Moves a value into the arena, where cores can share it.
    ///
    /// # Panics
    ///
    /// Without memory.
    pub fn place<T>(&self, value: T) -> Placed<'_, T> {
        let block = installed(|state| state.arena.alloc(Layout::new::<T>()));
        let value_in_arena = NonNull::new(block.cast::<T>()).expect("memory for what is shared");
        // SAFETY: just allocated with this type's layout.
        unsafe { value_in_arena.write(value) };
        Placed { value: value_in_arena, simulation: PhantomData }
    }

    /// Runs each body on a core of its own until all have ended, or are parked.
    ///
    /// # Panics
    ///
    /// If a body panics; or if there are more than 256.
    #[must_use]
    pub fn run(&self, bodies: Vec<Body<'_>>) -> Report {
        assert!(bodies.len() <= Cores::MOST, "at most {} cores", Cores::MOST);
        let mut running = Running::start(bodies);
        while let Some(core) = running.next() {
            running.resume(core);
        }
        drop(running);
        installed(|state| {
            let transfers = state.scheduler.transfers();
            let end = |core: &Core| if core.parked { End::Parked } else { End::Finished };
            Report {
                ends: state.cores.iter().map(end).collect(),
                time: state.scheduler.end(),
                accesses: state.accesses,
                transfers: transfers.all,
                far_transfers: transfers.far,
            }
        })
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        STATE.take();
    }
}

/// The coroutines of a run. Dropping it abandons those that have not ended: their stacks are given back, and nothing
/// on them is dropped.
struct Running(Vec<Coroutine<(), (), (), DefaultStack>>);

impl Running {
    const STACK: usize = 256 << 10;

    fn start(bodies: Vec<Body<'_>>) -> Self {
        installed(|state| {
            let core = || Core { yielder: ptr::null(), park_in: None, parked: false };
            state.cores = bodies.iter().map(|_| core()).collect();
            state.scheduler.start(bodies.len());
        });
        let coroutines = bodies.into_iter().enumerate().map(|(core, body)| {
            // SAFETY: a coroutine is resumed by `run` only, and when `run` returns none is left.
            let body = unsafe { std::mem::transmute::<Body<'_>, Body<'static>>(body) };
            let stack = DefaultStack::new(Self::STACK).expect("memory for a core's stack");
            Coroutine::with_stack(stack, move |yielder, ()| {
                installed(|state| state.cores[core].yielder = yielder);
                body();
                installed(|state| state.scheduler.leave(core));
            })
        });
        Self(coroutines.collect())
    }

    #[expect(clippy::unused_self, reason = "only while there are coroutines")]
    fn next(&mut self) -> Option<usize> {
        installed(|state| state.scheduler.next())
    }

    fn resume(&mut self, core: usize) {
        installed(|state| state.current = Some(core));
        let result = self.0[core].resume(());
        installed(|state| state.current = None);
        debug_assert!(matches!(result, CoroutineResult::Yield(()) | CoroutineResult::Return(())));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        installed(|state| state.current = None);
        for coroutine in &mut self.0 {
            // SAFETY: what is left on the stack is leaked; nobody else refers to it, but through the stack under
            // test, which was made for cores that stop anywhere.
            unsafe { coroutine.force_reset() };
        }
    }
}

/// A value in the arena.
pub struct Placed<'a, T> {
    value: NonNull<T>,
    simulation: PhantomData<&'a Simulation>,
}

impl<T> Deref for Placed<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: written in `place`, dropped with `self`.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for Placed<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this alone owns the value; it lies in the arena, with this layout.
        unsafe {
            self.value.drop_in_place();
            dealloc(self.value.as_ptr().cast(), Layout::new::<T>());
        }
    }
}
