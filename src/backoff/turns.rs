//! Turns at the list: who lost a race stays away from it for a while, and then insists.
//!
//! A context that works alone on the list has the head in its cache; to hand it over costs some transfers of its line. So the
//! contexts take turns that are long enough to pay for that, and no longer than that, for the others wait.
//!
//! | what | rule |
//! |---|---|
//! | observed | how many nodes a context has popped from the list in its turn: since it came back, until it lost a race |
//! | decided, by all together | [`Away`]: how long a context stays away. Longer after a turn that was too short, shorter after one that was long enough |
//! | who comes back insists | it tries again at once, for some attempts: so it takes the list over, and the other one goes away. Who gives up too early loses its turn to who has it already |
//! | races lost now and then | are not worth a turn: where there is other work in between, operations fit in between each other |
//!
//! Because the length is common to all, it follows the number of contexts that contend, and each of them has its share. What the
//! constants were chosen by is in `docs/tuning.md`.

use super::{Attempt, sealed::Local};
use crate::layout::{FAST_PATHS, Padded};
use crate::model::{self, limit};
use crate::sync::{AtomicIsize, Relaxed, initial};
use core::mem;

/// How long a context stays away from the list after its turn, in steps of waiting. Whoever ends a turn corrects it; that a
/// correction may be lost to another one does no harm, for it is a guess.
pub struct Away(Padded<AtomicIsize>);

initial! { impl[] Away = Away(Padded(AtomicIsize::new(Away::LEAST))) }

impl Away {
    /// The shortest time: it pays for a takeover on two cores. tuning.md, "Turns".
    const LEAST: isize = limit(20, model::AWAY);
    /// The longest: most of it goes by in eliminated operations, each of which waits for much less. tuning.md, "Many cores".
    const MOST: isize = limit(1 << 14, model::AWAY);

    /// Replaces it. Relaxed: only a guess, see above.
    fn correct(&self, correction: impl FnOnce(isize) -> isize) -> u16 {
        let steps = correction(self.0.load(Relaxed)).clamp(Self::LEAST, Self::MOST);
        self.0.store(steps, Relaxed);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in these bounds")]
        let steps = steps as u16;
        steps
    }
}

/// What a slot remembers of its owner's turns. Counts of nodes are modulo 2 to the 16th.
pub struct Turns {
    /// Steps that the context still stays away. None: it works on the list.
    left: u16,
    /// Nodes popped when it lost its last race, and when it came back.
    lost: u16,
    came: u16,
    /// Nodes popped that the slot does not count any more.
    let_go: u16,
    /// Operations since the last lost race that found others' in between.
    between: u16,
}

initial! { impl[] Turns = Turns { left: 0, lost: 0, came: 0, let_go: 0, between: 0 } }

impl Local for Turns {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "counts are modulo 2 to the 16th")]
    fn let_go(&mut self, nodes: usize) {
        self.let_go = self.let_go.wrapping_add(nodes as u16);
    }

    #[inline(always)]
    fn found_others(&mut self) {
        self.between = self.between.wrapping_add(1);
    }
}

impl Turns {
    /// Nodes popped in a turn that was long enough. tuning.md, "Turns".
    const ENOUGH: u16 = limit(112, model::TURN);
    /// So many nodes, or fewer, between two lost races, and the context contends with others; tuning.md, "Own work".
    const CLOSE: u16 = limit(1, model::CLOSE);
    /// So many, or more, and it had the list for itself: then the race that it has lost ends its turn.
    const ALONE: u16 = limit(32, model::TURN);
    /// Attempts of who comes back. tuning.md, "Turns".
    const INSISTS: u8 = limit(32, model::INSISTS);

    /// After one more lost race of this `attempt`: whether to try again at once. The slot counts so many nodes as `popped`.
    #[expect(clippy::cast_possible_truncation, reason = "counts are modulo 2 to the 16th")]
    pub(super) fn lost(&mut self, away: &Away, attempt: &mut Attempt, popped: usize) -> bool {
        let popped = (popped as u16).wrapping_add(self.let_go);
        let run = popped.wrapping_sub(mem::replace(&mut self.lost, popped));
        let between = mem::take(&mut self.between);
        let first = !mem::replace(&mut attempt.lost, true);
        if attempt.insists > 0 {
            attempt.insists -= 1;
            return true;
        }
        if self.left > 0 {
            return false;
        }
        // Where operations have no fast paths they do not look for others.
        let fits_in = FAST_PATHS && first && (1..=between.saturating_mul(2)).contains(&run);
        if fits_in || (run > Self::CLOSE && run < Self::ALONE) {
            return true;
        }
        let turn = popped.wrapping_sub(mem::replace(&mut self.came, popped));
        self.left = away.correct(|steps| {
            if turn == 0 {
                // Who does nothing but push, or got nothing done, tells nothing.
                steps
            } else if turn < Self::ENOUGH {
                steps + steps / 16 + 1
            } else {
                steps - steps / 4
            }
        });
        false
    }

