//! The elimination array: which exchanger, and how long to wait there.

use super::exchanger::{Alone, Exchanger, Visit};
use super::sealed;
use super::turns::{Attempt, Away, Turns};
use crate::layout::{FAST_PATHS, Padded};
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::{initial, relax};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

/// Back-off in time: contexts that contend take turns. Who has lost a race stays away from the list for a while, and then
/// insists; the more contend, the longer. At most 256 steps of waiting at a time, and [`MOST_STEPS`](Elimination::MOST_STEPS) in
/// one call, however often it loses. On microcontrollers whoever loses twice waits 18 steps.
///
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning. A panic in it aborts.
pub type Exponential<Relax = Spin> = Elimination<0, Relax>;

/// The elimination back-off: a push and a pop that both stay away from the list meet in one of `W` exchangers and cancel out,
/// without touching the list.
///
/// Contexts take turns at the list, as with [`Exponential`]; while they stay away, their operations look for
/// a partner. Each begins at the exchanger that its slot shares with its neighbours: two slots, or as many as it takes for all
/// `N` of [`Slots<N>`](crate::Slots) to have one. So handles that are made one after the other meet each other, and if these
/// belong to cores that are close to each other, what they exchange has a short way. Who finds one of its own kind there tries
/// next door; who waits in vain looks further and further away. In the end it always goes back to the list. On microcontrollers
/// it does so after one visit of 18 steps.
///
/// A call waits at most 256 steps at a time, and [`MOST_STEPS`](Elimination::MOST_STEPS) in all, however often it loses; then it
/// only tries the list again.
///
/// `W` is at most 65535, or a stack with it does not compile; without exchangers this is [`Exponential`]. Each exchanger is one
/// word, 64 bytes from the next one where there are caches; one for two contexts serves best.
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning; an embedder may put
/// `WFE` there, or a scheduler's yield. A panic in it aborts: it runs while the operation's offer stands.
///
/// From D. Hendler, N. Shavit and L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004.
pub struct Elimination<const W: usize, Relax = Spin>(PhantomData<Relax>);

/// `W` exchangers, and how long contexts stay there.
pub struct Array<T, const W: usize> {
    exchangers: [Padded<Exchanger<T>>; W],
    away: Padded<Away>,
}

initial! { impl[T, const W: usize] Array<T, W> = {
    /// An index has 16 bits.
    const MOST: usize = u16::MAX as usize;
    assert!(W <= MOST, "Elimination<W>: W is at most 65535");
    Self { exchangers: initial!(_), away: initial!(_) }
} }

impl<const W: usize, Relax> Elimination<W, Relax> {
    /// The most steps of waiting that one call takes in all, whatever happens; besides, calls that wait for a slot while all are
    /// claimed, as their documentation says, take as many as it takes until one is free.
    pub const MOST_STEPS: u16 = Attempt::IN_ALL;
}

impl<const W: usize, Relax: RelaxStrategy> Elimination<W, Relax> {
    /// Steps for which an offer stands in one exchanger. tuning.md, "Elimination".
    const PATIENCE: u16 = limit(if FAST_PATHS { 32 } else { Attempt::AT_A_TIME }, model::RELAXES);
    /// Steps of waiting after a collision: about as many as the exchange in the way takes. tuning.md, "Elimination".
    const PAUSE: u16 = limit(2, model::RELAXES);
    /// Who collides looks for another exchanger among so many: its own and the next one. tuning.md, "Elimination".
    const NEAR: u16 = 2;
}

impl<const W: usize, Relax: RelaxStrategy> sealed::Strategy for Elimination<W, Relax> {
    type Shared<T> = Array<T, W>;
    type Local = Turns;
    const EXCHANGERS: usize = if W == 0 { 1 } else { W };

    #[cold]
    fn lost<T>(array: &Array<T, W>, turns: &mut Turns, attempt: &mut Attempt) -> bool {
        turns.lost(&array.away, attempt)
    }

