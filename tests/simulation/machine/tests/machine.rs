//! What the machine promises: what accesses cost, in which order they take effect, and that a run repeats.

use machine::{AtomicPtr, AtomicUsize, Body, Costs, End, Machine, Policy, Report, Simulation};
use std::alloc::Layout;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Costs that can be told apart, whatever a transfer varies by.
const COSTS: Costs = Costs {
    hit: 1,
    read_modify_write: 7,
    same_cluster: 10_000,
    same_socket: 20_000,
    other_socket: 40_000,
    memory: 80_000,
    shared_read: 10,
    queue: 0,
    relax: 100,
    allocation: 1000,
};

/// Two sockets of two clusters of two cores.
const MACHINE: Machine = Machine { name: "test", cluster: 2, socket: 4, gigahertz: 1.0, costs: COSTS };

fn timed(seed: u64) -> Simulation {
    Simulation::new(Policy::Timed { machine: MACHINE, seed }, u64::MAX)
}

/// Each on a line of its own.
#[repr(align(64))]
struct Line(AtomicUsize);

/// About this many cycles: a transfer's variation is an eighth.
fn is_about(cycles: u64, expected: u64) -> bool {
    cycles.abs_diff(expected) <= expected / 8 + COSTS.read_modify_write
}

/// Waits in virtual time only, without any access.
fn at(time: u64) {
    machine::work(time - machine::now());
}

#[test]
fn accesses_cost_what_the_line_says() {
    let simulation = timed(0);
    let line = simulation.place(Line(AtomicUsize::new(0)));
    let costs = Cell::new([0; 7]);
    let note = |index: usize, cycles: u64| {
        let mut all = costs.get();
        all[index] = cycles;
        costs.set(all);
    };
    let measure = |action: &dyn Fn()| {
        let begin = machine::now();
        action();
        machine::now() - begin
    };
    let mut bodies: Vec<Body<'_>> = (0..5).map(|_| -> Body<'_> { Box::new(|| ()) }).collect();
    bodies[0] = Box::new(|| {
        note(0, measure(&|| assert_eq!(line.0.load(Relaxed), 0)));
        note(1, measure(&|| line.0.store(1, Relaxed)));
        note(2, measure(&|| assert_eq!(line.0.fetch_add(1, Relaxed), 1)));
    });
    bodies[1] = Box::new(|| {
        at(200_000);
        note(3, measure(&|| assert_eq!(line.0.load(Relaxed), 2)));
        note(4, measure(&|| assert_eq!(line.0.load(Relaxed), 2)));
    });
    bodies[2] = Box::new(|| {
        at(400_000);
        note(5, measure(&|| assert_eq!(line.0.swap(3, AcqRel), 2)));
    });
    bodies[4] = Box::new(|| {
        at(600_000);
        note(6, measure(&|| assert_eq!(line.0.compare_exchange(0, 1, AcqRel, Relaxed), Err(3))));
    });
    let report = simulation.run(bodies);
    let [memory, hit, exchange, near, again, middle, far] = costs.get();
    assert!(is_about(memory, COSTS.memory));
    assert_eq!((hit, exchange, again), (COSTS.hit, COSTS.read_modify_write, COSTS.hit));
    assert!(is_about(near, COSTS.same_cluster));
    assert!(is_about(middle, COSTS.same_socket));
    assert!(is_about(far, COSTS.other_socket));
    assert_eq!((report.accesses, report.transfers, report.far_transfers), (7, 4, 2));
}

/// Readers share a line, and a writer then has to get it back.
#[test]
fn sharing_takes_the_line_away() {
    let simulation = timed(0);
    let line = simulation.place(Line(AtomicUsize::new(0)));
    let reader: Body<'_> = Box::new(|| {
        at(200_000);
        line.0.load(Acquire);
    });
    let writer: Body<'_> = Box::new(|| {
        line.0.store(1, Release);
        at(400_000);
        line.0.store(2, Release);
        assert!(is_about(machine::now() - 400_000, COSTS.same_cluster));
    });
    assert_eq!(simulation.run(vec![writer, reader]).transfers, 3);
}

/// Cores that want one line at the same time get it one after the other.
#[test]
fn a_line_has_a_queue() {
    let simulation = timed(0);
    let line = simulation.place(Line(AtomicUsize::new(0)));
    let bodies = (0..2).map(|_| -> Body<'_> {
        Box::new(|| {
            for _ in 0..10 {
                line.0.fetch_add(1, Relaxed);
                // Longer than the old owner may go on.
                machine::work(2 * COSTS.same_cluster);
            }
        })
    });
    let report = simulation.run(bodies.collect());
    assert_eq!(line.0.load(Relaxed), 20);
    assert_eq!(report.transfers, 20);
    assert!(report.time > 19 * COSTS.same_cluster * 7 / 8);
}