    /// How long the context still stays away from the list.
    #[inline(always)]
    pub(super) fn left(&self) -> u16 {
        self.left
    }

    /// So many steps of that have passed. Who has waited to the end insists.
    pub(super) fn pass(&mut self, steps: u16, attempt: &mut Attempt) {
        self.left = self.left.saturating_sub(steps);
        if self.left == 0 {
            attempt.insists = Self::INSISTS;
        }
    }

    /// A pop has got its node elsewhere: that does not count for a turn.
    pub(super) fn popped_elsewhere(&mut self) {
        self.lost = self.lost.wrapping_add(1);
        self.came = self.came.wrapping_add(1);
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    use super::*;

    /// One operation that loses a race after so many pops: how many steps it stays away, or `None` if it tries again.
    fn loses(turns: &mut Turns, away: &Away, popped: usize) -> Option<u16> {
        let mut attempt = Attempt::default();
        let stays = (!turns.lost(away, &mut attempt, popped)).then(|| turns.left());
        turns.pass(turns.left(), &mut attempt);
        stays
    }

    /// Turns that are too short make everybody stay away for longer, those that are long enough for less long; the bounds hold.
    #[test]
    fn the_time_follows_the_length_of_turns() {
        let (away, mut turns) = (initial!(Away), initial!(Turns));
        let mut popped = 0;
        let mut after = |turn: u16| {
            popped += usize::from(turn);
            loses(&mut turns, &away, popped).map(|steps| isize::try_from(steps).unwrap())
        };
        assert_eq!([after(0), after(1), after(1)].map(Option::unwrap), [20, 22, 24]);
        assert_eq!((0..1000).filter_map(|_| after(Turns::ALONE)).last(), Some(Away::MOST));
        assert_eq!(after(Turns::ENOUGH), Some(Away::MOST - Away::MOST / 4));
        assert_eq!((0..1000).filter_map(|_| after(Turns::ENOUGH)).last(), Some(Away::LEAST));
        assert_eq!(after(0), Some(Away::LEAST), "who pops nothing tells nothing");
    }

    /// A race that is lost now and then is followed by the next attempt, and so is one where others' operations fit in between.
    #[test]
    fn races_lost_now_and_then_are_not_waited_for() {
        let (away, mut turns) = (initial!(Away), initial!(Turns));
        let few = usize::from(Turns::CLOSE) + 1;
        assert_eq!(loses(&mut turns, &away, few), None);
        assert!(loses(&mut turns, &away, few).is_some());
        turns.found_others();
        let mut attempt = Attempt::default();
        assert!(turns.lost(&away, &mut attempt, few + 1));
        assert!(!turns.lost(&away, &mut attempt, few + 1), "only the first one of an operation");
    }

    /// Who has stayed away to the end tries at once, so many times.
    #[test]
    fn who_comes_back_insists() {
        let (away, mut turns, mut attempt) = (initial!(Away), initial!(Turns), Attempt::default());
        assert!(!turns.lost(&away, &mut attempt, 0));
        turns.pass(1, &mut attempt);
        assert!(!turns.lost(&away, &mut attempt, 0), "not before the end");
        turns.pass(u16::MAX, &mut attempt);
        assert!((0..Turns::INSISTS).all(|_| turns.lost(&away, &mut attempt, 0)));
        assert!(!turns.lost(&away, &mut attempt, 0));
    }

    /// Scans, and pops from elsewhere, do not disturb the count.
    #[test]
    fn pops_from_the_list_are_counted() {
        let (away, mut turns) = (initial!(Away), initial!(Turns));
        loses(&mut turns, &away, 10);
        turns.let_go(10);
        turns.popped_elsewhere();
        assert!(loses(&mut turns, &away, 1).is_some(), "none in between");
        assert_eq!(loses(&mut turns, &away, 1 + usize::from(Turns::CLOSE) + 1), None);
    }
}
