//! The steps of a program, and how they are read out of bytes.

use crate::ledger::Ledger;
use std::iter;

/// One call, or a few that belong together, on one of the stacks.
///
/// A number says which handle or iterator is meant, modulo how many there are; so any byte will do.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Push(Through),
    TryPush(Through, Memory),
    PushSpare(Through),
    PushAll(Through, Count),
    Extend(Through, Count),
    /// The iterator that gives the values pushes and pops meanwhile.
    PushAllWhileOthers(Through, Count),
    /// The iterator panics after so many values.
    PushAllPanics(Through, Count),
    Pop(Through),
    TryPop,
    /// What is popped is pushed on the other stack.
    Move(Through),
    /// Detaches everything; the iterator lives on.
    TakeAll,
    TakeNext(u8, Count),
    TakeDrop(u8),
    Open,
    TryOpen(Memory),
    Close(u8),
    /// Loses a handle's slot for good.
    Forget(u8),
    Reserve(Count, Memory),
    /// So that as many are reserved as there may be idle, and some more.
    ReserveIdle(Count),
    Reclaim,
    /// The next value panics when it is dropped, unless there is such a one.
    Fragile,
    /// Takes the stacks apart, from the top down as far as said, and begins with new ones.
    End(Count),
}

/// How many values: mostly few, some times more than slots and the depot keep.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub usize);

impl Count {
    fn of(byte: u8) -> Self {
        let byte = usize::from(byte);
        Self(if byte < 192 { byte % 16 } else { (byte - 192) * 5 })
    }
}

/// Through a handle, or through the stack itself, also if there is no handle.
#[derive(Clone, Copy, Debug)]
pub enum Through {
    Stack,
    Handle(u8),
}

impl Through {
    fn of(byte: u8) -> Self {
        if byte % 2 == 0 { Self::Stack } else { Self::Handle(byte / 2) }
    }
}

/// How many allocations of a step succeed, and how many fail then.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub successes: usize,
    pub failures: usize,
}

impl Memory {
    pub const ENOUGH: Self = Self { successes: 0, failures: 0 };

    /// With half of all bytes there is memory enough. With the others one allocation fails, or all from then on.
    fn of(byte: u8) -> Self {
        let failures = [0, 0, 1, usize::MAX][usize::from(byte / 64)];
        Self { successes: usize::from(byte % 16), failures }
    }

    /// Runs a call with so much memory; `ledger.refused()` says then how often it was not enough.
    pub fn during<O>(self, ledger: &Ledger, call: impl FnOnce() -> O) -> O {
        ledger.fail(self.successes, self.failures);
        let result = ledger.during(call);
        ledger.end_failures();
        result
    }
}

/// The stacks of a program.
pub const STACKS: usize = 2;

/// Reads a program: on which stack, and what to do. All bytes are one.
pub fn decode(bytes: &[u8]) -> Vec<(usize, Step)> {
    let mut bytes = bytes.iter().copied();
    iter::from_fn(|| {
        let code = bytes.next()?;
        let mut byte = || bytes.next().unwrap_or(0);
        let step = match code % 32 {
            0..4 => Step::Push(Through::of(byte())),
            4 => Step::TryPush(Through::of(byte()), Memory::of(byte())),
            5..7 => Step::PushSpare(Through::of(byte())),
            7 => Step::PushAll(Through::of(byte()), Count::of(byte())),
            8 => Step::Extend(Through::of(byte()), Count::of(byte())),
            9 => Step::PushAllWhileOthers(Through::of(byte()), Count::of(byte())),
            10 => Step::PushAllPanics(Through::of(byte()), Count::of(byte())),
            11..16 => Step::Pop(Through::of(byte())),
            16..18 => Step::TryPop,
            18 => Step::Move(Through::of(byte())),
            19 => Step::TakeAll,
            20 => Step::TakeNext(byte(), Count::of(byte())),
            21 => Step::TakeDrop(byte()),
            22 => Step::Open,
            23 => Step::TryOpen(Memory::of(byte())),
            24 => Step::Close(byte()),
            25 => Step::Forget(byte()),
            26 => Step::Reserve(Count::of(byte()), Memory::of(byte())),
            27 => Step::ReserveIdle(Count::of(byte())),
            28 => Step::Reclaim,
            29 => Step::Fragile,
            _ => Step::End(Count::of(byte())),
        };
        Some((usize::from(code / 128), step))
    })
    .collect()
}
