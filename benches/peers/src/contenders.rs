//! Who takes part.

mod floor;
#[allow(dead_code, reason = "all of it, where none of them is installed")]
mod foreign;
mod locked;
mod ours;
mod ready;
mod treiber;

use crate::census::every_value_once;
use crate::contender::Large;
use crate::sample::{Plan, Sample, sample};
use elimination_stack::{Elimination, Exponential, Haphazard, NoBackoff, Slots};

/// Whose a contender is; the report shows them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Peer,
    /// What nobody can be faster than, as it leaves out what a stack has to do.
    Floor,
}

/// One contender, as the tool sees it.
pub struct Entry {
    pub name: &'static str,
    pub side: Side,
    pub words: fn(&Plan) -> Sample,
    /// With large values; not every contender can hold them.
    pub large: Option<fn(&Plan) -> Sample>,
    pub census: fn() -> bool,
}

/// The names that the targets are stated for.
pub const DIRECT: &str = "Stack";
pub const HANDLE: &str = "Handle";
pub const NO_BACKOFF: &str = "Handle + NoBackoff";
pub const FLOOR: &str = "floor";
pub const EPOCH: &str = "crossbeam-epoch";
pub const STD: &str = "std Mutex<Vec>";
pub const PARKING_LOT: &str = "parking_lot Mutex<Vec>";

/// Every contender that was compiled in.
#[must_use]
pub fn all() -> Vec<Entry> {
    /// A contender for which `$stack` is a type of `T`, whatever the values are.
    macro_rules! generic {
        ($name:expr, $side:ident, $stack:ty) => {{
            type Of<T> = $stack;
            Entry {
                name: $name,
                side: Side::$side,
                words: sample::<Of<u64>, u64>,
                large: Some(sample::<Of<Large>, Large>),
                census: every_value_once::<Of<u64>, u64>,
            }
        }};
    }
    #[allow(unused_macros, reason = "perhaps none was compiled")]
    macro_rules! foreign {
        ($name:expr, $peer:ident) => {{
            type Of = foreign::Foreign<foreign::$peer>;
            Entry {
                name: $name,
                side: Side::Peer,
                words: sample::<Of, u64>,
                large: None,
                census: every_value_once::<Of, u64>,
            }
        }};
    }
    vec![
        generic!(DIRECT, Ours, ours::Direct<T, Slots<8>, Elimination<32>>),
        generic!(HANDLE, Ours, ours::Kept<T, Slots<8>, Elimination<32>>),
        generic!("Handle + Exponential", Ours, ours::Kept<T, Slots<8>, Exponential>),
        generic!(NO_BACKOFF, Ours, ours::Kept<T, Slots<8>, NoBackoff>),
        generic!("Handle + Haphazard", Ours, ours::Kept<T, Haphazard, Elimination<32>>),
        generic!(EPOCH, Peer, treiber::Epoch<T>),
        generic!("haphazard", Peer, treiber::Hazards<T>),
        generic!("seize", Peer, treiber::Seize<T>),
        generic!("sdd", Peer, ready::Sdd<T>),
        generic!("lockfree", Peer, ready::Lockfree<T>),
        generic!(STD, Peer, locked::Std<T>),
        generic!(PARKING_LOT, Peer, locked::ParkingLot<T>),
        generic!("spin Mutex<Vec>", Peer, locked::Spin<T>),
        #[cfg(have_boost)]
        foreign!("boost::lockfree", Boost),
        #[cfg(have_cds)]
        foreign!("libcds", Cds),
        #[cfg(have_cds)]
        foreign!("libcds + elimination", CdsElimination),
        #[cfg(have_ck)]
        foreign!("ck_stack", Ck),
        #[cfg(have_urcu)]
        foreign!("liburcu + mutex", Urcu),
        #[cfg(have_urcu)]
        foreign!("liburcu + RCU", UrcuRcu),
        generic!(FLOOR, Floor, floor::Floor<T>),
    ]
}
