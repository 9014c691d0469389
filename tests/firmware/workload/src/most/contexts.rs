//! Contexts on stacks of their own, which stand still inside a pop, and the timer's interrupt, which stops them there. It also
//! interrupts the call that is measured.
//!
//! There is one processor, and whatever is shared here is written by whoever has it, so loads and stores suffice.

use super::{MOST_SLOTS, Switching};
use crate::hart;
use crate::sweep::{Lent, NEVER, WAYS};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

/// The most contexts that stand still.
pub const MOST: usize = MOST_SLOTS;
/// The number of the context that does all else.
const MAIN: usize = MOST;
/// Words of the stack of each of the others.
const WORDS: usize = 64;
/// The first value that an interrupt pushes.
const VALUE: u16 = 2000;

#[repr(align(8))]
struct Memory(UnsafeCell<[usize; WORDS]>);

/// All of them.
pub struct Contexts {
    memories: [Memory; MOST],
    /// Where the stack of each ends, while another one runs.
    stack_pointers: [AtomicUsize; MOST + 1],
    running: AtomicUsize,
    /// Which one [`switch`] goes to from the main one, and how long that may run.
    next: AtomicUsize,
    steps: AtomicU32,
    ended: AtomicBool,
    /// The stack that they use. Set while there may be an interrupt.
    pub stack: Lent,
    /// The call that is measured is going on, and which way interrupts go meanwhile.
    measuring: AtomicBool,
    way: AtomicUsize,
    /// Instructions from the first interrupt to the second.
    then: AtomicU32,
    /// How many came, and how many of these inside of the call.
    come: AtomicU32,
    hits: AtomicU32,
    /// The counter when the call began, or went on; and its instructions before.
    since: AtomicU32,
    before: AtomicU32,
}

// SAFETY: the machine has one hart, and a context's memory is written while that does not run.
unsafe impl Sync for Contexts {}

/// See there.
pub static CONTEXTS: Contexts = Contexts {
    memories: [const { Memory(UnsafeCell::new([0; WORDS])) }; MOST],
    stack_pointers: [const { AtomicUsize::new(0) }; MOST + 1],
    running: AtomicUsize::new(MAIN),
    next: AtomicUsize::new(MAIN),
    steps: AtomicU32::new(0),
    ended: AtomicBool::new(false),
    stack: Lent::new(),
    measuring: AtomicBool::new(false),
    way: AtomicUsize::new(0),
    then: AtomicU32::new(NEVER),
    come: AtomicU32::new(0),
    hits: AtomicU32::new(0),
    since: AtomicU32::new(0),
    before: AtomicU32::new(0),
};

/// Interrupts of a call that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Instructions to the first one, and from there to the second.
    pub k: u32,
    pub then: u32,
    /// Which of [`WAYS`] they go. If none, they do not use the stack, but may still come between a load and its
    /// store-conditional.
    pub way: usize,
}

impl Plan {
    /// No interrupt.
    pub const NONE: Self = Self { k: NEVER, then: NEVER, way: WAYS.len() };
}

/// What was found out about a call.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Its instructions, and of each interrupt a constant number.
    pub instructions: u32,
    /// Interrupts that came, and those of them that came inside of it.
    pub come: u32,
    pub hits: u32,
}

impl Contexts {
    /// Lets a context begin its pop when it runs next.
    pub fn begin<M: Switching>(&self, context: usize) {
        // SAFETY: it does not run.
        let memory = unsafe { &mut *self.memories[context].0.get() };
        self.stack_pointers[context].store(M::prepare(memory, pop::<M>), Relaxed);
    }

    /// Lets it run for so many instructions, give or take a constant; says whether its pop has ended.
    pub fn run<M: Switching>(&self, context: usize, steps: u32) -> bool {
        self.ended.store(false, Relaxed);
        self.steps.store(steps, Relaxed);
        self.next.store(context, Relaxed);
        M::call_switch();
        self.ended.load(Relaxed)
    }

    /// Makes a call, while interrupts come as planned.
    pub fn measure<M: Switching>(&self, call: &dyn Fn() -> bool, plan: Plan) -> (bool, Measured) {
        self.way.store(plan.way, Relaxed);
        self.then.store(plan.then, Relaxed);
        [&self.come, &self.hits, &self.before].iter().for_each(|count| count.store(0, Relaxed));
        self.measuring.store(true, Relaxed);
        if plan.k != NEVER {
            M::arm(plan.k);
        }
        self.since.store(M::read(), Relaxed);
        let result = hart::operation(call);
        let end = M::read();
        if plan.k != NEVER {
            M::count();
        }
        self.measuring.store(false, Relaxed);
        let instructions = self.before.load(Relaxed) + M::between(self.since.load(Relaxed), end);
        (result, Measured { instructions, come: self.come.load(Relaxed), hits: self.hits.load(Relaxed) })
    }

    /// The interrupt of a call that is measured.
    fn interrupt<M: Switching>(&self, now: u32) {
        let come = self.come.load(Relaxed);
        self.come.store(come + 1, Relaxed);
        if hart::inside() {
            self.hits.store(self.hits.load(Relaxed) + 1, Relaxed);
        }
        self.before.store(self.before.load(Relaxed) + M::between(self.since.load(Relaxed), now), Relaxed);
        if let Some(way) = WAYS.get(self.way.load(Relaxed)) {
            hart::handler(|| way.work(self.stack.get().expect("there is a stack"), VALUE, |call| call()));
        }
        M::arm(if come == 0 { self.then.load(Relaxed) } else { NEVER });
        self.since.store(M::read(), Relaxed);
    }
}

/// What a context does.
extern "C" fn pop<M: Switching>() -> ! {
    CONTEXTS.stack.get().expect("there is a stack").try_pop();
    CONTEXTS.ended.store(true, Relaxed);
    loop {
        M::call_switch();
    }
}

/// The interrupt of the timer, or the one that [`Switching::call_switch`] has asked for. Gets where the interrupted context's
/// stack ends, with what was saved there, and returns where that of the one to go on does.
pub fn switch<M: Switching>(stack_pointer: usize) -> usize {
    let now = M::read();
    M::called();
    let contexts = &CONTEXTS;
    if contexts.measuring.load(Relaxed) {
        contexts.interrupt::<M>(now);
        return stack_pointer;
    }
    M::count();
    let from = contexts.running.load(Relaxed);
    let to = if from == MAIN { contexts.next.load(Relaxed) } else { MAIN };
    contexts.stack_pointers[from].store(stack_pointer, Relaxed);
    contexts.running.store(to, Relaxed);
    if to != MAIN {
        M::arm(contexts.steps.load(Relaxed));
    }
    contexts.stack_pointers[to].load(Relaxed)
}
