//! The stacks that are measured.

use crate::measure::{Sample, measure};
use crate::ticket::TicketStack;
use crate::workload::Setting;
use elimination_stack::{Backoff, Elimination, Exponential, Handle, NoBackoff, Reclaim, Slots, Stack};

/// A stack and its name.
#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    pub measure: fn(&Setting) -> Sample,
}

macro_rules! contender {
    ($name:literal, $backoff:ty) => {
        Contender {
            name: $name,
            // As many slots as the engine's documentation says: one for each core.
            measure: |setting| match setting.cores {
                ..=8 => measure::<Stack<u64, Slots<8>, $backoff>>(setting),
                ..=16 => measure::<Stack<u64, Slots<16>, $backoff>>(setting),
                ..=32 => measure::<Stack<u64, Slots<32>, $backoff>>(setting),
                ..=64 => measure::<Stack<u64, Slots<64>, $backoff>>(setting),
                ..=128 => measure::<Stack<u64, Slots<128>, $backoff>>(setting),
                _ => measure::<Stack<u64, Slots<256>, $backoff>>(setting),
            },
        }
    };
}

/// All, in the order of tables and charts.
pub const CONTENDERS: [Contender; 11] = [
    contender!("none", NoBackoff),
    contender!("exponential", Exponential),
    contender!("elimination-1", Elimination<1>),
    contender!("elimination-2", Elimination<2>),
    contender!("elimination-4", Elimination<4>),
    contender!("elimination-8", Elimination<8>),
    contender!("elimination-16", Elimination<16>),
    contender!("elimination-32", Elimination<32>),
    contender!("elimination-64", Elimination<64>),
    Contender { name: "default", measure: measure::<Stack<u64>> },
    Contender { name: "ticket-lock", measure: measure::<TicketStack> },
];

/// A stack that cores share.
pub trait Shared {
    type Worker<'a>: Worker
    where
        Self: 'a;

    fn new() -> Self;

    /// The access of the core that runs.
    fn worker(&self) -> Self::Worker<'_>;

    fn counts(&self) -> Counts;
}

/// One core's access to a stack.
pub trait Worker {
    fn push(&mut self, value: u64);
    fn pop(&mut self) -> Option<u64>;
}

/// What a stack counts itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lost_races: usize,
    pub eliminated: usize,
    pub withdrawals: usize,
}

impl<R: Reclaim + 'static, B: Backoff + 'static> Shared for Stack<u64, R, B> {
    type Worker<'a> = Handle<'a, u64, R, B>;

    fn new() -> Self {
        Self::custom()
    }

    fn worker(&self) -> Self::Worker<'_> {
        self.handle()
    }

    fn counts(&self) -> Counts {
        let stats = self.stats();
        Counts {
            lost_races: stats.lost_races,
            eliminated: stats.eliminated_pushes + stats.eliminated_pops,
            withdrawals: stats.withdrawals,
        }
    }
}

impl<R: Reclaim, B: Backoff> Worker for Handle<'_, u64, R, B> {
    fn push(&mut self, value: u64) {
        Handle::push(self, value);
    }

    fn pop(&mut self) -> Option<u64> {
        Handle::pop(self)
    }
}
