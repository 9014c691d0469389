//! Turns at the list: who lost a race stays away from it for a while, and then insists.
//!
//! A context that works alone on the list has the head in its cache; to hand it over costs some transfers of its line. So
//! contexts that do nothing else take turns, which are long enough to pay for that, and no longer, since the others wait.
//! Contexts with other work between their operations need no turns: operations fit in between each other.
//!
//! * **Observed**, at each lost race: [`Turns::contention`], which rises with operations that lose twice; and the run, how many
//!   nodes the context has popped from the list since it lost its last race.
//! * **Goes away**: after a long run, since then it had the list for itself; after a run of one node at most only if there is
//!   contention; after one in between not.
//! * **For how long**: [`Away`], common to all: some steps for each of the others, which are as many as had a turn since this
//!   one's last; less after a turn that was long.
//! * **Comes back**: it insists, that is, tries again at once for some attempts, fewer if its time was not over. So it takes the
//!   list over, and the other one goes away.
//!
//! What the constants were chosen by is in `docs/tuning.md`.

use crate::layout::FAST_PATHS;
use crate::model::{self, limit};
use crate::sync::{AtomicIsize, Relaxed, context_hash, initial};
use core::mem;

/// What one operation has done about the races that it has lost.
#[derive(Debug, Default)]
pub struct Attempt {
    /// Steps that it has waited, in all.
    waited: u16,
    /// Attempts that it still makes without waiting, because it has just come back.
    insists: u8,
    /// Whether it has lost a race.
    lost: bool,
}

impl Attempt {
    /// The most steps that an operation waits before it looks at the list again.
    pub(super) const AT_A_TIME: u16 = limit(256, model::RELAXES);
    /// The most steps that it waits in all, whatever happens.
    pub(super) const IN_ALL: u16 = limit(2048, model::MOST_STEPS);

    /// Notes that it is about to wait `steps` more, or fewer if that would be too many in all. Returns how many.
    pub(super) fn wait(&mut self, steps: u16) -> u16 {
        let steps = steps.min(Self::IN_ALL - self.waited);
        self.waited += steps;
        steps
    }

    /// Notes that it has not waited so many of the steps that were noted.
    pub(super) fn did_not_wait(&mut self, steps: u16) {
        self.waited -= steps;
    }
}

/// How long a context stays away from the list after its turn, in steps of waiting, and how many turns there were. Whoever ends a
/// turn corrects both. All accesses are Relaxed, and a correction may be lost to another one: these are guesses.
pub struct Away {
    /// Those beyond [`Away::EACH`], so that a static is in `.bss`.
    more: AtomicIsize,
    turns: AtomicIsize,
}

initial! { impl[] Away { more, turns } }

impl Away {
    /// Steps for each of the others, and the shortest time: it pays for a takeover on two cores. tuning.md, "Turns".
    const EACH: i32 = limit(18, model::AWAY);
    /// With so many others the time for each is twice as long, since much of it goes by in eliminated operations. tuning.md,
    /// "Turns".
    const MANY: i32 = 4;
    /// The longest time, for 256 contexts. tuning.md, "Many cores".
    const MOST: i32 = limit(1 << 14, model::AWAY);
    /// Nodes popped in a turn that was longer than need be. tuning.md, "Turns".
    const LONG: u16 = limit(80, model::TURN);

    /// Ends a turn of a context that has `popped` so many nodes in it, and has ended its last one as the turn number `last`.
    /// Returns how many steps it stays away.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "turns are modulo 2 to the 16th; steps in bounds"
    )]
    fn end_turn(&self, popped: u16, last: &mut u16) -> u16 {
        let turn = self.turns.load(Relaxed).wrapping_add(1);
        self.turns.store(turn, Relaxed);
        let others = (turn as u16).wrapping_sub(mem::replace(last, turn as u16)).wrapping_sub(1);
        // More than 63 have the longest time in any case.
        let others = i32::from(others.min(63));
        let wanted = Self::EACH * others * (Self::MANY + others) / Self::MANY;
        let now = Self::EACH + self.more.load(Relaxed) as i32;
        let now = if popped >= Self::LONG {
            now - now / 4
        } else if now < wanted {
            now + now / 16 + 1
        } else {
            now - (now - wanted) / 8
        };
        let now = now.clamp(Self::EACH, Self::MOST);
        self.more.store((now - Self::EACH) as isize, Relaxed);
        now as u16
    }
}