#[test]
fn waiting_and_the_allocator_cost_time() {
    let simulation = timed(0);
    let body: Body<'_> = Box::new(|| {
        machine::spin_loop();
        let layout = Layout::new::<u64>();
        // SAFETY: freed at once with the same layout.
        unsafe { machine::dealloc(machine::alloc(layout), layout) };
        assert_eq!(machine::now(), COSTS.relax + 2 * COSTS.allocation);
    });
    let report = simulation.run(vec![body]);
    assert_eq!(report.time, COSTS.relax + 2 * COSTS.allocation);
}

/// Cores that add to one of two numbers by turns, and what came of it.
fn adding(policy: Policy) -> (Report, Vec<usize>) {
    let simulation = Simulation::new(policy, u64::MAX);
    let lines = simulation.place([const { Line(AtomicUsize::new(0)) }; 2]);
    let order = std::cell::RefCell::new(Vec::new());
    let body = |core: usize| -> Body<'_> {
        let (lines, order) = (&lines, &order);
        Box::new(move || {
            for round in 0..20 {
                lines[(core + round) % 2].0.fetch_add(1, Relaxed);
                order.borrow_mut().push(machine::core_number());
            }
        })
    };
    let report = simulation.run((0..4).map(body).collect());
    (report, order.into_inner())
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let policies: [fn(u64) -> Policy; 4] = [
        |seed| Policy::Timed { machine: Machine::CLUSTERS, seed },
        |seed| Policy::Random { seed },
        |seed| Policy::Slow { seed },
        |seed| Policy::Priorities { seed, changes: 3, length: 80 },
    ];
    for policy in policies {
        assert_eq!(adding(policy(1)), adding(policy(1)));
        assert!((2..9).any(|seed| adding(policy(seed)) != adding(policy(1))));
    }
}

#[test]
fn a_core_is_parked_at_its_kth_access() {
    for k in 1..=3 {
        let simulation = Simulation::new(Policy::Random { seed: 0 }, 1000);
        let line = simulation.place(Line(AtomicUsize::new(0)));
        let stop: Body<'_> = Box::new(|| {
            machine::park_at(Some(k));
            for _ in 0..3 {
                line.0.fetch_add(1, Relaxed);
            }
            unreachable!("parked before");
        });
        let go_on: Body<'_> = Box::new(|| {
            while !machine::is_parked(0) {
                machine::spin_loop();
            }
            assert_eq!(line.0.load(Relaxed) as u64, k - 1);
        });
        assert_eq!(simulation.run(vec![stop, go_on]).ends, [End::Parked, End::Finished]);
    }
}

#[test]
#[should_panic(expected = "does a core wait for ever?")]
fn a_run_without_end_is_noticed() {
    let simulation = Simulation::new(Policy::Priorities { seed: 0, changes: 0, length: 1 }, 1000);
    let line = simulation.place(Line(AtomicUsize::new(0)));
    let wait: Body<'_> = Box::new(|| while line.0.load(Relaxed) == 0 {});
    let report = simulation.run(vec![wait]);
    unreachable!("{report:?}");
}

#[test]
#[should_panic(expected = "memory that was given back")]
fn an_access_to_freed_memory_is_noticed() {
    let simulation = timed(0);
    let body: Body<'_> = Box::new(|| {
        let layout = Layout::new::<AtomicPtr<u8>>();
        #[expect(clippy::cast_ptr_alignment, reason = "the layout's")]
        // SAFETY: none: the second access is to memory that was given back. But the machine does not let it happen.
        unsafe {
            let block = machine::alloc(layout).cast::<AtomicPtr<u8>>();
            block.write(AtomicPtr::new(ptr::null_mut()));
            (*block).load(Relaxed);
            machine::dealloc(block.cast(), layout);
            (*block).load(Relaxed);
        }
    });
    let report = simulation.run(vec![body]);
    unreachable!("{report:?}");
}

/// Outside of a run the atomics are plain ones.
#[test]
fn outside_of_a_run_nothing_costs() {
    let number = AtomicUsize::new(1);
    assert_eq!(number.fetch_sub(1, Relaxed), 1);
    assert_eq!((number.load(Relaxed), machine::now(), machine::core_number()), (0, 0, 0));
}
