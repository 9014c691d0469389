//! What the calls may take at most.

use super::Call;
use core::fmt;

/// What a call may take, in `N` and in `I`, how often it is interrupted.
pub struct Bound {
    /// The engine, as a user writes it.
    pub engine: &'static str,
    /// The call.
    pub call: Call,
    /// Instructions, for each `N`, and for each square of it.
    alone: [u32; 3],
    /// Instructions for each interrupt, and for each of it and `N`.
    interrupted: [u32; 2],
    /// Of stack.
    pub bytes: u32,
}

impl Bound {
    /// The most instructions.
    pub fn instructions(&self, n: usize, interrupts: usize) -> u32 {
        let [n, interrupts] = [n, interrupts].map(|number| number as u32);
        let [base, once, squared] = self.alone;
        let [each, for_slots] = self.interrupted;
        base + once * n + squared * n * n + interrupts * (each + for_slots * n)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [base, once, squared] = self.alone;
        let [each, for_slots] = self.interrupted;
        write!(f, "`{}` | `{}` | {base}", self.engine, self.call.name())?;
        if once > 0 {
            write!(f, " + {once} N")?;
        }
        if squared > 0 {
            write!(f, " + {squared} N²")?;
        }
        match (each, for_slots) {
            (0, 0) => {}
            (_, 0) => write!(f, " + {each} I")?,
            _ => write!(f, " + ({each} + {for_slots} N) I")?,
        }
        write!(f, " | {}", self.bytes)
    }
}

const fn slots(call: Call, alone: [u32; 3], interrupted: [u32; 2], bytes: u32) -> Bound {
    Bound { engine: "Slots<N>", call, alone, interrupted, bytes }
}

const fn fixed(call: Call, alone: [u32; 3], interrupted: [u32; 2], bytes: u32) -> Bound {
    Bound { engine: "Fixed<CAP, N>", call, alone, interrupted, bytes }
}

const fn masked(call: Call, alone: u32, bytes: u32) -> Bound {
    Bound { engine: "Masked<CAP>", call, alone: [alone, 0, 0], interrupted: [0, 0], bytes }
}

/// Those of this target.
pub const BOUNDS: &[Bound] = &[
    slots(Call::Push, [0, 0, 0], [0, 0], 0),
    slots(Call::Pop, [0, 0, 0], [0, 0], 0),
    slots(Call::IsEmpty, [0, 0, 0], [0, 0], 0),
    fixed(Call::Push, [0, 0, 0], [0, 0], 0),
    fixed(Call::Pop, [0, 0, 0], [0, 0], 0),
    fixed(Call::IsEmpty, [0, 0, 0], [0, 0], 0),
    masked(Call::Push, 0, 0),
    masked(Call::Pop, 0, 0),
    masked(Call::IsEmpty, 0, 0),
];