/// What a slot remembers of its owner's turns. Counts of nodes and of turns are modulo 2 to the 16th.
pub struct Turns {
    /// Steps that the context still stays away. With 0 it works on the list.
    left: u16,
    /// How many nodes it had popped when it lost its last race.
    lost: u16,
    /// How many it had popped when its last turn ended.
    came: u16,
    /// How many it has popped; 0 where code is short.
    popped: u16,
    /// The number under which its last turn ended.
    last: u16,
    /// State of a xorshift generator; 0 until it is seeded.
    random: u16,
    /// How much speaks for taking turns; see [`Turns::AGAIN`].
    contention: u8,
}

initial! { impl[] Turns = Turns {
    left: 0,
    popped: 0,
    lost: 0,
    came: 0,
    last: 0,
    random: 0,
    contention: limit(0, model::CONTENTION),
} }

impl Turns {
    /// With so much contention whoever has had a short run goes away, too. tuning.md, "Own work".
    const CONTENDED: u8 = limit(16, model::CONTENTION);
    /// The most contention.
    const MOST: u8 = limit(32, model::CONTENTION);
    /// What an operation that loses again adds. One that loses once adds 1 after a long run, and takes 1 away after one in
    /// between.
    const AGAIN: u8 = 4;
    /// A run of so many nodes, or fewer, does not show that there is no contention.
    const CLOSE: u16 = limit(1, model::CLOSE);
    /// After a run of so many nodes a context had the list for itself. tuning.md, "Own work".
    const ALONE: u16 = limit(12, model::TURN);
    /// How often whoever comes back after its time tries again at once. tuning.md, "Turns".
    const INSISTS: u8 = limit(16, model::INSISTS);

    /// Notes that the owner has popped a node, wherever it came from.
    #[inline(always)]
    pub(super) fn popped(&mut self) {
        if FAST_PATHS {
            self.popped = self.popped.wrapping_add(1);
        }
    }

    /// Called after each lost race of this `attempt`. Whether to try again at once.
    #[expect(clippy::cast_possible_truncation, reason = "a constant")]
    pub(super) fn lost(&mut self, away: &Away, attempt: &mut Attempt) -> bool {
        let run = self.popped.wrapping_sub(mem::replace(&mut self.lost, self.popped));
        let again = mem::replace(&mut attempt.lost, true);
        if attempt.insists > 0 {
            attempt.insists -= 1;
            return true;
        }
        if self.left > 0 {
            return false;
        }
        if !FAST_PATHS {
            // Where code is short there are few contexts, and little memory to observe them with.
            if again {
                self.left = Away::EACH as u16;
            }
            return !again;
        }
        if again {
            self.contention = (self.contention + Self::AGAIN).min(Self::MOST);
        } else if run >= Self::ALONE {
            self.contention = (self.contention + 1).min(Self::MOST);
        } else if run > Self::CLOSE {
            self.contention = self.contention.saturating_sub(1);
        }
        if run < Self::ALONE && (run > Self::CLOSE || self.contention < Self::CONTENDED) {
            return true;
        }
        let turn = self.popped.wrapping_sub(mem::replace(&mut self.came, self.popped));
        self.left = away.end_turn(turn, &mut self.last);
        false
    }

    #[inline(always)]
    pub(super) fn left(&self) -> u16 {
        self.left
    }

    /// Notes that so many steps of this time have passed.
    pub(super) fn pass(&mut self, steps: u16) {
        self.left = self.left.saturating_sub(steps);
    }

    /// Goes back to the list. Whoever has waited to the end insists; whoever comes back before it insists the less the more was
    /// left, or the list is overrun: so many are away then. tuning.md, "Many cores".
    #[expect(clippy::cast_possible_truncation, reason = "no more than INSISTS")]
    pub(super) fn come_back(&mut self, attempt: &mut Attempt) {
        let left = mem::take(&mut self.left);
        attempt.insists = if FAST_PATHS {
            let at_a_time = u32::from(Attempt::AT_A_TIME);
            (u32::from(Self::INSISTS) * at_a_time / (at_a_time + u32::from(left))) as u8
        } else {
            Self::INSISTS
        };
    }

    /// Notes that a pop has got its node elsewhere, which does not count for a turn.
    pub(super) fn popped_elsewhere(&mut self) {
        self.lost = self.lost.wrapping_add(1);
        self.came = self.came.wrapping_add(1);
    }

