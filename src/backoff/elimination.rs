//! The elimination array: which exchanger, and how long to wait there.

use super::exchanger::{Alone, Exchanger, Visit};
use super::turns::{Away, Turns};
use super::{Attempt, relax_for, sealed, wait_alone};
use crate::layout::{FAST_PATHS, Padded};
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::{array_of, context_hash, initial, relax};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

/// The elimination back-off: a push and a pop that both stay away from the list meet in one of `W` exchangers and cancel out,
/// without touching the list.
///
/// Contexts take turns at the list, as with [`Exponential`](super::Exponential); while they stay away, their operations look for
/// a partner. Each begins at the exchanger that its slot shares with its neighbours: two slots, or as many as it takes for all
/// `N` of [`Slots<N>`](crate::Slots) to have one. So handles that are made one after the other meet each other, and if these
/// belong to cores that are close to each other, what they exchange has a short way. Who finds one of its own kind there tries
/// next door; who waits in vain looks further and further away. In the end it always goes back to the list.
///
/// A call waits at most 256 steps at a time, and [`MOST_STEPS`](Elimination::MOST_STEPS) in all, however often it loses; then it
/// only tries the list again.
///
/// `W` is at least 1 and at most 65535, or a stack with it does not compile. Each exchanger is one word, on a cache line of its
/// own where there are caches; one for two contexts serves best.
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning; an embedder may put
/// `WFE` there, or a scheduler's yield. A panic in it aborts: it runs while the operation's offer stands.
///
/// From D. Hendler, N. Shavit and L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004.
pub struct Elimination<const W: usize, Relax = Spin>(PhantomData<Relax>);

/// `W` exchangers, and how long contexts stay there.
pub struct Array<T, const W: usize> {
    exchangers: [Padded<Exchanger<T>>; W],
    away: Away,
}

/// An index has 16 bits.
const MOST_EXCHANGERS: usize = u16::MAX as usize;

initial! { impl[T, const W: usize] Array<T, W> = {
    assert!(W >= 1 && W <= MOST_EXCHANGERS, "Elimination<W>: W is at least 1 and at most 65535");
    Array { exchangers: array_of!(initial!(Padded<Exchanger<T>>); W), away: initial!(Away) }
} }

/// What a slot keeps from one operation to the next.
pub struct Local {
    /// State of a xorshift generator; 0 until it is seeded.
    random: u32,
    turns: Turns,
}

initial! { impl[] Local = Local { random: 0, turns: initial!(Turns) } }

impl sealed::Local for Local {
    #[inline(always)]
    fn let_go(&mut self, nodes: usize) {
        self.turns.let_go(nodes);
    }

    #[inline(always)]
    fn found_others(&mut self) {
        self.turns.found_others();
    }
}

impl Local {
    /// A number below `bound`: by the upper half of the random one, whose lower bits are worse.
    fn pick(&mut self, bound: u16) -> u16 {
        let mut random = self.random;
        if random == 0 {
            random = context_hash() | 1;
        }
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        self.random = random;
        (((random >> 16) * u32::from(bound)) >> 16) as u16
    }
}

impl<const W: usize, Relax> Elimination<W, Relax> {
    /// The most steps of waiting that one call takes in all, whatever happens; [`Stack::pop`](crate::Stack::pop) besides, if all
    /// slots are claimed, as many as it takes until one is free.
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
    type Local = Local;
    const EXCHANGERS: usize = W;

    #[cold]
    fn lost<T>(array: &Array<T, W>, local: &mut Local, attempt: &mut Attempt, popped: usize) -> bool {
        local.turns.lost(&array.away, attempt, popped)
    }

