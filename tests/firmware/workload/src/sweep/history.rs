//! Calls and their results, and whether they are those of a sequential order.

use core::sync::atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed};

/// The most calls in one log, and the most values in a stack: a full one of 64 nodes is emptied.
const MOST_CALLS: usize = 144;
/// Bits of a value in a log.
const VALUE_BITS: u32 = 13;

/// One call and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// A push.
    Pushed(u16),
    /// A push for which there was no node.
    Refused(u16),
    /// A pop.
    Popped(u16),
    /// A pop of nothing.
    FoundNothing,
    /// Either, if there was no slot.
    NoSlot,
}

impl Done {
    fn pack(self) -> u16 {
        let (kind, value) = match self {
            Self::Pushed(value) => (0, value),
            Self::Refused(value) => (1, value),
            Self::Popped(value) => (2, value),
            Self::FoundNothing => (3, 0),
            Self::NoSlot => (4, 0),
        };
        assert!(value >> VALUE_BITS == 0, "a stack returned a value that nobody has pushed: {value}");
        kind << VALUE_BITS | value
    }

    fn unpack(word: u16) -> Self {
        let value = word & ((1 << VALUE_BITS) - 1);
        match word >> VALUE_BITS {
            0 => Self::Pushed(value),
            1 => Self::Refused(value),
            2 => Self::Popped(value),
            3 => Self::FoundNothing,
            _ => Self::NoSlot,
        }
    }
}

/// The calls of one context, in their order. Only that context writes, so loads and stores suffice.
pub struct Log {
    calls: [AtomicU16; MOST_CALLS],
    len: AtomicUsize,
}

impl Log {
    /// An empty one.
    pub const fn new() -> Self {
        Self { calls: [const { AtomicU16::new(0) }; MOST_CALLS], len: AtomicUsize::new(0) }
    }

    /// Forgets the calls.
    pub fn clear(&self) {
        self.len.store(0, Relaxed);
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Adds a call.
    pub fn note(&self, call: Done) {
        let len = self.len();
        self.calls[len].store(call.pack(), Relaxed);
        self.len.store(len + 1, Relaxed);
    }

    /// The calls.
    pub fn iter(&self) -> impl Iterator<Item = Done> {
        self.calls[..self.len()].iter().map(|call| Done::unpack(call.load(Relaxed)))
    }
}

/// Whether the calls have the results that they have if they come one after the other, in this order, and the stack is empty
/// first. A push may be refused at any time.
pub fn is_sequential(calls: impl Iterator<Item = Done>) -> bool {
    let (mut values, mut len) = ([0; MOST_CALLS], 0_usize);
    for call in calls {
        match call {
            Done::Pushed(value) => {
                values[len] = value;
                len += 1;
            }
            Done::Popped(value) => {
                if len == 0 || values[len - 1] != value {
                    return false;
                }
                len -= 1;
            }
            Done::FoundNothing if len > 0 => return false,
            Done::FoundNothing | Done::Refused(_) | Done::NoSlot => {}
        }
    }
    true
}