    /// A random number below `bound`.
    pub(super) fn pick(&mut self, bound: u16) -> u16 {
        let mut random = self.random;
        if random == 0 {
            random = (context_hash() >> 16) as u16 | 1;
        }
        random ^= random << 7;
        random ^= random >> 9;
        random ^= random << 8;
        self.random = random;
        ((u32::from(random) * u32::from(bound)) >> 16) as u16
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
impl Away {
    /// The longest time.
    pub(super) fn crowd(&self) {
        self.more.store((Self::MOST - Self::EACH) as isize, Relaxed);
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    use super::*;

    /// So many pops, and then one operation that loses a race, `times` over: how many steps it stays away, or `None` if it tries
    /// again.
    fn loses(turns: &mut Turns, away: &Away, pops: u16, times: usize) -> Option<u16> {
        let mut attempt = Attempt::default();
        (0..pops).for_each(|_| turns.popped());
        let stays = (0..times).any(|_| !turns.lost(away, &mut attempt)).then(|| turns.left());
        turns.come_back(&mut attempt);
        stays
    }

    /// It is longer where more others had a turn since one's last, shorter after a long turn, and within its bounds.
    #[test]
    fn the_time_follows_the_number_of_others() {
        let (away, mut last) = (initial!(Away), 0);
        let mut after = |others: isize, popped| {
            away.turns.fetch_add(others, Relaxed);
            i32::from(away.end_turn(popped, &mut last))
        };
        assert_eq!((0..100).map(|_| after(1, 0)).last(), Some(Away::EACH * 5 / 4), "one other");
        let some = (0..100).map(|_| after(4, 0)).last().unwrap();
        assert!((0..8).contains(&(some - 8 * Away::EACH)), "four, each of which counts twice: {some}");
        assert_eq!(after(4, Away::LONG), some - some / 4);
        assert_eq!((0..1000).map(|_| after(60_000, 0)).last(), Some(Away::MOST));
        assert_eq!((0..1000).map(|_| after(0, 0)).last(), Some(Away::EACH), "nobody else");
    }

    /// Who had the list for itself goes away. Who has lost a race now and then does not, and who loses twice does in the end.
    #[test]
    fn only_those_who_contend_take_turns() {
        let (away, mut turns) = (initial!(Away), initial!(Turns));
        let after = |turns: &mut Turns, run, times| loses(turns, &away, run, times);
        let [short, long] = [Turns::CLOSE + 1, Turns::ALONE];
        assert!(after(&mut turns, long, 1).is_some());
        assert!((0..100).all(|_| after(&mut turns, short, 1).is_none()));
        assert_eq!((0..100).position(|_| after(&mut turns, 0, 2).is_some()), Some(3), "the fourth that loses twice");
        assert!(after(&mut turns, 0, 1).is_some());
        assert!((0..100).all(|_| after(&mut turns, short, 1).is_none()), "contention falls");
        assert!(after(&mut turns, 0, 1).is_none());
    }

    /// Who has stayed away to the end tries at once, so many times.
    #[test]
    fn who_comes_back_insists() {
        let (away, mut turns, mut attempt) = (initial!(Away), initial!(Turns), Attempt::default());
        (0..Turns::ALONE).for_each(|_| turns.popped());
        assert!(!turns.lost(&away, &mut attempt));
        turns.pass(1);
        assert!(!turns.lost(&away, &mut attempt), "not before the end");
        turns.pass(u16::MAX);
        turns.come_back(&mut attempt);
        assert!((0..Turns::INSISTS).all(|_| turns.lost(&away, &mut attempt)));
    }

    /// Whoever comes back before its time is over insists less, and where the time was longest not at all.
    #[test]
    fn who_comes_back_early_insists_less() {
        let insists_with = |left| {
            let (mut turns, mut attempt) = (initial!(Turns), Attempt::default());
            turns.left = left;
            turns.come_back(&mut attempt);
            assert_eq!(turns.left(), 0);
            attempt.insists
        };
        let left = [0, Attempt::AT_A_TIME, 3 * Attempt::AT_A_TIME, u16::try_from(Away::MOST).unwrap()];
        assert_eq!(left.map(insists_with), [Turns::INSISTS, Turns::INSISTS / 2, Turns::INSISTS / 4, 0]);
    }

    /// Pops from elsewhere do not count.
    #[test]
    fn pops_from_the_list_are_counted() {
        let (away, mut turns) = (initial!(Away), initial!(Turns));
        turns.popped_elsewhere();
        assert_eq!(loses(&mut turns, &away, Turns::ALONE, 1), None, "one less");
        assert!(loses(&mut turns, &away, Turns::ALONE, 1).is_some());
    }
}
