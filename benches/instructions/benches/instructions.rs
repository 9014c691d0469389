//! Each scenario, through `Stack`, through `Handle`, and with calls of a function that does nothing.
//!
//! A slot of the default engine takes batches of `BATCH` nodes out of the depot, and scans the hazards when as many are
//! retired: then they become its spare nodes, or, if it has some, a batch of the depot.

use elimination_stack::Slots;
use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};
use instructions::{HANDLE, NOTHING, Run, STACK, Scenario, Subject, perform};

const BATCH: usize = Slots::<8>::BATCH;

/// One operation, after others.
const fn one(before: Run, counted: Run) -> Scenario {
    Scenario { resting: 0, at_once: false, before, counted, times: 1 }
}

/// A push, and a pop, that only push and pop.
const PUSH: Scenario = one(Run(1, 0), Run(1, 0));
const POP: Scenario = one(Run(2, 0), Run(0, 1));
const EMPTY_POP: Scenario = one(Run(0, 0), Run(0, 1));
/// A push without a spare node: takes a batch out of the depot.
const PUSH_BATCH: Scenario = one(Run(BATCH, 0), Run(1, 0));
/// A pop that scans. Before it the slot has no spare node.
const POP_SCAN: Scenario = one(Run(2 * BATCH, BATCH - 1), Run(0, 1));
/// A pop that scans. Before it the slot has spare nodes, so the retired ones go into the depot.
const POP_SCAN_SURPLUS: Scenario = one(Run(2 * BATCH, 2 * BATCH - 1), Run(0, 1));
/// The mean, with what happens now and then.
const PUSHES: Scenario = one(Run(0, 0), Run(1024, 0));
const POPS: Scenario = one(Run(1024, 0), Run(0, 1024));
/// In the steady state: push and pop in turn, and in bursts.
const PAIRS: Scenario = Scenario { resting: 0, at_once: false, before: Run(64, 64), counted: Run(1, 1), times: 1024 };
const BURSTS: Scenario = Scenario { resting: 0, at_once: false, before: Run(64, 64), counted: Run(64, 64), times: 16 };
/// The same by `push_all`, beside so many handles that rest.
const AT_ONCE: Scenario = at_once(0);
const AT_ONCE_30: Scenario = at_once(30);
const AT_ONCE_200: Scenario = at_once(200);
const AT_ONCE_1000: Scenario = at_once(1000);

const fn at_once(resting: usize) -> Scenario {
    Scenario { resting, at_once: true, before: Run(64, 64), counted: Run(64, 64), times: 256 }
}

macro_rules! scenarios {
    ($name:ident, $through:expr) => {
        #[library_benchmark]
        #[bench::push(PUSH)]
        #[bench::push_batch(PUSH_BATCH)]
        #[bench::pushes(PUSHES)]
        #[bench::pop(POP)]
        #[bench::pop_scan(POP_SCAN)]
        #[bench::pop_scan_surplus(POP_SCAN_SURPLUS)]
        #[bench::pops(POPS)]
        #[bench::empty_pop(EMPTY_POP)]
        #[bench::pairs(PAIRS)]
        #[bench::bursts(BURSTS)]
        #[bench::at_once(AT_ONCE)]
        #[bench::at_once_30(AT_ONCE_30)]
        #[bench::at_once_200(AT_ONCE_200)]
        #[bench::at_once_1000(AT_ONCE_1000)]
        fn $name(scenario: Scenario) -> Subject {
            perform($through, scenario)
        }
    };
}

scenarios!(stack, STACK);
scenarios!(handle, HANDLE);
scenarios!(nothing, NOTHING);

library_benchmark_group!(name = operations, benchmarks = [stack, handle, nothing]);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().entry_point(EntryPoint::Custom("instructions::counted".to_owned()))),
    library_benchmark_groups = operations
);
