//! What the interrupts of a run do, and what they note of it.

use super::Stepping;
use super::history::{Done, Log};
use crate::hart;
use core::cell::UnsafeCell;
use core::mem;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

/// The first value that each level pushes.
const VALUES: [u16; 2] = [2000, 3000];

/// What a handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Pops two values and pushes the first one back. If it gets the same node for that, the top is as before, and what is below
    /// is not (ABA).
    Swap,
    /// Pushes until that is refused.
    Fill,
    /// Pops until there is nothing.
    Empty,
}

impl Way {
    /// Does it, and pushes values from this one on; `make` makes each call.
    pub fn work(self, stack: &dyn Interrupted, value: u16, mut make: impl FnMut(&dyn Fn() -> Done) -> Done) {
        match self {
            Self::Swap => {
                let first = make(&|| stack.try_pop());
                make(&|| stack.try_pop());
                if let Done::Popped(value) = first {
                    make(&|| stack.push_spare(value));
                }
            }
            Self::Fill => {
                let mut values = value..;
                while let Some(Done::Pushed(_)) = values.next().map(|value| make(&|| stack.push_spare(value))) {}
            }
            Self::Empty => while let Done::Popped(_) = make(&|| stack.try_pop()) {},
        }
    }
}

/// All of them.
pub const WAYS: [Way; 3] = [Way::Swap, Way::Fill, Way::Empty];

/// The stack as a handler sees it.
pub trait Interrupted {
    /// Pushes a value.
    fn push_spare(&self, value: u16) -> Done;
    /// Pops one.
    fn try_pop(&self) -> Done;
}

/// The stack that interrupts use, while there may be one.
pub struct Lent(UnsafeCell<Option<&'static dyn Interrupted>>);

// SAFETY: the machine has one hart, and it is written only while no interrupt comes.
unsafe impl Sync for Lent {}

impl Lent {
    /// No stack.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Has the interrupts use this stack while `work` runs. None may come, and nobody else use it, any more when that returns; it
    /// does not unwind, for here a panic is the end.
    pub fn with(&self, stack: &dyn Interrupted, work: impl FnOnce()) {
        // SAFETY: the lifetime: it is not used any more when `work` has returned.
        let stack = unsafe { mem::transmute::<&dyn Interrupted, &'static dyn Interrupted>(stack) };
        // SAFETY: nobody uses it yet.
        unsafe { *self.0.get() = Some(stack) };
        work();
        // SAFETY: nobody uses it any more.
        unsafe { *self.0.get() = None };
    }

    /// It, if there is one.
    pub fn get(&self) -> Option<&'static dyn Interrupted> {
        // SAFETY: written only while nobody asks.
        unsafe { *self.0.get() }
    }
}

/// What one level of interrupts does in a run, and has done.
pub struct Level {
    way: AtomicU8,
    /// Its calls.
    pub log: Log,
    begun: AtomicBool,
    ended: AtomicBool,
    /// It is in the middle of a call.
    calling: AtomicBool,
}

impl Level {
    const fn new() -> Self {
        let [begun, ended, calling] = [const { AtomicBool::new(false) }; 3];
        Self { way: AtomicU8::new(0), log: Log::new(), begun, ended, calling }
    }

    /// Whether it has come in this run.
    pub fn has_come(&self) -> bool {
        self.begun.load(Relaxed)
    }

    fn work(&self, stack: &dyn Interrupted, value: u16) {
        self.begun.store(true, Relaxed);
        hart::handler(|| {
            WAYS[usize::from(self.way.load(Relaxed))].work(stack, value, |call| self.call(call));
        });
        self.ended.store(true, Relaxed);
    }

    fn call(&self, call: impl FnOnce() -> Done) -> Done {
        self.calling.store(true, Relaxed);
        let done = call();
        self.log.note(done);
        self.calling.store(false, Relaxed);
        done
    }
}

/// Where the second interrupt came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// Nowhere.
    Never,
    /// Before the first one's handler had begun.
    Before,
    /// Inside that, after so many of its calls.
    Between(usize),
    /// Inside that, in the middle of the call after so many.
    InCall(usize),
    /// After that, when the operation went on.
    After,
}

