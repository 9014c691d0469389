//! Cores that stop anywhere: for each public call and every k, one core (or 2, or `N` - 1) is parked for good at its
//! k-th atomic access in that call. The others go on for a thousand calls and more, and
//!
//! * all of them end: nobody waits for a parked core;
//! * at no time has the stack more nodes than its documentation says.
//!
//! Who is parked keeps its slot. While `Slots<N>` has a free one, or memory for one, nobody waits; `pop` waits
//! if all are claimed, which the documentation says, and the last test shows.

use elimination_stack::{Backoff, Elimination, Exponential, Handle, NoBackoff, NoSlot, Slots, Stack};
use machine::{Body, End, Policy, Simulation};
use std::alloc::Layout;
use std::cell::Cell;

/// Far more accesses than a run needs; only who waits for a parked core makes as many.
const LIMIT: u64 = 5_000_000;
/// A node of a `u32`.
const NODE: Layout = Layout::new::<[usize; 2]>();
/// Rounds of a worker.
const ROUNDS: usize = 100;
/// Nodes that a victim reserves.
const RESERVED: usize = 4;

/// A stack, and what is known about it.
struct Scene<'s, const N: usize, B: Backoff> {
    stack: &'s Stack<u32, Slots<N>, B>,
    /// Values whose push has begun and whose pop has not ended.
    values: Cell<usize>,
    reserved: Cell<usize>,
}

impl<const N: usize, B: Backoff> Scene<'_, N, B> {
    fn pushing(&self, values: usize) {
        self.values.set(self.values.get() + values);
    }

    fn popped(&self, values: usize) {
        self.values.set(self.values.get() - values);
    }

    /// The documented bound, at this moment.
    fn check_nodes(&self) {
        let (nodes, others) = machine::live(NODE);
        // The other blocks are the stack itself and the further slots.
        let further = others - 1;
        let slot_nodes = Stack::<u32, Slots<N>, B>::SLOT_NODES * further + (N + further) * 2 * further;
        let bound = self.values.get() + Stack::<u32, Slots<N>, B>::IDLE_NODES + slot_nodes + self.reserved.get();
        assert!(nodes <= bound, "{nodes} nodes, but by the documentation at most {bound}");
    }
}

