//! What the suites share: the list of stacks, the scale of iteration counts, a census of values, a watchdog.

#![allow(dead_code, unused_imports, unused_macros, reason = "each suite uses a part of this")]

pub use elimination_stack::{
    Backoff, Elimination, Exponential, Handle, Haphazard, NoBackoff, NoSlot, OutOfMemory, PushError, PushErrorKind,
    Reclaim, Slots, Stack,
};
use std::cell::Cell;
use std::io::{self, Write};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, LocalKey};
use std::time::Duration;

/// Runs tests on every stack: `for_each_stack! { first, second }` makes a `#[test]` of each generic function
/// `fn first<R: Engine, B: Backoff>()` for each line of the list below, the only one there is.
macro_rules! for_each_stack {
    ($($test:ident),+ $(,)?) => {
        mod every_engine {
            use super::*;
            list_of_stacks! { every [$($test)+] }
        }
    };
}

/// As `for_each_stack`, for what only the engine `Slots` promises.
macro_rules! for_each_slots_stack {
    ($($test:ident),+ $(,)?) => {
        mod engine_slots {
            use super::*;
            list_of_stacks! { slots [$($test)+] }
        }
    };
}

/// As `for_each_stack`, but calls the macro `$callback! { engine, back-off }`, which sees the types as such.
macro_rules! for_each_stack_type {
    ($callback:ident) => {
        mod every_type {
            use super::*;
            list_of_stacks! { every [@ $callback] }
        }
    };
}

/// Calls a generic function, as those of `for_each_stack`, with every stack in turn: `on_each_stack!(first(argument))`.
macro_rules! on_each_stack {
    ($function:ident $arguments:tt) => {{
        list_of_stacks! { every [= $function $arguments] }
    }};
}

macro_rules! list_of_stacks {
    ($which:ident $tests:tt) => {
        one_stack! { $which $tests slots default: Slots<8>, Elimination<4> }
        one_stack! { $which $tests slots smallest: Slots<1>, Elimination<1> }
        one_stack! { $which $tests slots slots2_treiber: Slots<2>, NoBackoff }
        one_stack! { $which $tests slots treiber: Slots<8>, NoBackoff }
        one_stack! { $which $tests slots exponential: Slots<8>, Exponential }
        // A wait that lets others run is what makes pushes and pops meet on few cores.
        one_stack! { $which $tests slots yielding: Slots<8>, Elimination<1, Yield> }
        one_stack! { $which $tests haphazard haphazard: Haphazard, Elimination<4> }
        one_stack! { $which $tests haphazard haphazard_treiber: Haphazard, NoBackoff }
    };
}

macro_rules! one_stack {
    (slots $tests:tt haphazard $($rest:tt)*) => {};
    ($which:ident [= $function:ident $arguments:tt] $engine:ident $name:ident: $reclaim:ty, $backoff:ty) => {
        $function::<$reclaim, $backoff>$arguments;
    };
    ($which:ident [@ $callback:ident] $engine:ident $name:ident: $reclaim:ty, $backoff:ty) => {
        mod $name {
            use super::*;
            $callback! { $reclaim, $backoff }
        }
    };
    ($which:ident [$($test:ident)+] $engine:ident $name:ident: $reclaim:ty, $backoff:ty) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $test() {
                    with_watchdog(super::super::$test::<$reclaim, $backoff>);
                }
            )+
        }
    };
}

/// What a suite has to know of an engine.
pub trait Engine: Reclaim + 'static {
    /// Contexts that may be inside at once before the stack allocates a further slot.
    const SLOTS: usize;
    /// Nodes that a `TakeAll` lets go at once, and holds until then.
    const TAKE_BATCH: usize;
    /// Values that come and go in the steady state without the allocator, although none are reserved.
    const BURST: usize;
    /// Retired nodes at which a context looks which are protected.
    const RETIRED: usize;
    /// Whether the calls meant for interrupt handlers keep off the allocator, and find all spare nodes.
    const FOR_HANDLERS: bool;
}