    #[inline(never)]
    fn meet<T>(
        array: &Array<T, W>,
        turns: &mut Turns,
        attempt: &mut Attempt,
        home: usize,
        counters: &Counters,
        visit: Option<&Visit<T>>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        let mut steps = turns.left().min(Attempt::AT_A_TIME);
        let mut result = Err(Alone::Withdrew);
        let Some(visit) = visit.filter(|_| W > 0) else {
            steps = attempt.wait(steps);
            relax_for::<Relax>(steps);
            turns.pass(steps);
            turns.come_back(attempt);
            return result;
        };
        #[expect(clippy::cast_possible_truncation, reason = "W is below 65536")]
        let (width, home) = (W as u16, home as u16);
        let (mut index, mut reach) = (home, 1_u16);
        loop {
            let patience = attempt.wait(steps.min(Self::PATIENCE));
            if patience == 0 {
                break;
            }
            let mut unused = patience;
            result = array.exchangers[usize::from(index)].visit::<Relax>(visit, &mut unused);
            attempt.did_not_wait(unused);
            let mut took = patience - unused;
            if let Ok(node) = result {
                turns.pass(took);
                if node.is_some() {
                    turns.popped_elsewhere();
                }
                return result;
            }
            counters.withdrawals((result == Err(Alone::Withdrew)).into());
            if !FAST_PATHS {
                // Where code is short there are few contexts, and one visit has to do.
                break;
            }
            if result == Err(Alone::Collided) {
                took = attempt.wait(Self::PAUSE.min(steps));
                relax_for::<Relax>(took);
                reach = reach.max(Self::NEAR).min(width);
            } else {
                reach = reach.saturating_mul(2).min(width);
            }
            steps -= took;
            turns.pass(took);
            index = (home - home % reach + turns.pick(reach)) % width;
        }
        // Whoever has waited in vain goes back to the list, and stays away no longer. tuning.md, "Many cores".
        turns.come_back(attempt);
        result
    }

    #[inline(always)]
    fn popped(turns: &mut Turns) {
        turns.popped();
    }

    #[inline(always)]
    fn stays_away_first(turns: &Turns) -> bool {
        // CHEAPER: to begin at the list comes to the same, and takes longer where many contend.
        turns.left() > 0 || W == limit(usize::MAX, model::STAYS_AWAY_FIRST)
    }

    #[inline]
    fn relax() {
        relax::<Relax>();
    }
}

fn relax_for<Relax: RelaxStrategy>(steps: u16) {
    for _ in 0..steps {
        relax::<Relax>();
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    extern crate std;

    use super::sealed::Strategy;
    use super::*;
    use crate::treiber::Node;
    use core::cell::Cell;

    std::thread_local!(static STEPS: Cell<u32> = const { Cell::new(0) });

    struct Counting;

    impl RelaxStrategy for Counting {
        fn relax() {
            STEPS.set(STEPS.get() + 1);
        }
    }

    /// One call of a `B` that loses its race each time, and meets nobody: the most steps that it waits at a time, and those in
    /// all.
    fn steps<B: Strategy<Local = Turns>>(shared: &B::Shared<u32>, visit: Option<&Visit<u32>>) -> (u32, u32) {
        let (mut turns, mut attempt, mut most) = (initial!(Turns), Attempt::default(), 0);
        STEPS.set(0);
        for _ in 0..100_000 {
            let before = STEPS.get();
            turns.popped();
            if !B::lost(shared, &mut turns, &mut attempt) {
                assert!(B::meet(shared, &mut turns, &mut attempt, 1, &initial!(Counters), visit).is_err());
            }
            most = most.max(STEPS.get() - before);
        }
        (most, STEPS.get())
    }

    /// However often a call loses, whoever is in the array, and however many others there seem to be.
    #[test]
    fn a_call_waits_no_longer_than_it_says() {
        type Array2 = Elimination<2, Counting>;
        type NoArray = Exponential<Counting>;

        assert_eq!((Array2::MOST_STEPS, NoArray::MOST_STEPS), (2048, 2048));
        let node = Node::allocate().unwrap();
        // SAFETY: the node is ours, and nobody reads its value, since whoever it meets pushes, too.
        let push = unsafe { Visit::push(node) };
        for visit in [None, Some(&push), Some(&Visit::pop())] {
            for crowded in [false, true] {
                let array = initial!(Array<u32, 2>);
                if crowded {
                    array.exchangers.iter().for_each(|exchanger| exchanger.hold(visit));
                    array.away.crowd();
                }
                let (at_a_time, in_all) = steps::<Array2>(&array, visit);
                assert!(at_a_time <= 256 && in_all == 2048, "{at_a_time} at a time, {in_all} in all");
            }
        }
        let array = initial!(Array<u32, 0>);
        array.away.crowd();
        assert_eq!(steps::<NoArray>(&array, Some(&push)), (256, 2048));
        // SAFETY: the node is ours.
        unsafe { Node::free(node) };
    }
}
