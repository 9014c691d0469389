//! What is smaller under the model checker: all such limits, in one place.
//!
//! Loom tries every interleaving of every step, so a model has to reach with two or three operations what a program reaches
//! with hundreds. Each limit below is the least with which both sides of every comparison with it come about; the
//! algorithm is the same. A limit's own place says what it is in a program, as `limit(real, model::NAME)`.

/// A limit: `real` in a program, `model` under the model checker.
pub(crate) const fn limit<T: Copy>(real: T, model: T) -> T {
    if cfg!(elimination_stack_loom) { model } else { real }
}

/// Slots that are few: so models with `Slots<1>` check the short code, those with `Slots<2>` the other.
pub(crate) const FEW: usize = 1;
/// Retired nodes at which a slot scans: each pop does.
pub(crate) const RETIRE_LIMIT: usize = 1;
/// Retired nodes at which a slot without spare nodes scans rather than taking others'.
pub(crate) const SCAN_LIMIT: usize = 1;
/// Nodes that the depot keeps: two batches.
pub(crate) const DEPOT_LIMIT: usize = 2;
/// Slots of `Haphazard`.
#[cfg(target_has_atomic = "ptr")]
pub(crate) const HAPHAZARD_SLOTS: usize = 2;
/// Spare nodes of a slot of `Haphazard`.
#[cfg(target_has_atomic = "ptr")]
pub(crate) const HAPHAZARD_SPARE: usize = 1;
/// Steps of a wait or a pause: in one of them every other thread may do all that it has to do.
pub(crate) const RELAXES: u16 = 1;
/// Steps of waiting of one call: as many as there are attempts, since without a step nobody else would run.
pub(crate) const MOST_STEPS: u16 = u16::MAX;
/// The balance of a new handle: its operations begin with a guess, until they lose a race.
pub(crate) const AT_ONCE: u8 = 0;
pub(crate) const GUESSES: bool = cfg!(elimination_stack_loom);
/// What a lost race adds to it: all, so that the next one is waited for.
pub(crate) const LOST: u8 = 100;
/// Lost races for one wait: the first one is waited for, and the next one not.
pub(crate) const TURN: u8 = 2;
/// Visits to exchangers in a row: what the next one finds, an operation's next attempt finds as well.
pub(crate) const VISITS: usize = 1;
/// Others that an exchanger's visitor can tell: none, for they only make waits longer.
pub(crate) const CROWD: u8 = 0;
/// The width of the elimination array with which operations begin with an exchange, as after an elimination. Models that choose
/// between two exchangers do, since an elimination before would take them too long.
pub(crate) const EXCHANGES_FIRST: usize = 2;