    #[inline(never)]
    fn meet<T>(
        array: &Array<T, W>,
        local: &mut Local,
        attempt: &mut Attempt,
        home: usize,
        counters: &Counters,
        visit: &Visit<T>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        #[expect(clippy::cast_possible_truncation, reason = "W is below 65536")]
        let (width, home) = (W as u16, home as u16);
        let (mut index, mut reach) = (home, 1_u16);
        let mut steps = local.turns.left().min(Attempt::AT_A_TIME);
        let mut result = Err(Alone::Withdrew);
        loop {
            let patience = attempt.wait(steps.min(Self::PATIENCE));
            if patience == 0 {
                break;
            }
            let mut unused = patience;
            result = array.exchangers[usize::from(index)].visit::<Relax>(visit, &mut unused);
            attempt.waited -= unused;
            let mut took = patience - unused;
            if let Ok(node) = result {
                local.turns.pass(took, attempt);
                if node.is_some() {
                    local.turns.popped_elsewhere();
                }
                return result;
            }
            counters.withdrawals((result == Err(Alone::Withdrew)).into());
            if !FAST_PATHS {
                // There are few contexts, so one visit has to do.
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
            local.turns.pass(took, attempt);
            index = (home - home % reach + local.pick(reach)) % width;
        }
        // In vain: then that is over.
        local.turns.pass(local.turns.left(), attempt);
        result
    }

    #[inline(always)]
    fn exchanges_first(local: &Local) -> bool {
        // CHEAPER: to begin with the list comes to the same, and takes longer where many contend.
        local.turns.left() > 0 || W == limit(0, model::EXCHANGES_FIRST)
    }

    #[cold]
    fn wait(local: &mut Local, attempt: &mut Attempt) {
        wait_alone::<Relax>(&mut local.turns, attempt);
    }

    #[inline]
    fn relax() {
        relax::<Relax>();
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    extern crate std;

    use super::super::Exponential;
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

    /// One call that loses its race each time: the most steps that it waits at a time, and those in all.
    fn steps(mut lose: impl FnMut(&mut Attempt)) -> (u32, u32) {
        let (mut attempt, mut most) = (Attempt::default(), 0);
        STEPS.set(0);
        for _ in 0..100_000 {
            let before = STEPS.get();
            lose(&mut attempt);
            most = most.max(STEPS.get() - before);
        }
        (most, STEPS.get())
    }

    /// However often a call loses, whoever is in the array.
    #[test]
    fn a_call_waits_no_longer_than_it_says() {
        type Relaxed = Elimination<2, Counting>;
        type Longer = Exponential<Counting>;
        const ALL: (u32, u32) = (256, 2048);

        assert_eq!((Relaxed::MOST_STEPS, Longer::MOST_STEPS), (2048, 2048));
        let counters = &initial!(Counters);
        let array = initial!(Array<u32, 2>);
        let node = Node::allocate().unwrap();
        let mut local = initial!(Local);
        for crowded in [false, true] {
            if crowded {
                array.exchangers.iter().for_each(|exchanger| exchanger.hold_for_a_pop());
            }
            let pops = steps(|attempt| {
                if !Relaxed::lost(&array, &mut local, attempt, 0) {
                    assert!(Relaxed::meet(&array, &mut local, attempt, 0, counters, &Visit::pop()).is_err());
                }
            });
            // As nothing is ever popped, the time is the shortest; but then it is the whole of it, each time.
            assert!(pops.0 <= ALL.0 && pops.1 == ALL.1, "{pops:?}");
        }
        let array = initial!(Array<u32, 2>);
        let mut popped = 0;
        let pushes = steps(|attempt| {
            // Turns that are too short: the time gets longer.
            popped += 1;
            if !Relaxed::lost(&array, &mut local, attempt, popped) {
                // SAFETY: the node is ours; it has a value that needs no drop.
                let visit = unsafe { Visit::push(node) };
                assert!(Relaxed::meet(&array, &mut local, attempt, 1, counters, &visit).is_err());
            }
        });
        assert_eq!(pushes.1, ALL.1);
        let waits = steps(|attempt| {
            popped += 1;
            if !Relaxed::lost(&array, &mut local, attempt, popped) {
                Relaxed::wait(&mut local, attempt);
            }
        });
        assert_eq!(waits, ALL);
        // SAFETY: the node is ours.
        unsafe { Node::free(node) };

        let (away, mut turns) = (initial!(Away), initial!(Turns));
        let waits = steps(|attempt| {
            popped += 1;
            if !Longer::lost::<u32>(&away, &mut turns, attempt, popped) {
                Longer::wait(&mut turns, attempt);
            }
        });
        assert_eq!(waits.1, ALL.1);
    }
}
