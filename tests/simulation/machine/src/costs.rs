//! What accesses cost: a machine's shape, and cycles for each kind of access.

/// Cycles of one core's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A load or store of a line that the core's own cache holds in the state that it needs.
    pub hit: u64,
    /// A read-modify-write, on top of getting the line.
    pub read_modify_write: u64,
    /// Getting a line from a core of the same cluster.
    pub same_cluster: u64,
    /// Getting a line from another cluster of the same socket.
    pub same_socket: u64,
    /// Getting a line from another socket.
    pub other_socket: u64,
    /// Getting a line that no cache holds.
    pub memory: u64,
    /// For how long a line that several caches share is busy with one more core that reads it. One that moves from
    /// one owner to the next is busy for the whole way.
    pub shared_read: u64,
    /// What each core that waits in the queue at a line adds to the next transfer of that line.
    pub queue: u64,
    /// One step of waiting: the processor's hint for spinning.
    pub relax: u64,
    /// One call of the allocator.
    pub allocation: u64,
}

/// A machine: which cores are close to each other, and what accesses cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// The preset's name.
    pub name: &'static str,
    /// Cores of a cluster, which share a cache.
    pub cluster: usize,
    /// Cores of a socket.
    pub socket: usize,
    /// Cycles in a nanosecond.
    pub gigahertz: f64,
    /// Cycles.
    pub costs: Costs,
}

/// Ice Lake SP, 2.9 GHz.
const ICE_LAKE: Costs = Costs {
    // L1 data cache, load to use: 5 cycles; Intel 64 and IA-32 Architectures Optimization Reference Manual, "Ice Lake
    // client microarchitecture", cache parameters.
    hit: 5,
    // LOCK CMPXCHG, latency of the memory operand: 18 cycles; uops.info, Ice Lake.
    read_modify_write: 18,
    // 51 ns from core to core by compare-exchange, median of all pairs of one Xeon Platinum 8375C;
    // https://github.com/nviennot/core-to-core-latency, README, "Single socket results". The die is one mesh, without
    // clusters.
    same_cluster: 148,
    same_socket: 148,
    // 108 ns between two of them; same table, "Dual sockets results".
    other_socket: 313,
    // 85 ns or so: typical of the family; it counts once for each line and core-less state, so hardly at all.
    memory: 250,
    // Assumed: a slice of the last-level cache answers readers one after the other, in its pipeline.
    shared_read: 10,
    // Assumed: none. What waits is served one after the other, which is the main cost of a queue.
    queue: 0,
    // PAUSE: "as many as 140 cycles"; the same manual, "Pause latency in Skylake client microarchitecture", which the
    // server cores inherited.
    relax: 140,
    // A malloc and free of one size from a thread's own cache: 20 ns a call or so.
    allocation: 50,
};

impl Machine {
    /// One socket, one mesh: an Intel Xeon Platinum 8375C (Ice Lake SP, 2.9 GHz), continued beyond its 32 cores.
    pub const ONE_SOCKET: Self =
        Self { name: "one-socket", cluster: usize::MAX, socket: usize::MAX, gigahertz: 2.9, costs: ICE_LAKE };

    /// Clusters of 8 cores, sockets of 64: AMD EPYC 7R13 (Milan, 2.65 GHz), continued beyond its two sockets of 48.
    pub const CLUSTERS: Self = Self {
        name: "clusters",
        cluster: 8,
        socket: 64,
        gigahertz: 2.65,
        costs: Costs {
            // L1 data cache, load to use: 4 cycles; Software Optimization Guide for AMD Family 19h Processors.
            hit: 4,
            // LOCK CMPXCHG: 8 cycles; uops.info, Zen 3.
            read_modify_write: 8,
            // 23 ns within 8 cores, 107 ns between groups of one socket, 197 ns between two sockets; medians of one and
            // two EPYC 7R13; the same tables as above.
            same_cluster: 61,
            same_socket: 284,
            other_socket: 522,
            memory: 300,
            // PAUSE: 65 cycles; A. Fog, Instruction tables, Zen 3.
            relax: 65,
            ..ICE_LAKE
        },
    };

    /// Both presets.
    pub const PRESETS: [Self; 2] = [Self::ONE_SOCKET, Self::CLUSTERS];

    /// What getting a line from another core costs.
    pub(crate) fn distance(&self, from: usize, to: usize) -> u64 {
        if from / self.cluster == to / self.cluster {
            self.costs.same_cluster
        } else if from / self.socket == to / self.socket {
            self.costs.same_socket
        } else {
            self.costs.other_socket
        }
    }
}
