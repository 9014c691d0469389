//! The workloads: who does what to the stack.

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Short, for the command line and the results.
    pub name: &'static str,
    /// What the report says.
    pub title: &'static str,
    pub threads: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each thread pushes and pops in turn.
    Pairs,
    /// The same with so many nanoseconds of its own work between two operations.
    OwnWork {
        nanoseconds: u32,
    },
    /// The same with values of 256 bytes.
    Large,
    /// The same, some pairs timed, or all: so many go untimed for one that is timed.
    Latency {
        untimed: u32,
    },
    /// The same, so many pairs.
    Memory,
    /// Each thread pushes 64, then pops 64.
    Bursts,
    /// Each thread pushes 64 at once, then takes all there are.
    Bulk,
    /// One thread pushes, the other pops.
    OneWay,
    /// Each thread pushes 9 times of 10, or pops 9 times of 10, from a stack with enough values.
    PushHeavy,
    PopHeavy,
}

const fn workload(name: &'static str, title: &'static str, threads: usize, kind: Kind) -> Workload {
    Workload { name, title, threads, kind }
}

/// All of them, in the order of the report.
pub const ALL: [Workload; 20] = [
    workload("pairs-1", "1 thread, pairs", 1, Kind::Pairs),
    workload("bursts-1", "1 thread, bursts of 64", 1, Kind::Bursts),
    workload("pairs-2", "2 threads, pairs", 2, Kind::Pairs),
    workload("one-way", "2 threads, one pushes, one pops", 2, Kind::OneWay),
    workload("pairs-8", "8 threads, pairs", 8, Kind::Pairs),
    workload("pairs-32", "32 threads, pairs", 32, Kind::Pairs),
    workload("own-work-20", "2 threads, 20 ns of own work between operations", 2, Kind::OwnWork { nanoseconds: 20 }),
    workload("own-work-50", "2 threads, 50 ns of own work between operations", 2, Kind::OwnWork { nanoseconds: 50 }),
    workload("own-work-100", "2 threads, 100 ns of own work between operations", 2, Kind::OwnWork { nanoseconds: 100 }),
    workload("own-work-300", "2 threads, 300 ns of own work between operations", 2, Kind::OwnWork { nanoseconds: 300 }),
    workload(
        "own-work-1000",
        "2 threads, 1000 ns of own work between operations",
        2,
        Kind::OwnWork { nanoseconds: 1000 },
    ),
    workload("own-work-8", "8 threads, 50 ns of own work between operations", 8, Kind::OwnWork { nanoseconds: 50 }),
    workload("push-heavy", "2 threads, 90 % pushes", 2, Kind::PushHeavy),
    workload("pop-heavy", "2 threads, 90 % pops", 2, Kind::PopHeavy),
    workload("bulk-1", "1 thread, `push_all` of 64 and `take_all`", 1, Kind::Bulk),
    workload("bulk-2", "2 threads, `push_all` of 64 and `take_all`", 2, Kind::Bulk),
    workload("large", "2 threads, pairs, values of 256 bytes", 2, Kind::Large),
    workload("latency", "2 threads, pairs, 1 of 16 timed", 2, Kind::Latency { untimed: 15 }),
    workload("latency-each", "2 threads, pairs, each operation timed", 2, Kind::Latency { untimed: 0 }),
    workload("memory", "8 threads, a fixed number of pairs", 8, Kind::Memory),
];

/// The workload of this name.
#[must_use]
pub fn named(name: &str) -> Option<Workload> {
    ALL.into_iter().find(|workload| workload.name == name)
}

impl Workload {
    /// What one nanosecond figure is divided by.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self.kind {
            Kind::OneWay | Kind::Bulk => "value",
            Kind::PushHeavy | Kind::PopHeavy => "operation",
            _ => "pair",
        }
    }

    /// Whether threads meet at all: otherwise what a cache line's transfer costs does not matter.
    #[must_use]
    pub fn shares(self) -> bool {
        self.threads > 1
    }
}
