//! Linearizability under random schedules: small programs on the simulated machine, each under a schedule of its own,
//! and the history of each checked.
//!
//! Between any two accesses to an atomic another core may go on: any, with equal probability, or by random priorities.
//! The programs are random too: any mixture of the stack's methods, through the stack and through handles, on 2 to 4
//! cores. The machine panics if a node is read after it was given back; at the end none may be left.

#[path = "../../../common/mod.rs"]
#[macro_use]
mod common;
#[path = "../../../common/history.rs"]
#[allow(dead_code, reason = "each suite uses a part of this")]
mod history;

use common::*;
use history::{Call, Effect, History};
use machine::{Body, End, Policy, Simulation};
use std::alloc::Layout;
use std::cell::{Cell, RefCell};

/// A run takes some hundreds of accesses.
const LIMIT: u64 = 1_000_000;
/// A node of a `u32`.
const NODE: Layout = Layout::new::<[usize; 2]>();

/// The calls of one run, as they happen.
#[derive(Default)]
struct Recorder {
    calls: RefCell<Vec<Call>>,
    clock: Cell<u64>,
    values: Cell<u32>,
}

impl Recorder {
    fn moment(&self) -> u64 {
        self.clock.replace(self.clock.get() + 1)
    }

    /// A value that was not pushed before.
    fn value(&self) -> u32 {
        self.values.replace(self.values.get() + 1)
    }

    fn call(&self, context: usize, method: &'static str, call: impl FnOnce() -> Effect) {
        let began = self.moment();
        let effect = call();
        let ended = self.moment();
        self.calls.borrow_mut().push(Call { context, method, began, ended, effect });
    }
}

/// The methods of one program: which of so many are used. Programs of few methods do more of what is rare in mixtures
/// (A. Groce and others, *Swarm testing*, ISSTA 2012).
struct Methods(Vec<usize>);

impl Methods {
    fn choose(all: usize, random: &mut machine::Random) -> Self {
        loop {
            let chosen: Vec<_> = (0..all).filter(|_| random.index(2) == 0).collect();
            if !chosen.is_empty() {
                return Self(chosen);
            }
        }
    }

    fn next(&self, random: &mut machine::Random) -> usize {
        self.0[random.index(self.0.len())]
    }
}

/// How many methods a handle has, and how many there are through the stack.
const METHODS: [usize; 2] = [4, 8];

/// A random call. What a handle has, too, is through that, if there is one.
fn call<R: Engine, B: Backoff>(
    stack: &Stack<u32, R, B>,
    through: &mut Through<'_, u32, R, B>,
    recorder: &Recorder,
    context: usize,
    method: usize,
) {
    // Taken before the call begins, as its arguments are.
    let (value, second) = (recorder.value(), recorder.value());
    let by_handle = through.is_handle();
    let name = |own, of_handle| if by_handle { of_handle } else { own };
    match method {
        0 => recorder.call(context, name("push", "Handle::push"), || {
            through.push(value);
            Effect::Pushed(vec![value])
        }),
        1 => recorder.call(context, name("pop", "Handle::pop"), || Effect::Popped(through.pop())),
        2 => recorder.call(context, name("push_spare", "Handle::push_spare"), || {
            Effect::of_push(value, &through.push_spare(value))
        }),
        3 => recorder.call(context, name("push_all", "Handle::push_all"), || {
            through.push_all([value, second]);
            Effect::Pushed(vec![value, second])
        }),
        4 => recorder.call(context, "try_pop", || stack.try_pop().map_or(Effect::Refused, Effect::Popped)),
        5 => recorder.call(context, "take_all", || Effect::Took(stack.take_all().collect())),
        6 => recorder.call(context, "is_empty", || Effect::SawEmpty(stack.is_empty())),
        _ => recorder.call(context, "reclaim", || {
            stack.reclaim();
            Effect::Refused
        }),
    }
}

/// What one core does: at most so many calls, and at least one.
fn core<'a, R: Engine, B: Backoff>(
    stack: &'a Stack<u32, R, B>,
    recorder: &'a Recorder,
    context: usize,
    most: usize,
    mut random: machine::Random,
) -> Body<'a> {
    Box::new(move || {
        let mut through = Through::new(stack, random.index(2) == 0);
        let methods = Methods::choose(METHODS[usize::from(!through.is_handle())], &mut random);
        for _ in 0..=random.index(most) {
            // Under priorities, where a core runs on and on, others come back at such a point.
            if random.index(3) == 0 {
                machine::spin_loop();
            }
            call(stack, &mut through, recorder, context, methods.next(&mut random));
        }
    })
}