impl<const N: usize> Engine for Slots<N> {
    const SLOTS: usize = N;
    const TAKE_BATCH: usize = Self::BATCH;
    const BURST: usize = Self::DEPOT_LIMIT;
    const RETIRED: usize = Self::RETIRE_LIMIT;
    const FOR_HANDLERS: bool = true;
}

impl<const RECLAIM_AT: usize> Engine for Haphazard<RECLAIM_AT> {
    const SLOTS: usize = Self::SLOTS;
    const TAKE_BATCH: usize = Self::SPARE_LIMIT;
    const BURST: usize = 0;
    const RETIRED: usize = RECLAIM_AT;
    const FOR_HANDLERS: bool = false;
}

/// Waits by letting another thread run.
#[derive(Debug)]
pub struct Yield;

impl elimination_stack::RelaxStrategy for Yield {
    fn relax() {
        thread::yield_now();
    }
}

/// A stack through its own calls, or through those of a handle.
#[derive(Debug)]
pub enum Through<'s, T, R: Reclaim, B: Backoff> {
    Stack(&'s Stack<T, R, B>),
    Handle(Handle<'s, T, R, B>),
}

impl<'s, T, R: Reclaim, B: Backoff> Through<'s, T, R, B> {
    pub fn new(stack: &'s Stack<T, R, B>, with_handle: bool) -> Self {
        if with_handle { Self::Handle(stack.handle()) } else { Self::Stack(stack) }
    }

    pub fn is_handle(&self) -> bool {
        matches!(self, Self::Handle(_))
    }
}

/// The calls that both have.
macro_rules! calls_through {
    ($($call:ident($($value:ident: $type:ty)?) -> $result:ty;)+) => {
        impl<T, R: Reclaim, B: Backoff> Through<'_, T, R, B> {
            $(
                pub fn $call(&mut self $(, $value: $type)?) -> $result {
                    match self {
                        Self::Stack(stack) => stack.$call($($value)?),
                        Self::Handle(handle) => handle.$call($($value)?),
                    }
                }
            )+
        }
    };
}

calls_through! {
    push(value: T) -> ();
    try_push(value: T) -> Result<(), PushError<T>>;
    push_spare(value: T) -> Result<(), PushError<T>>;
    push_all(values: impl IntoIterator<Item = T>) -> ();
    extend(values: impl IntoIterator<Item = T>) -> ();
    pop() -> Option<T>;
}

/// An iteration count, scaled by the percentage in `ELIMINATION_STACK_TEST_SCALE`; at least 1.
pub fn scaled(iterations: usize) -> usize {
    static PERCENT: OnceLock<usize> = OnceLock::new();
    let percent = *PERCENT.get_or_init(|| match std::env::var("ELIMINATION_STACK_TEST_SCALE") {
        Ok(text) => text.trim().parse().expect("ELIMINATION_STACK_TEST_SCALE is a percentage, a whole number"),
        Err(_) => 100,
    });
    (iterations * percent / 100).max(1)
}

/// How long each stack's soak shall take, if somebody says so in `ELIMINATION_STACK_SOAK_SECONDS`.
pub fn soak_time() -> Option<Duration> {
    let text = std::env::var("ELIMINATION_STACK_SOAK_SECONDS").ok()?;
    let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Some(seconds.expect("ELIMINATION_STACK_SOAK_SECONDS is a number of seconds"))
}

/// For tests of which one runs at a time, because they share what the process has once, or need the processors.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells other threads to stop, also if this one panics.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Has a thread-local point to `value` while `action` runs.
pub fn with_local<V, O>(local: &'static LocalKey<Cell<*const V>>, value: *const V, action: impl FnOnce() -> O) -> O {
    struct Restore<V: 'static>(&'static LocalKey<Cell<*const V>>, *const V);

    impl<V> Drop for Restore<V> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }

    let _restore = Restore(local, local.replace(value));
    action()
}

