//! The most that the calls of an interrupt take: instructions, of which [`bounds`] says how many they are at most, and bytes of
//! stack.
//!
//! A call takes longest on a stack that others are inside of. So some contexts stand still inside a pop, each in a slot of its
//! own that protects a node, see [`contexts`]; and what they protect was popped meanwhile, by the context whose calls are
//! counted. From there that one pops and pushes until there is neither a value nor a node left, and again. All of that is done
//! with the values and the nodes in many places, see [`State`], and each call is counted.
//!
//! Of the calls that took longest the same is done again and again, with an interrupt at each instruction, which uses the stack
//! as in [`sweep`](crate::sweep); and then with another one after it, at each instruction. Their own instructions do not count.

mod bounds;
mod contexts;

use self::bounds::BOUNDS;
use self::contexts::{CONTEXTS, Measured, Plan};
use crate::random::Random;
use crate::sweep::{Interrupted, NEVER, Stepping, WAYS};
use crate::{console::println, heap};
use core::any;
use core::array;
use core::cell::Cell;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use elimination_stack::{Engine, Fixed, NoBackoff, Slots, Stack};

pub use self::contexts::switch;

/// What this needs of a machine.
pub trait Switching: Stepping {
    /// Makes the stack of a context that begins there; returns where it ends, as for [`switch`].
    fn prepare(memory: &mut [usize], entry: extern "C" fn() -> !) -> usize;

    /// Where the stack of the caller ends, which this is inlined in.
    fn stack_end() -> *mut usize;

    /// Lets [`switch`] be called at once.
    fn call_switch();

    /// To be called in [`switch`]: nobody asks for it any more.
    fn called();

    /// Lets the timer interrupt come no more, and starts the counter.
    fn count();
}

/// The most slots of a stack here.
const MOST_SLOTS: usize = 8;
/// Values that [`Fixed`] and `Masked` have room for.
const ROOM: usize = 64;
/// Words below the stack's end that are looked at.
const PAINTED: usize = 96;
const PATTERN: usize = 0x5A5A_A5A5;
/// What is pushed: not the number of a node.
const VALUE: u16 = 0x7A7A;
/// How often it goes on from pops to pushes, or back.
const TURNS: u32 = 3;
/// Calls with interrupts at random instructions, for each state.
const SAMPLES: u32 = 2;
/// Instructions of a long call: of many slots and nodes one looks like the other. So what lies between so many at its beginning
/// and at its end is interrupted at each 13th instruction only, and only in the first way, and by what does not use the stack.
const LONG: u32 = 1000;
const ENDS: u32 = 200;
const LONG_STEP: u32 = 13;
const LONG_WAYS: [usize; 2] = [0, WAYS.len()];
/// Instructions from which on a second interrupt comes after the first one's handler, however few they are: the timer can be set
/// to it.
const SOON: u32 = 12;
/// Interrupts that a call is counted with, and none.
const INTERRUPTED: usize = 3;

/// The calls that are counted.
const CALLS: [Call; 3] = [Call::Push, Call::Pop, Call::IsEmpty];

/// A call of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `push`.
    Push,
    /// `pop`.
    Pop,
    /// `is_empty`.
    IsEmpty,
}

impl Call {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pop => "pop",
            Self::IsEmpty => "is_empty",
        }
    }
}

/// A stack whose calls are counted. None of these is inlined, as the type is not known where they are called.
trait Counted: Interrupted {
    fn nothing(&self) -> bool;
    fn push(&self) -> bool;
    fn pop(&self) -> bool;
    fn is_empty(&self) -> bool;
    /// The stack, as the interrupts use it.
    fn interrupted(&self) -> &dyn Interrupted;
    /// The memory of the stack itself, which begins with what says where the topmost value is.
    fn words(&self) -> &[AtomicUsize];
    /// Does something while there are so many handles, each of which has a slot on some engines.
    fn with_handles(&self, handles: usize, work: &mut dyn FnMut());
}

impl<R: Engine> Counted for Stack<u16, R, NoBackoff> {
    fn nothing(&self) -> bool {
        true
    }

    fn push(&self) -> bool {
        self.interrupt().push(VALUE).is_ok()
    }

    fn pop(&self) -> bool {
        matches!(self.interrupt().pop(), Ok(Some(_)))
    }

    fn is_empty(&self) -> bool {
        self.interrupt().is_empty()
    }