/// Has one core after the other push and pop alone, so that each slot's owner had the list for itself, and goes away after the
/// first race that it loses. Without that only who loses many races does, which programs as short as these do not.
fn alone<R: Engine, B: Backoff>(simulation: &Simulation, stack: &Stack<u32, R, B>, cores: usize) {
    for alone in 0..cores {
        let body = |core| -> Body<'_> {
            Box::new(move || {
                if core != alone {
                    return;
                }
                // First in the slot that it tries first, and then in one that the others had not, where there is but one in
                // place.
                for others in [0, alone] {
                    let held: Vec<_> = (0..others).map(|_| stack.handle()).collect();
                    for _ in 0..12 {
                        stack.push(u32::MAX);
                        assert_eq!(stack.pop(), Some(u32::MAX));
                    }
                    drop(held);
                }
            })
        };
        let report = simulation.run((0..cores).map(body).collect());
        assert!(report.ends.iter().all(|end| *end == End::Finished));
    }
}

/// How many calls each core makes, at most: as many as the others, or one core few and the other many meanwhile.
fn shape(random: &mut machine::Random) -> &'static [usize] {
    [&[10, 10][..], &[6, 6, 6], &[5, 5, 5, 5], &[2, 18], &[2, 18]][random.index(5)]
}

/// What the runs came across.
#[derive(Default)]
struct Seen {
    overlaps: usize,
    out_of_order: usize,
    eliminated: usize,
    lost_races: usize,
}

/// One program under one schedule.
fn run<R: Engine, B: Backoff>(seed: u64, all: &mut Seen) {
    let mut random = machine::Random::new(seed);
    let policy = match random.index(3) {
        0 => Policy::Random { seed },
        1 => Policy::Slow { seed },
        _ => Policy::Priorities { seed, changes: 1 + random.index(6), length: 150 },
    };
    let simulation = Simulation::new(policy, LIMIT);
    {
        let stack = simulation.place(Stack::<u32, R, B>::custom());
        let recorder = Recorder::default();
        stack.reserve(random.index(8)).unwrap();
        for _ in 0..random.index(3) {
            let value = recorder.value();
            recorder.call(0, "push", || {
                stack.push(value);
                Effect::Pushed(vec![value])
            });
        }
        let shape = shape(&mut random);
        // It takes as many accesses as some programs.
        if random.index(2) == 0 {
            alone(&simulation, &stack, shape.len());
        }
        let bodies = shape.iter().enumerate().map(|(context, calls)| {
            let random = machine::Random::new(seed * 8 + context as u64);
            core(&stack, &recorder, context, *calls, random)
        });
        let report = simulation.run(bodies.collect());
        assert!(report.ends.iter().all(|end| *end == End::Finished));
        recorder.call(0, "take_all", || Effect::Took(stack.take_all().collect()));
        let history = History::new(recorder.calls.into_inner());
        if let Err(error) = history.linearize() {
            panic!("seed {seed}: {error}");
        }
        all.overlaps += history.overlaps();
        all.out_of_order += usize::from(!history.is_legal_as_begun());
        let stats = stack.stats();
        all.eliminated += stats.eliminated_pops;
        all.lost_races += stats.lost_races;
    }
    assert_eq!(machine::live(NODE).0, 0, "seed {seed}: nodes are left");
}

/// Every history is linearizable; and the runs came across what makes that difficult.
fn histories_are_linearizable<R: Engine, B: Backoff>() {
    let mut seen = Seen::default();
    let runs = scaled(10_000);
    (0..runs).for_each(|seed| run::<R, B>(seed as u64, &mut seen));
    assert!(seen.overlaps >= runs && seen.lost_races >= runs / 10 && seen.out_of_order > 0);
    // `Exponential` is one without exchangers.
    let backoff = std::any::type_name::<B>();
    let eliminates = backoff.contains("Elimination<") && !backoff.contains("Elimination<0");
    assert_eq!(seen.eliminated > 0, eliminates, "eliminated {} in {runs} runs", seen.eliminated);
}

for_each_stack! { histories_are_linearizable }
