//! An interrupt at every instruction of every operation, on a machine that counts instructions as time.
//!
//! One run: a new stack is brought into some state, an operation of the main loop is called, and the timer's interrupt comes
//! after `k` instructions. Its handler does what hurts most, see [`Way`]. In some runs the timer's interrupt comes once more, `j`
//! instructions later: mostly inside the first one's handler, which it interrupts, else in the operation again. After each run
//! the results of all calls, and what is left in the stack, have to be those of a sequential order; every node has to be there;
//! and each has to be free again when the stack was dropped.
//!
//! `k` goes from 0 to the operation's end, in several states from which the operation takes different numbers of instructions.
//! That each `k` is one instruction is not believed, but looked at: [`Sweep::calibrate`] finds the interrupt at each of a row of
//! `nop`, and for each operation the interrupts that come inside have to make up the instructions that it takes by the machine's
//! counter. Where interrupts are masked, they come when that ends, which the timer says, and one stands for all of these.

mod history;
mod interrupts;
mod operations;

use self::history::{Done, Log, is_sequential};
use self::interrupts::{RUN, Second, Way};
use self::operations::{Caller, PUSHED_AT_ONCE, RESERVED, Subject};
use crate::Counter;
use crate::random::Random;
use crate::{console::println, heap};
use alloc::{vec, vec::Vec};
use core::marker::PhantomData;
use elimination_stack::{NoBackoff, Slots, Stack};

pub(crate) use self::interrupts::{Interrupted, Lent, WAYS};
pub use self::interrupts::{first_level, timer};

/// What the sweep needs of a machine.
pub trait Stepping: Counter {
    /// Where the image's code begins.
    const CODE: usize;

    /// Lets the timer interrupt come once, so many instructions from now, give or take a constant; and starts the counter.
    fn arm(instructions: u32);

    /// How many instructions ago the interrupt was due, give or take a constant: more if interrupts were masked then. To be
    /// called first in it. A machine that cannot tell has more interrupts at the place where the mask ends.
    fn late() -> u32 {
        0
    }

    /// Lets it come no more.
    fn disarm();

    /// Lets [`first_level`] be called before the interrupted code goes on, at a level that the timer interrupts.
    fn call_first_level();
}

/// As many instructions as no run takes.
pub(crate) const NEVER: u32 = u32::MAX;
/// Bytes of code, the image's first ones, of which each instruction may be noted.
const CODE_SIZE: usize = 96 << 10;
/// The most states in which one operation is swept.
const MOST_STATES: usize = 4;
/// Each so many runs the stack is filled afterwards, which takes long.
const FILLS: u32 = 8;
/// Runs with two interrupts, for each state of each operation.
const PAIRS: u32 = 60;
/// Instructions of [`Sweep::calibrate`].
const NOPS: u32 = 100;

/// One run.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Values that are popped from the full stack before.
    popped: usize,
    /// Instructions to the first interrupt, and from there to the second, if one is to come.
    k: u32,
    j: Option<u32>,
    /// What the two do.
    ways: [Way; 2],
}

/// The sweep, and what has been done so far.
pub struct Sweep<M> {
    /// The main loop's calls in a run: before the operation that is interrupted, that, and afterwards.
    before: Log,
    main: Log,
    after: Log,
    random: Random,
    /// A bit for each two bytes of code, the shortest instruction: whether an operation was interrupted before it.
    hit: Vec<u8>,
    /// Instructions that are interrupted in an operation, less what it takes by the counter.
    surplus: u32,
    /// The first `k` inside an operation.
    lead: u32,
    /// What [`Stepping::late`] says of an interrupt that comes when it is due.
    in_time: u32,
    operations: u32,
    states: usize,
    interrupts: u32,
    /// Second interrupts inside the first one's handler, and in the operation again.
    nested: u32,
    again: u32,
    /// Calls of the second level that found no slot.
    without_slot: u32,
    board: PhantomData<M>,
}

/// Sweeps over everything; returns if nothing was wrong.
pub fn run<M: Stepping>() {
    heap::init();
    let stack = Stack::<u16, Slots<2>, NoBackoff>::custom();
    stack.reserve(1).expect("the heap is large enough");
    heap::learn_node_size();
    drop(stack);
    let mut sweep = Sweep::<M> {
        before: Log::new(),
        main: Log::new(),
        after: Log::new(),
        random: Random::new(1),
        // In the heap, for which the machine's memory has been given to.
        hit: vec![0; CODE_SIZE / 16],
        surplus: 0,
        lead: 0,
        in_time: 0,
        operations: 0,
        states: 0,
        interrupts: 0,
        nested: 0,
        again: 0,
        without_slot: 0,
        board: PhantomData,
    };
    sweep.calibrate();
    sweep.all();
    sweep.report();
}