    fn interrupted(&self) -> &dyn Interrupted {
        self
    }

    fn words(&self) -> &[AtomicUsize] {
        // SAFETY: all that stands in a stack in words is read by one processor alone.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), size_of::<Self>() / size_of::<usize>()) }
    }

    fn with_handles(&self, handles: usize, work: &mut dyn FnMut()) {
        let handles: [_; MOST_SLOTS] =
            array::from_fn(|index| (index < handles).then(|| self.try_handle().expect("there is a slot")));
        work();
        drop(handles);
    }
}

/// From where a stack is used, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Contexts that stand still inside a pop, with a hazard each.
    inside: usize,
    /// How many other slots are taken while they come to stand there, and whether before: so the nodes that were popped then are
    /// in the last slot, and the hazards before it, or in the first ones.
    handles: usize,
    handles_first: bool,
    /// Values at first, and how many are popped then.
    values: usize,
    popped: usize,
    /// Whether pops come first, and whether it is random when pushes take turns with them.
    pops: bool,
    random: bool,
}

/// The most that was counted of one call, and where.
#[derive(Clone, Copy)]
struct Most {
    /// With so many interrupts.
    instructions: [u32; INTERRUPTED],
    bytes: u32,
    /// The longest one that has found a slot, without an interrupt.
    longest: u32,
    place: Option<Place>,
}

/// Of each call.
type Seen = [Most; CALLS.len()];

/// A call: after so many others in a state.
#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    number: u32,
}

/// One type of stack.
struct Subject<'a> {
    engine: &'static str,
    /// For how many contexts there are slots.
    n: usize,
    /// Makes a new stack with room for so many values, and has something done with it.
    with_new: &'a dyn Fn(usize, &mut dyn FnMut(&dyn Counted)),
}