type StackCall<const N: usize, B> = fn(&Scene<'_, N, B>);
type HandleCall<const N: usize, B> = fn(&Scene<'_, N, B>, &mut Handle<'_, u32, Slots<N>, B>);

/// What a victim calls.
enum Call<const N: usize, B: Backoff> {
    Stack(StackCall<N, B>),
    Handle(HandleCall<N, B>),
}

/// Every public method of a stack that touches what contexts share.
fn stack_calls<const N: usize, B: Backoff>() -> [(&'static str, StackCall<N, B>); 12] {
    [
        ("push", |scene| {
            scene.pushing(1);
            scene.stack.push(0);
        }),
        ("try_push", |scene| {
            scene.pushing(1);
            scene.stack.try_push(0).unwrap();
        }),
        ("push_spare", |scene| {
            scene.pushing(1);
            scene.popped(scene.stack.push_spare(0).is_err().into());
        }),
        ("pop", |scene| scene.popped(scene.stack.pop().is_some().into())),
        ("try_pop", |scene| scene.popped(scene.stack.try_pop().is_ok_and(|value| value.is_some()).into())),
        ("push_all", |scene| {
            scene.pushing(3);
            scene.stack.push_all([1, 2, 3]);
        }),
        ("take_all", |scene| scene.stack.take_all().for_each(|_| scene.popped(1))),
        ("take_all, dropped", |scene| drop(scene.stack.take_all())),
        ("is_empty", |scene| assert!([true, false].contains(&scene.stack.is_empty()))),
        ("handle", |scene| drop(scene.stack.handle())),
        ("reserve", |scene| {
            scene.reserved.set(scene.reserved.get() + RESERVED);
            scene.stack.reserve(RESERVED).unwrap();
        }),
        ("reclaim", |scene| {
            scene.stack.reclaim();
        }),
    ]
}

/// Every method of a handle.
fn handle_calls<const N: usize, B: Backoff>() -> [(&'static str, HandleCall<N, B>); 5] {
    [
        ("Handle::push", |scene, handle| {
            scene.pushing(1);
            handle.push(0);
        }),
        ("Handle::try_push", |scene, handle| {
            scene.pushing(1);
            handle.try_push(0).unwrap();
        }),
        ("Handle::push_spare", |scene, handle| {
            scene.pushing(1);
            scene.popped(handle.push_spare(0).is_err().into());
        }),
        ("Handle::push_all", |scene, handle| {
            scene.pushing(3);
            handle.push_all([1, 2, 3]);
        }),
        ("Handle::pop", |scene, handle| scene.popped(handle.pop().is_some().into())),
    ]
}

fn calls<const N: usize, B: Backoff>() -> impl Iterator<Item = (&'static str, Call<N, B>)> {
    let by_stack = stack_calls().map(|(name, call)| (name, Call::Stack(call)));
    by_stack.into_iter().chain(handle_calls().map(|(name, call)| (name, Call::Handle(call))))
}

/// A core that stops at its `k`-th access in `call`, if that has as many.
fn victim<'a, const N: usize, B: Backoff>(scene: &'a Scene<'_, N, B>, call: &'a Call<N, B>, k: u64) -> Body<'a> {
    Box::new(move || {
        // Nodes of all kinds for the call to find: in the list, retired, spare.
        scene.pushing(2);
        scene.stack.push_all([0, 0]);
        scene.popped(scene.stack.pop().is_some().into());
        match call {
            Call::Stack(call) => {
                machine::park_at(Some(k));
                call(scene);
            }
            Call::Handle(call) => {
                let mut handle = scene.stack.handle();
                machine::park_at(Some(k));
                call(scene, &mut handle);
            }
        }
        machine::park_at(None);
    })
}

/// A core that goes on, whoever stops.
fn worker<'a, const N: usize, B: Backoff>(scene: &'a Scene<'_, N, B>) -> Body<'a> {
    Box::new(move || {
        for round in 0..ROUNDS {
            // Once, more nodes than the stack may hold back; then few.
            let values = if round == 0 { 2 * Stack::<u32, Slots<N>, B>::IDLE_NODES } else { 3 };
            for _ in 0..values {
                scene.pushing(1);
                scene.stack.push(0);
                scene.check_nodes();
            }
            for _ in 0..values {
                scene.popped(scene.stack.pop().is_some().into());
                scene.check_nodes();
            }
        }
    })
}

/// Victims that stop at their `k`-th access, and workers. How many did stop.
fn run<const N: usize, B: Backoff>(victims: usize, call: &Call<N, B>, k: u64) -> usize {
    let workers = (N - victims).min(2);
    let simulation = Simulation::new(Policy::Random { seed: k }, LIMIT);
    let stack = simulation.place(Stack::<u32, Slots<N>, B>::custom());
    let scene = Scene { stack: &stack, values: Cell::new(0), reserved: Cell::new(0) };
    let bodies = (0..victims).map(|_| victim(&scene, call, k)).chain((0..workers).map(|_| worker(&scene)));
    let report = simulation.run(bodies.collect());
    assert!(report.ends[victims..].iter().all(|end| *end == End::Finished));
    report.ends.iter().filter(|end| **end == End::Parked).count()
}

/// All calls, every access of each. As many calls as `N` permits are under way at once.
fn others_go_on<const N: usize, B: Backoff>() {
    for (name, call) in calls::<N, B>() {
        let counts = [1, 2, N - 1];
        for (index, &victims) in counts.iter().enumerate().filter(|(_, victims)| **victims < N) {
            if counts[..index].contains(&victims) {
                continue;
            }
            // A schedule in which the call is short is no reason to end.
            let (mut last, mut k) = (0, 1);
            while k <= last + 8 {
                last = if run(victims, &call, k) > 0 { k } else { last };
                k += 1;
            }
            assert!(last > 0, "{name} makes no access");
            println!("{victims} of Slots<{N}> parked in {name}: at each of {last} accesses");
        }
    }
}

macro_rules! others_go_on {
    ($($name:ident: $slots:literal, $backoff:ty;)*) => {
        mod others_go_on {
            use super::*;
            $(
                #[test]
                fn $name() {
                    others_go_on::<$slots, $backoff>();
                }
            )*
        }
    };
}

others_go_on! {
    default: 8, Elimination<4>;
    exponential: 8, Exponential;
    treiber: 8, NoBackoff;
    four: 4, Elimination<1>;
    two: 2, Elimination<1>;
    two_treiber: 2, NoBackoff;
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        machine::spin_loop();
    }
}

/// With every slot claimed by somebody who does not come back, `push` adds one, `try_pop` says so, and `pop` has to
/// wait: until `push` has added one.
#[test]
fn all_slots_claimed() {
    const N: usize = 2;
    let simulation = Simulation::new(Policy::Random { seed: 0 }, LIMIT);
    let stack = simulation.place(Stack::<u32, Slots<N>, NoBackoff>::custom());
    stack.push_all([1, 2, 3, 4]);
    let stop = |core| -> Body<'_> {
        let stack = &stack;
        Box::new(move || {
            wait_until(|| (0..core).all(machine::is_parked));
            // Each looks at the head, claims its slot, which is another one, and would look again.
            machine::park_at(Some(3));
            stack.pop();
        })
    };
    let go_on: Body<'_> = Box::new(|| {
        wait_until(|| (0..N).all(machine::is_parked));
        assert_eq!(stack.try_pop(), Err(NoSlot));
        stack.push(5);
        assert_eq!(stack.try_pop(), Ok(Some(5)));
        assert_eq!(stack.pop(), Some(4));
    });
    let report = simulation.run((0..N).map(stop).chain([go_on]).collect());
    assert_eq!(report.ends, [End::Parked, End::Parked, End::Finished]);
}

/// As said: `pop` waits while all slots are claimed.
#[test]
#[should_panic(expected = "does a core wait for ever?")]
fn pop_waits_for_a_slot() {
    let simulation = Simulation::new(Policy::Random { seed: 0 }, 10_000);
    let stack = simulation.place(Stack::<u32, Slots<1>, NoBackoff>::custom());
    stack.push_all([1, 2]);
    let stop: Body<'_> = Box::new(|| {
        machine::park_at(Some(3));
        stack.pop();
    });
    let go_on: Body<'_> = Box::new(|| {
        wait_until(|| machine::is_parked(0));
        stack.pop();
    });
    let report = simulation.run(vec![stop, go_on]);
    unreachable!("{report:?}");
}