/// Runs `test` in a thread of its own and ends the process if it hangs. Generous: it tells a hang, not slowness.
pub fn with_watchdog(test: fn()) {
    let limit = Duration::from_secs(if cfg!(miri) { 7200 } else { 300 }) + soak_time().unwrap_or_default();
    let (done, waiting) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("test").to_owned();
    let thread = thread::Builder::new().name(name.clone());
    let thread = thread.spawn(move || {
        // Hangs up at the end, also if the test panics.
        let _done = done;
        test();
    });
    if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        // Not `eprintln`, whose output the harness would show at the end, which does not come.
        let _ = writeln!(io::stderr(), "{name} hangs");
        process::abort();
    }
    thread.unwrap().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// A small xorshift generator.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: usize) -> Self {
        Self((seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(((self.0 >> 32) * bound as u64) >> 32).unwrap()
    }
}

/// Counts for each value how often it was made, came out of the stack, and was dropped.
///
/// Values find their census through a thread-local, so that those without room for a reference can be counted.
#[derive(Debug)]
pub struct Census(Box<[Row]>);

#[derive(Debug, Default)]
struct Row {
    made: AtomicU32,
    out: AtomicU32,
    dropped: AtomicU32,
}

thread_local! {
    static CENSUS: Cell<*const Census> = const { Cell::new(ptr::null()) };
}

impl Census {
    /// A census of values with ids below `ids`.
    pub fn new(ids: usize) -> Self {
        Self((0..ids).map(|_| Row::default()).collect())
    }

    /// Makes this the census of the values that this thread makes or drops in `action`.
    pub fn during<O>(&self, action: impl FnOnce() -> O) -> O {
        with_local(&CENSUS, self, action)
    }

    fn row<O>(id: usize, action: impl FnOnce(&Row) -> O) -> O {
        let census = CENSUS.get();
        assert!(!census.is_null(), "outside of `Census::during`");
        // SAFETY: set by `during`, which borrows the census for as long.
        action(&unsafe { &*census }.0[id])
    }

    pub fn made(id: usize) {
        Self::row(id, |row| row.made.fetch_add(1, Relaxed));
    }

    pub fn out(id: usize) {
        Self::row(id, |row| row.out.fetch_add(1, Relaxed));
    }

    pub fn dropped(id: usize) {
        Self::row(id, |row| row.dropped.fetch_add(1, Relaxed));
    }

    /// Values made and not dropped.
    pub fn alive(&self) -> i64 {
        self.0.iter().map(|row| i64::from(row.made.load(Relaxed)) - i64::from(row.dropped.load(Relaxed))).sum()
    }

    /// Values that came out of the stack.
    pub fn total_out(&self) -> usize {
        self.0.iter().map(|row| row.out.load(Relaxed) as usize).sum()
    }

    /// Fails unless every value that was made was dropped, once.
    pub fn assert_all_dropped(&self) {
        self.assert_same("dropped", |row| &row.dropped);
    }

    /// Fails unless every value that was made came out of the stack, once.
    pub fn assert_all_out(&self) {
        self.assert_same("out", |row| &row.out);
    }

    fn assert_same(&self, what: &str, column: impl Fn(&Row) -> &AtomicU32) {
        for (id, row) in self.0.iter().enumerate() {
            let (made, other) = (row.made.load(Relaxed), column(row).load(Relaxed));
            assert_eq!(made, other, "value {id}: made {made} times, {what} {other} times");
        }
    }
}

/// A value that the census counts; `id` is its number, as far as it has room for it.
pub trait Counted: Send {
    fn id(&self) -> usize;
}

/// A value of any type, counted from its beginning to its end.
#[derive(Debug)]
pub struct Tracked<V: Counted>(V);

/// A counted value of a pointer's size or so.
pub type Word = Tracked<usize>;

impl<V: Counted> Tracked<V> {
    pub fn new(value: V) -> Self {
        Census::made(value.id());
        Self(value)
    }
}

impl<V: Counted> Counted for Tracked<V> {
    fn id(&self) -> usize {
        self.0.id()
    }
}

impl<V: Counted> Drop for Tracked<V> {
    fn drop(&mut self) {
        Census::dropped(self.0.id());
    }
}

impl Counted for usize {
    fn id(&self) -> usize {
        *self
    }
}