impl<M: Stepping> Sweep<M> {
    /// Looks whether the timer hits each instruction of a row of `nop`; and how many more come inside what does nothing else.
    fn calibrate(&mut self) {
        let row = |sweep: &Self, k| {
            RUN.begin(NEVER, [Way::Swap; 2]);
            let caller = Caller::<M>::new(k, &sweep.main);
            caller.interrupted(|| {
                // SAFETY: does nothing, a hundred times.
                unsafe { core::arch::asm!(".rept 100", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
            });
            caller.length()
        };
        let length = row(self, NEVER);
        assert!(length >= NOPS, "by the counter {NOPS} instructions are {length}");
        let (mut last, mut in_row, mut lead) = (0, 0, NEVER);
        row(self, length / 2);
        self.in_time = RUN.late();
        let inside = self.every_instruction(|sweep, k| {
            row(sweep, k);
            let place = RUN.place().unwrap_or(0);
            if RUN.is_hit() {
                lead = lead.min(k);
                in_row += u32::from(place == last + 2 && RUN.late() == sweep.in_time);
            }
            last = place;
        });
        assert!(in_row >= NOPS - 1, "the timer hits {in_row} of {NOPS} instructions");
        self.surplus = inside - length;
        self.interrupts = 0;
        self.lead = lead;
    }

    /// Sweeps over one operation.
    fn operation(&mut self, subject: &Subject<'_, M>) {
        self.operations += 1;
        let mut full = 0;
        (subject.with_new)(&mut |stack, _| full = self.fill(stack));
        let mut lengths = [0; MOST_STATES];
        let mut states = 0;
        // The empty stack and the full one first, since there may be more states than are taken.
        for popped in [full, 0].into_iter().chain((1..full).rev()) {
            let length = self.run(subject, Plan { popped, k: NEVER, j: None, ways: [Way::Swap; 2] });
            if states < MOST_STATES && !lengths[..states].contains(&length) {
                lengths[states] = length;
                states += 1;
                self.state(subject, popped, length);
            }
        }
        self.states += states;
    }

    /// Sweeps over one operation in one state, in which it takes so many instructions.
    fn state(&mut self, subject: &Subject<'_, M>, popped: usize, length: u32) {
        let mut handlers = [0; WAYS.len()];
        for way in WAYS {
            let inside = self.every_instruction(|sweep, k| {
                sweep.run(subject, Plan { popped, k, j: None, ways: [way; 2] });
                if let Some(place) = RUN.place().filter(|_| RUN.is_hit()) {
                    let index = (place - M::CODE) / 2;
                    sweep.hit[index / 8] |= 1 << (index % 8);
                    handlers[way as usize] = RUN.length();
                }
            });
            let all = length + self.surplus;
            assert!(inside == all, "{subject}: interrupted at {inside} instructions and not at {all}");
        }
        for _ in 0..PAIRS {
            let ways = [(); 2].map(|()| WAYS[self.random.within(0..WAYS.len() as u32) as usize]);
            let k = self.lead + self.random.within(0..length);
            let j = Some(self.random.within(0..handlers[ways[0] as usize] * 5 / 4 + 40));
            self.run(subject, Plan { popped, k, j, ways });
        }
    }

    /// Makes runs with an interrupt after each number of instructions, until none comes any more; but where it comes late, since
    /// interrupts are masked, no others that come at the same place for that. Returns how many of the instructions were the
    /// operation's.
    fn every_instruction(&mut self, mut run: impl FnMut(&mut Self, u32)) -> u32 {
        let (mut k, mut inside) = (0, 0);
        loop {
            run(self, k);
            if RUN.place().is_none() {
                return inside;
            }
            let mut instructions = 1;
            if RUN.is_hit() {
                instructions += RUN.late() - self.in_time;
                self.interrupts += 1;
                inside += instructions;
            }
            k += instructions;
        }
    }

    /// Makes one run and checks it. Returns the instructions that the operation took, if it was not interrupted.
    fn run(&mut self, subject: &Subject<'_, M>, plan: Plan) -> u32 {
        let (mut length, mut full) = (0, 0);
        (subject.with_new)(&mut |stack, call| {
            full = self.fill(stack);
            for _ in 0..plan.popped {
                pop(stack, &self.before);
            }
            RUN.begin(plan.j.unwrap_or(NEVER), plan.ways);
            self.main.clear();
            let caller = Caller::new(plan.k, &self.main);
            RUN.stack.with(stack, || call(&caller));
            length = caller.length();
            self.after.clear();
            while pop(stack, &self.after).is_some() {}
            self.check(subject, plan);
            if plan.k % FILLS == 0 {
                assert!(self.works(stack) >= subject.room.unwrap_or(full), "{subject}: a node was lost; {plan:?}");
            }
        });
        let (nodes, most) = (heap::counts().nodes, heap::counts().nodes_peak as usize);
        assert!(nodes == 0, "{subject}: {nodes} nodes left after the stack was dropped; {plan:?}");
        // An operation may push so many values beyond those for which nodes were reserved.
        let bound = full + PUSHED_AT_ONCE + subject.idle_nodes + RESERVED;
        assert!(most <= bound, "{subject}: {most} nodes, but at most {bound} allowed; {plan:?}");
        length
    }

    /// Pushes until there is no node any more. Returns how many values.
    fn fill(&self, stack: &dyn Interrupted) -> usize {
        self.before.clear();
        let pushes = (1..).map(|value| stack.push_spare(value));
        pushes.take_while(|push| matches!(push, Done::Pushed(_))).inspect(|push| self.before.note(*push)).count()
    }

    /// Looks whether the stack, which is empty, still works. Returns how many values it takes without the allocator.
    fn works(&self, stack: &dyn Interrupted) -> usize {
        let full = self.fill(stack);
        self.after.clear();
        while pop(stack, &self.after).is_some() {}
        assert!(is_sequential(self.before.iter().chain(self.after.iter())), "the stack works no more");
        full
    }

    /// Looks at the calls of a run, and counts them.
    fn check(&mut self, subject: &Subject<'_, M>, plan: Plan) {
        let [first, second] = &RUN.levels;
        if !self.has_order() {
            let logs = [&self.before, &self.main, &first.log, &second.log, &self.after];
            for (name, log) in ["before", "operation", "first level", "second level", "after"].iter().zip(logs) {
                log.iter().for_each(|call| println!("{name}: {call:?}"));
            }
            panic!("{subject}: no sequential order has these results; {plan:?}");
        }
        assert!(first.log.iter().all(|call| call != Done::NoSlot), "{subject}: no slot; {plan:?}");
        // Of the two nodes the operation that was interrupted can protect one.
        let popped = first.log.iter().take(2).all(|call| matches!(call, Done::Popped(_)));
        let refused = first.log.iter().any(|call| matches!(call, Done::Refused(_)));
        let may_be = plan.ways[0] != Way::Swap || !popped || second.has_come();
        assert!(!refused || may_be, "{subject}: no node although two were popped; {plan:?}");
        let without_slot = second.log.iter().filter(|call| *call == Done::NoSlot).count();
        assert!(without_slot == 0 || subject.contexts < 3, "{subject}: no slot; {plan:?}");
        self.without_slot += without_slot as u32;
        match RUN.second() {
            Second::Never | Second::Before => {}
            Second::Between(_) | Second::InCall(_) => self.nested += 1,
            Second::After => self.again += 1,
        }
    }

    /// Whether there is a sequential order with the results of the run.
    ///
    /// The second interrupt's calls came before or after the call of the first one's handler that they have interrupted. The
    /// operation of the main loop came before or after all of these, or between the two handlers if it went on there.
    fn has_order(&self) -> bool {
        let [first, second] = &RUN.levels;
        let (splits, between) = match RUN.second() {
            Second::Never | Second::Before => (0..1, false),
            Second::Between(calls) => (calls..calls + 1, false),
            Second::InCall(calls) => (calls..calls + 2, false),
            Second::After => (first.log.len()..first.log.len() + 1, true),
        };
        let main = |here| self.main.iter().filter(move |_| here);
        splits.clone().any(|split| {
            (0..3).filter(|place| between || *place != 1).any(|place| {
                let begin = self.before.iter().chain(main(place == 0)).chain(first.log.iter().take(split));
                let middle = main(place == 1).chain(second.log.iter());
                let end = first.log.iter().skip(split).chain(main(place == 2)).chain(self.after.iter());
                is_sequential(begin.chain(middle).chain(end))
            })
        })
    }

    fn report(&self) {
        println!(
            "ok: {} operations in {} states; {} interrupts, one at each instruction that may be interrupted, {} of which are \
             different; {} interrupts inside the handler of another, {} after it; {} calls of these found no slot",
            self.operations,
            self.states,
            self.interrupts,
            self.hit.iter().map(|bits| bits.count_ones()).sum::<u32>(),
            self.nested,
            self.again,
            self.without_slot,
        );
    }
}

/// Pops a value, and notes that.
fn pop(stack: &dyn Interrupted, log: &Log) -> Option<u16> {
    let done = stack.try_pop();
    log.note(done);
    if let Done::Popped(value) = done { Some(value) } else { None }
}