/// What has been found out so far.
struct Counting<M> {
    /// Instructions, and bytes of stack, around a call; and instructions around an interrupt.
    around: Cell<u32>,
    around_bytes: Cell<u32>,
    around_interrupt: Cell<u32>,
    /// The state that there was last, how long each of its contexts ran until it stood still, and how many did so far.
    last: Cell<Option<(&'static str, State)>>,
    ran: [Cell<u32>; 3 * MOST_SLOTS],
    stand: Cell<usize>,
    random: Random,
    calls: Cell<u32>,
    interrupts: Cell<u32>,
    exceeded: Cell<u32>,
    board: PhantomData<M>,
}

/// Counts everything; returns if nothing took more than it may.
pub fn run<M: Switching>() {
    heap::init();
    M::count();
    let counting = Counting::<M> {
        around: Cell::new(0),
        around_bytes: Cell::new(0),
        around_interrupt: Cell::new(0),
        last: Cell::new(None),
        ran: [const { Cell::new(0) }; 3 * MOST_SLOTS],
        stand: Cell::new(0),
        random: Random::new(2),
        calls: Cell::new(0),
        interrupts: Cell::new(0),
        exceeded: Cell::new(0),
        board: PhantomData,
    };
    counting.calibrate();
    counting.report(
        "Slots<N>",
        &[counting.slots::<1>(), counting.slots::<2>(), counting.slots::<4>(), counting.slots::<8>()],
    );
    counting.report(
        "Fixed<CAP, N>",
        &[
            counting.in_place::<Fixed<ROOM, 1>>(1),
            counting.in_place::<Fixed<ROOM, 2>>(2),
            counting.in_place::<Fixed<ROOM, 3>>(3),
            counting.in_place::<Fixed<ROOM, 4>>(4),
            counting.in_place::<Fixed<ROOM, 5>>(5),
            counting.in_place::<Fixed<ROOM, 6>>(6),
            counting.in_place::<Fixed<ROOM, 7>>(7),
            counting.in_place::<Fixed<ROOM, 8>>(8),
        ],
    );
    #[cfg(feature = "critical-section")]
    counting.report("Masked<CAP>", &[counting.in_place::<elimination_stack::Masked<ROOM>>(0)]);
    println!(
        "ok: {} calls counted; {} interrupts, at each instruction of the longest ones",
        counting.calls.get(),
        counting.interrupts.get()
    );
    assert!(counting.exceeded.get() == 0, "{} take more than they may", counting.exceeded.get());
}

impl<M: Switching> Counting<M> {
    /// Counts what is around a call and around an interrupt, and looks whether both are the same at each instruction.
    fn calibrate(&self) {
        let nops = || {
            // SAFETY: does nothing, a hundred times.
            unsafe { core::arch::asm!(".rept 100", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
            true
        };
        let stack = Stack::<u16, Fixed<ROOM, 2>, NoBackoff>::custom();
        let counted: &dyn Counted = &stack;
        self.around.set(self.measure(&|| counted.nothing(), Plan::NONE).1.instructions);
        self.around_bytes.set(self.depth(&|| counted.nothing()).1);
        let length = self.measure(&nops, Plan::NONE).1.instructions;
        let mut interrupts = 0;
        self.each_instruction(length, &mut |k| {
            let measured = self.measure(&nops, Plan { k, ..Plan::NONE }).1;
            if measured.hits == 1 {
                interrupts += 1;
                let around = measured.instructions - length;
                assert!(
                    interrupts == 1 || around == self.around_interrupt.get(),
                    "an interrupt at {k} takes {around} more"
                );
                self.around_interrupt.set(around);
            }
            measured.come
        });
        assert!(interrupts >= 100, "the timer hits {interrupts} of 100 instructions");
    }

    /// Calls something for each number of instructions to an interrupt in a call of this length, until none comes any more.
    fn each_instruction(&self, length: u32, work: &mut dyn FnMut(u32) -> u32) {
        let mut k = 0;
        while work(k) > 0 {
            k += if length > LONG && (ENDS..length - ENDS).contains(&k) { LONG_STEP } else { 1 };
        }
    }

    /// Makes a call and counts its instructions, with what is around it.
    fn measure(&self, call: &dyn Fn() -> bool, plan: Plan) -> (bool, Measured) {
        self.calls.set(self.calls.get() + 1);
        CONTEXTS.measure::<M>(call, plan)
    }

    /// Makes a call and looks how deep the stack is in it, with what is around it: how far what was written below it is gone.
    #[inline(never)]
    fn depth(&self, call: &dyn Fn() -> bool) -> (bool, u32) {
        let end = M::stack_end();
        for word in 1..=PAINTED {
            // SAFETY: below the stack's end, where there is room, and nobody keeps anything.
            unsafe { end.sub(word).write_volatile(PATTERN) };
        }
        let result = call();
        // SAFETY: as above.
        let gone = |word: &usize| unsafe { end.sub(*word).read_volatile() } != PATTERN;
        let words = (1..=PAINTED).rev().find(gone).unwrap_or(0);
        assert!(words < PAINTED, "more words than are looked at");
        (result, (words * size_of::<usize>()) as u32)
    }

    /// Lets a context begin its pop, and go on to where it protects the topmost value's node, which is the first that others see
    /// of it. Not one instruction after the other: then no store-conditional would succeed.
    fn stand_still(&self, stack: &dyn Counted, context: usize) {
        let protected =
            || stack.words().iter().filter(|word| word.load(Relaxed) == stack.words()[0].load(Relaxed)).count();
        let before = protected();
        let ran = &self.ran[self.stand.replace(self.stand.get() + 1)];
        loop {
            CONTEXTS.begin::<M>(context);
            assert!(!CONTEXTS.run::<M>(context, ran.get()), "a pop has ended without a hazard");
            if protected() > before {
                return;
            }
            ran.set(ran.get() + 1);
        }
    }

    /// Lets a context end its pop.
    fn go_on(&self, context: usize) {
        while !CONTEXTS.run::<M>(context, NEVER) {}
    }

    /// Brings a new stack into this state and does something with it.
    fn with_state(&self, subject: &Subject<'_>, state: State, work: &mut dyn FnMut(&dyn Counted)) {
        if self.last.replace(Some((subject.engine, state))) != Some((subject.engine, state)) {
            self.ran.iter().for_each(|ran| ran.set(0));
        }
        self.stand.set(0);
        (subject.with_new)(state.values, &mut |stack| {
            CONTEXTS.stack.with(stack.interrupted(), || {
                for _ in 0..state.values {
                    stack.push();
                }
                let again = |context| {
                    self.go_on(context);
                    self.stand_still(stack, context);
                };
                let come = || (0..state.inside).for_each(|context| self.stand_still(stack, context));
                // Each one's node is popped while it stands there. On `Fixed` each is popped while the next context protects it,
                // too: then it is kept for the first of them, and a later call finds it protected still.
                let pop = || {
                    if state.inside < subject.n {
                        // The last one alone, so that a later call has what is kept for that one in hand when it has looked at
                        // all. (On `Slots` fewer nodes would be kept in the end.)
                        if state.inside > 0 && subject.engine.contains("Fixed<") {
                            again(state.inside - 1);
                            stack.pop();
                        }
                        for first in (1..state.inside).rev() {
                            let both = [first - 1, first];
                            both.iter().for_each(|context| self.go_on(*context));
                            both.iter().for_each(|context| self.stand_still(stack, *context));
                            stack.pop();
                        }
                        if state.inside > 0 {
                            again(0);
                        }
                    }
                    for _ in 0..state.popped {
                        stack.pop();
                    }
                };
                if state.handles_first {
                    stack.with_handles(state.handles, &mut || {
                        come();
                        pop();
                    });
                } else {
                    come();
                    stack.with_handles(state.handles, &mut || pop());
                }
                work(stack);
                (0..state.inside).for_each(|context| self.go_on(context));
            });
        });
    }

    /// Looks whether there is a value; then pops until there is nothing and pushes until there is no node, several times. `make`
    /// makes each call, until it says that this was the last one, by `None`.
    fn calls(&self, state: State, make: &mut dyn FnMut(u32, Call) -> Option<bool>) {
        let random = Random::new(1);
        let (mut pops, mut turns, mut number) = (state.pops, 0, 0);
        while turns < TURNS {
            let call = if number == 0 {
                Call::IsEmpty
            } else if pops {
                Call::Pop
            } else {
                Call::Push
            };
            let Some(done) = make(number, call) else { return };
            number += 1;
            if call == Call::IsEmpty {
                continue;
            }
            turns += u32::from(!done || number % 256 == 0);
            if !done || state.random && random.within(0..8) == 0 {
                pops = !pops;
            }
        }
    }

    /// Counts the calls on one type of stack.
    fn subject(&self, subject: &Subject<'_>) -> Seen {
        let mut seen = [Most { instructions: [0; INTERRUPTED], bytes: 0, longest: 0, place: None }; CALLS.len()];
        for state in states(subject.n) {
            let mut last = 0;
            self.with_state(subject, state, &mut |stack| {
                self.calls(state, &mut |number, call| {
                    let (result, measured) = self.measure(&|| make(stack, call), Plan::NONE);
                    let instructions = measured.instructions - self.around.get();
                    let most = &mut seen[call as usize];
                    most.instructions[0] = most.instructions[0].max(instructions);
                    // Who finds no slot only looks at all of them, whatever comes meanwhile.
                    if state.inside < subject.n.max(1) && instructions > most.longest {
                        most.longest = instructions;
                        most.place = Some(Place { state, number });
                    }
                    last = number;
                    Some(result)
                });
            });
            self.with_state(subject, state, &mut |stack| {
                self.calls(state, &mut |_, call| {
                    let (result, bytes) = self.depth(&|| make(stack, call));
                    let most = &mut seen[call as usize].bytes;
                    *most = bytes.saturating_sub(self.around_bytes.get()).max(*most);
                    Some(result)
                });
            });
            for _ in 0..SAMPLES {
                let number = self.random.within(0..last + 1);
                // Most calls are short.
                let [k, then] = [(); 2].map(|()| self.random.within(0..1 << self.random.within(5..12)));
                let way = self.random.within(0..WAYS.len() as u32 + 1) as usize;
                self.again(subject, Place { state, number }, Plan { k, then: SOON + then, way }, &mut seen);
            }
        }
        for most in seen {
            if let Some(place) = most.place {
                self.interrupt(subject, most.longest, place, &mut seen);
            }
        }
        seen
    }

    /// Interrupts the call that took longest, at each instruction; and once more, at each one after the interrupt that cost most.
    fn interrupt(&self, subject: &Subject<'_>, longest: u32, place: Place, seen: &mut Seen) {
        let mut worst = (0, Plan::NONE);
        for way in 0..=WAYS.len() {
            if longest > LONG && !LONG_WAYS.contains(&way) {
                continue;
            }
            self.each_instruction(longest, &mut |k| {
                let plan = Plan { k, way, ..Plan::NONE };
                let (come, instructions) = self.again(subject, place, plan, seen);
                if let Some(instructions) = instructions.filter(|instructions| *instructions > worst.0) {
                    worst = (instructions, plan);
                }
                come
            });
        }
        self.each_instruction(longest, &mut |then| {
            let (come, _) = self.again(subject, place, Plan { then: SOON + then, ..worst.1 }, seen);
            come.saturating_sub(1)
        });
    }

    /// Makes the call of this place, with interrupts as planned. Returns how many came, and, if all of them came inside of it,
    /// its instructions.
    fn again(&self, subject: &Subject<'_>, place: Place, plan: Plan, seen: &mut Seen) -> (u32, Option<u32>) {
        let mut result = (0, None);
        self.with_state(subject, place.state, &mut |stack| {
            self.calls(place.state, &mut |number, call| {
                if number < place.number {
                    return Some(make(stack, call));
                }
                let measured = self.measure(&|| make(stack, call), plan).1;
                self.interrupts.set(self.interrupts.get() + measured.hits);
                let instructions = (measured.hits == measured.come)
                    .then(|| measured.instructions - self.around.get() - measured.come * self.around_interrupt.get());
                let most = &mut seen[call as usize].instructions[measured.come as usize];
                *most = instructions.unwrap_or(0).max(*most);
                result = (measured.come, instructions);
                None
            });
        });
        result
    }

    fn slots<const N: usize>(&self) -> (usize, Seen) {
        let with_new = |values, run: &mut dyn FnMut(&dyn Counted)| {
            let stack = Stack::<u16, Slots<N>, NoBackoff>::custom();
            stack.reserve(values).expect("the heap is large enough");
            run(&stack);
        };
        (N, self.subject(&Subject { engine: any::type_name::<Slots<N>>(), n: N, with_new: &with_new }))
    }

    fn in_place<E: Engine>(&self, n: usize) -> (usize, Seen) {
        let with_new = |_, run: &mut dyn FnMut(&dyn Counted)| run(&Stack::<u16, E, NoBackoff>::custom());
        (n, self.subject(&Subject { engine: any::type_name::<E>(), n, with_new: &with_new }))
    }

    /// Prints what an engine's calls may take and what they took, as rows of a table; and where they take more than they may.
    fn report(&self, engine: &str, all: &[(usize, Seen)]) {
        for bound in BOUNDS.iter().filter(|bound| bound.engine == engine) {
            let mut bytes = 0;
            let mut longest = None;
            for (n, seen) in all.iter().filter(|(n, _)| bound.slots.contains(n)) {
                let most = &seen[bound.call as usize];
                let may: [_; INTERRUPTED] = array::from_fn(|interrupts| bound.instructions(*n, interrupts));
                if most.bytes > bound.bytes || most.instructions.iter().zip(may).any(|(took, may)| *took > may) {
                    self.exceeded.set(self.exceeded.get() + 1);
                    println!(
                        "{bound}; for N = {n} it took {:?} instructions and not {may:?}, and {} bytes; {:?}",
                        most.instructions, most.bytes, most.place
                    );
                }
                bytes = bytes.max(most.bytes);
                longest = Some((n, most.instructions));
            }
            if let Some((n, [alone, once, twice])) = longest {
                println!("| {bound} | {n} | {alone}, {once}, {twice} | {bytes} |");
            }
        }
    }
}

/// Makes a call, which is not inlined here.
fn make(stack: &dyn Counted, call: Call) -> bool {
    match call {
        Call::Push => stack.push(),
        Call::Pop => stack.pop(),
        Call::IsEmpty => stack.is_empty(),
    }
}

/// From where a stack for so many contexts is used.
fn states(n: usize) -> impl Iterator<Item = State> {
    let orders = [(true, false), (false, false), (true, true)];
    let insides = (0..=n).filter(move |inside| *inside < 3 || inside + 3 > n).flat_map(move |inside| {
        let others = n.saturating_sub(inside + 1);
        [(0, false), (others, false), (others, true)].map(move |(handles, first)| (inside, handles, first))
    });
    insides.flat_map(move |(inside, handles, handles_first)| {
        // With so many retired nodes a slot of `Slots` has nearly enough for a scan.
        let nearly = (4 * n).saturating_sub(inside.max(1));
        [0, nearly].into_iter().flat_map(move |popped| {
            [3 * inside + 4, 16 * n].into_iter().flat_map(move |more| {
                let values = popped + more;
                orders.map(|(pops, random)| State { inside, handles, handles_first, values, popped, pops, random })
            })
        })
    })
}