/// The run that is going on.
pub struct Run {
    /// Set while the timer is armed.
    pub stack: Lent,
    /// Instructions from the first interrupt to the second.
    then: AtomicU32,
    /// The first interrupt's and the second one's.
    pub levels: [Level; 2],
    /// Where the first one came: the address of the instruction that was next, and whether inside the operation.
    place: AtomicUsize,
    inside: AtomicBool,
    /// How late it came, see [`Stepping::late`].
    late: AtomicU32,
    /// Where the second one came: whether when the first one's handler had begun, and ended; after how many of its calls, and
    /// whether in the middle of another.
    begun: AtomicBool,
    ended: AtomicBool,
    calls: AtomicUsize,
    in_call: AtomicBool,
    /// Instructions of the first one's handler, if no second one came.
    length: AtomicU32,
}

/// See there.
pub static RUN: Run = Run {
    stack: Lent::new(),
    then: AtomicU32::new(0),
    levels: [const { Level::new() }; 2],
    place: AtomicUsize::new(0),
    inside: AtomicBool::new(false),
    late: AtomicU32::new(0),
    begun: AtomicBool::new(false),
    ended: AtomicBool::new(false),
    calls: AtomicUsize::new(0),
    in_call: AtomicBool::new(false),
    length: AtomicU32::new(0),
};

impl Run {
    /// Begins a run, in which the second interrupt comes so many instructions after the first, and in which they do this.
    pub fn begin(&self, then: u32, ways: [Way; 2]) {
        for (level, way) in self.levels.iter().zip(ways) {
            level.way.store(way as u8, Relaxed);
            level.log.clear();
            level.begun.store(false, Relaxed);
            level.ended.store(false, Relaxed);
        }
        self.then.store(then, Relaxed);
        self.place.store(0, Relaxed);
        self.inside.store(false, Relaxed);
    }

    fn work(&self, level: usize) {
        if let Some(stack) = self.stack.get() {
            self.levels[level].work(stack, VALUES[level]);
        }
    }

    /// Before which instruction the first interrupt came; `None` if it did not come.
    pub fn place(&self) -> Option<usize> {
        Some(self.place.load(Relaxed)).filter(|place| *place != 0)
    }

    /// Whether the first interrupt came inside the operation.
    pub fn is_hit(&self) -> bool {
        self.inside.load(Relaxed)
    }

    /// How many instructions after it was due the first interrupt came, give or take a constant.
    pub fn late(&self) -> u32 {
        self.late.load(Relaxed)
    }

    /// Where the second interrupt came.
    pub fn second(&self) -> Second {
        let calls = self.calls.load(Relaxed);
        match (self.begun.load(Relaxed), self.ended.load(Relaxed), self.in_call.load(Relaxed)) {
            _ if !self.levels[1].has_come() => Second::Never,
            (false, ..) => Second::Before,
            (true, false, false) => Second::Between(calls),
            (true, false, true) => Second::InCall(calls),
            (true, true, _) => Second::After,
        }
    }

    /// Instructions of the first interrupt's handler, in a run without a second one.
    pub fn length(&self) -> u32 {
        self.length.load(Relaxed)
    }
}

/// The timer's interrupt, with the address of the instruction before which it came.
pub fn timer<M: Stepping>(place: usize) {
    let [first, second] = &RUN.levels;
    if RUN.place().is_none() {
        RUN.late.store(M::late(), Relaxed);
        RUN.place.store(place, Relaxed);
        RUN.inside.store(hart::inside(), Relaxed);
        M::arm(RUN.then.load(Relaxed));
        M::call_first_level();
    } else {
        M::disarm();
        assert!(!second.has_come(), "a third interrupt");
        RUN.begun.store(first.begun.load(Relaxed), Relaxed);
        RUN.ended.store(first.ended.load(Relaxed), Relaxed);
        RUN.calls.store(first.log.len(), Relaxed);
        RUN.in_call.store(first.calling.load(Relaxed), Relaxed);
        RUN.work(1);
    }
}

/// The first interrupt's handler.
pub fn first_level<M: Stepping>() {
    let start = M::read();
    RUN.work(0);
    RUN.length.store(M::between(start, M::read()), Relaxed);
}
