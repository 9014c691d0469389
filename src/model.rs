//! What is smaller under the model checker: all such limits, in one place.
//!
//! Loom tries every interleaving of every step, so a model has to reach with two or three operations what a program reaches
//! with hundreds. Each limit below is the least with which both sides of every comparison with it come about, but for `WAITING`;
//! the algorithm is the same. A limit's own place says what it is in a program, as `limit(real, model::NAME)`.

/// A limit: `real` in a program, `model` under the model checker.
pub(crate) const fn limit<T: Copy>(real: T, model: T) -> T {
    if cfg!(elimination_stack_loom) { model } else { real }
}

/// Retired nodes at which a slot of so many scans: with one, each pop does, and leaves no last node. Models of that one have four
/// slots.
pub(crate) const fn retire_limit(slots: usize) -> usize {
    if slots == 4 { 2 } else { 1 }
}
/// Whether contexts remember which slot they claimed instead of one in place, of which there are so many: if there is one, which
/// some models take away.
pub(crate) const fn remembers_slot(slots: usize) -> bool {
    // CHEAPER: where more is remembered models take longer; where nothing is, `slot_changes_hands` sees less, and nobody that.
    slots == 1
}
/// Nodes that may wait for the next scan, more than usual: none. To let more wait touches nothing that is shared.
pub(crate) const WAITING: usize = 0;
/// Nodes that the depot keeps: two batches of one, or one of two.
pub(crate) const DEPOT_LIMIT: usize = 2;
/// Slots of `Haphazard`.
#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub(crate) const HAPHAZARD_SLOTS: usize = 2;
/// Spare nodes of a slot of `Haphazard`.
#[cfg(all(feature = "haphazard", target_has_atomic = "ptr"))]
pub(crate) const HAPHAZARD_SPARE: usize = 1;
/// Steps of a wait or a pause: in one of them every other thread may do all that it has to do.
pub(crate) const RELAXES: u16 = 1;
/// Steps for which whoever lost a race stays away from the list: in one of them every other thread may do all that it has to do.
pub(crate) const AWAY: i32 = 1;
/// Steps of waiting of one call: as many as there are attempts, since without a step nobody else would run.
pub(crate) const MOST_STEPS: u16 = u16::MAX;
/// Nodes popped in a turn that is long: one, so models have both kinds of turns.
pub(crate) const TURN: u16 = 1;
/// Nodes popped in a run that does not show that there is no contention: none.
pub(crate) const CLOSE: u16 = 0;
/// How much speaks for taking turns: from the beginning and always enough, so each operation waits after its first lost race.
pub(crate) const CONTENTION: u8 = 1;
/// How often whoever comes back tries again at once, besides the first time: never, since each attempt is like the first one.
pub(crate) const INSISTS: u8 = 0;
/// The width of the elimination array with which operations come to the list by way of `meet`, as after an elimination; they have
/// no steps left then, and so visit no exchanger. No model gets to a second exchanger: its one step is over at the first.
pub(crate) const STAYS_AWAY_FIRST: usize = 2;
