//! A crowd of handles comes and goes, in counts of atomic accesses, which are exact: afterwards operations take what they take on
//! a new stack, and to make each of a crowd takes the same, however many there are.

use elimination_stack::{Backoff, Elimination, NoBackoff, Slots, Stack};
use machine::{Body, End, Policy, Simulation};
use std::cell::Cell;

/// The accesses that an action takes, of one core.
fn accesses(simulation: &Simulation, action: impl FnOnce()) -> u64 {
    let counted = Cell::new(0);
    let body: Body<'_> = Box::new(|| {
        let start = machine::now();
        action();
        counted.set(machine::now() - start);
    });
    assert_eq!(simulation.run(vec![body]).ends, [End::Finished]);
    counted.get()
}

fn bursts<const N: usize, B: Backoff>(simulation: &Simulation, stack: &Stack<u32, Slots<N>, B>) -> u64 {
    let burst = || {
        (0..64).for_each(|value| stack.push(value));
        (0..64).for_each(|value| assert_eq!(stack.pop(), Some(63 - value)));
    };
    accesses(simulation, || (0..10).for_each(|_| burst()))
}

/// The same in the steady state of a stack that has known no crowd.
fn bursts_on_a_new_one<const N: usize, B: Backoff>(simulation: &Simulation) -> u64 {
    let stack = simulation.place(Stack::<u32, Slots<N>, B>::custom());
    bursts(simulation, &stack);
    bursts(simulation, &stack)
}

fn simulation() -> Simulation {
    Simulation::new(Policy::Random { seed: 0 }, 100_000_000)
}

fn check<const N: usize, B: Backoff>() {
    let simulation = &simulation();
    let usual = bursts_on_a_new_one::<N, B>(simulation);
    let mut first = None;
    for crowd in [100, 1000, 3000] {
        let stack = simulation.place(Stack::<u32, Slots<N>, B>::custom());
        bursts(simulation, &stack);
        let mut handles = Vec::with_capacity(crowd);
        let made = accesses(simulation, || handles.extend((0..crowd).map(|_| stack.handle()))) / crowd as u64;
        // Of few, those who find a slot in place count for more.
        let first = *first.get_or_insert(made + 4);
        assert!(made <= first, "{made} accesses for each of {crowd} handles, at most {first} for each of 100");
        accesses(simulation, || drop(handles));
        assert_eq!(bursts(simulation, &stack), usual, "after {crowd} handles have gone");
        // What they left is used again, as quickly.
        let mut handles = Vec::with_capacity(crowd);
        let again = accesses(simulation, || handles.extend((0..crowd).map(|_| stack.handle()))) / crowd as u64;
        assert!(again <= first, "{again} accesses for each of {crowd} handles again, at most {first} for each of 100");
        accesses(simulation, || drop(handles));
    }
}

#[test]
fn a_crowd_of_handles_leaves_no_trace() {
    check::<8, Elimination<4>>();
    check::<2, NoBackoff>();
    check::<1, NoBackoff>();
}

/// A crowd without handles, each of whom is inside while others come, as with many threads that do not run.
#[test]
fn a_crowd_of_operations_leaves_no_trace() {
    let simulation = &simulation();
    let stack = simulation.place(Stack::<u32, Slots<2>, NoBackoff>::custom());
    let inside = |_| -> Body<'_> {
        let stack = &stack;
        Box::new(move || {
            for value in 0..20 {
                stack.push(value);
                stack.pop();
            }
        })
    };
    let report = simulation.run((0..60).map(inside).collect());
    assert!(report.ends.iter().all(|end| *end == End::Finished));
    bursts(simulation, &stack);
    assert_eq!(bursts(simulation, &stack), bursts_on_a_new_one::<2, NoBackoff>(simulation));
}

/// While an operation is inside the newest slot, the crowd leaves, but for handles that stay: one has the slot that operations
/// try first, or all those in place are theirs. The next ones do not come back to the newest slot for good, which would keep all
/// others in use.
#[test]
fn a_crowd_leaves_no_trace_beside_handles_that_stay() {
    let beside = |seed: u64, stay: usize, crowd: usize| {
        let simulation = &Simulation::new(Policy::Priorities { seed, changes: 1, length: 1000 }, 100_000_000);
        let stack = &simulation.place(Stack::<u32, Slots<4>, NoBackoff>::custom());
        let mut handles = Vec::with_capacity(4 + crowd);
        accesses(simulation, || handles.extend((0..4 + crowd).map(|_| stack.handle())));
        let operations = || {
            for _ in 0..crowd {
                stack.push(1);
                stack.pop();
            }
        };
        let report = simulation.run(vec![Box::new(operations), Box::new(|| handles.truncate(stay))]);
        assert_eq!(report.ends, [End::Finished; 2]);
        bursts(simulation, stack);
        bursts(simulation, stack)
    };
    for seed in 0..20 {
        for stay in [1, 4] {
            assert_eq!(beside(seed, stay, 100), beside(seed, stay, 0), "seed {seed}, {stay} stay");
        }
    }
}
