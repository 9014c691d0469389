//! Whether a handle's operation that lost a race backs off at all.

use crate::model::{self, limit};
use core::mem;

/// Whether those who use the list at the same time had better do so in turn, so that who loses a race waits; or at once, so that
/// it goes on.
///
/// With little own work between their operations they only take the head's cache line from each other, and one at a time gets
/// more done. With more they fit in between one another, and each wait keeps a processor from its own work. They can be told
/// apart by what an owner meets while nobody waits:
///
/// * Operations that fit in take turns, so others come *between* nearly all of the owner's, and one race of three or more of
///   these is lost.
/// * If not, the line stays with one processor for some operations. Then there is a *clear* stretch before others come between.
/// * Where many contend, one operation loses a race, and *again* one.
///
/// So that something is met at all, only one of some lost races is followed by a wait.
///
/// # Guesses
///
/// While all work at once, an operation begins with the exchange: it takes what its owner has left at the head for the top,
/// and does not look. If that is wrong, the exchange still brings the line for writing, together with the right top, and the
/// next one most often succeeds; between a look and an exchange others take the line. With 51 ns of own work (see below) that
/// takes 84 ns a pair, and 100 with a look first. But then even many that contend lose few races, and cannot tell. So after a while
/// without one, some operations look first again. Only a pop of what its owner has pushed last never looks; enough races are lost by
/// pushes.
///
/// # Measured
///
/// Nanoseconds a pair, through handles on 2 threads and 2 cores, by the own work after each operation (x86-64, one step of waiting
/// 25 ns). A line's way to the other core takes 175, medians of 13 to 15 samples of 0.2 s, each with 3 in turn; or 22, one sample:
///
/// | own work | 175: all wait | nobody waits | this | 22: all wait | nobody waits | this |
/// |--:|--:|--:|--:|--:|--:|--:|
/// | 0 | 11.7 | 56 | 11.7 | | | |
/// | 20 | 43.5 | 94 | 43.2 | 42.8 | 75 | 42.8 |
/// | 40 | 83 | 153 | 83 | 83 | 103 | 83 |
/// | 51 | 105 | 196 | 107 | 105 | 108 | 103 |
/// | 60 | 123 | 181 | 125 | 120 | 110 | 99 |
/// | 80 | 165 | 201 | 166 | 161 | 116 | 117 |
/// | 160 | 354 | 354 | 321 | | | |
/// | 300 | 514 | 465 | 481 | | | |
/// | 600 | 743 | 747 | 779 | | | |
///
/// In `ci/bench` two threads with 50 ns of it come to work at once where a line takes 22, and take about 90. A pair without own
/// work takes at most 0.2 ns more than without a balance.
pub(crate) struct Balance {
    /// The more, the more they are in each other's way: from `IN_TURN` on they wait.
    weight: u8,
    /// Lost races.
    lost: u8,
    /// Pairs of operations with others in between, since the last lost race or the last looks.
    calm: u8,
    /// The count of nodes popped when others last came between, and how many of these the owner has let go since.
    popped: usize,
    let_go: usize,
}

impl Balance {
    pub(crate) const NEW: Self = Self {
        weight: limit(Self::IN_TURN, model::AT_ONCE),
        // So the first one is waited for.
        lost: Self::TURN - 1,
        calm: 0,
        popped: 0,
        let_go: 0,
    };

    const MOST: u8 = 100;
    const IN_TURN: u8 = 50;
    /// Less, for others in between, and at the pair of operations before, too. With 5, owners with 51 ns of own work work in turn,
    /// and where a line takes long, with 9 those with 60 at once.
    const BETWEEN: u8 = 7;
    /// More, for each pair of operations of a clear stretch; for so many at most.
    const CLEAR: u8 = 2;
    const CLEARS: usize = 20;
    /// After more pairs than this, others have not been there.
    const AWAY: usize = 64;
    /// More, for a lost race, and for one that is lost again.
    const LOST: u8 = limit(1, model::LOST);
    const AGAIN: u8 = 3;
    /// One of so many lost races is followed by a wait; and if there is no doubt, it is only in one of so many such turns that
    /// the others are not.
    const TURN: u8 = limit(4, model::TURN);
    const TURNS: u8 = 4;
    /// So many pairs without a lost race, and for so many more the owner looks first.
    const CALM: u8 = 48;
    const LOOKS: u8 = 32;

    /// Others have come between the owner's last operation and this one. It has retired so many nodes.
    pub(crate) fn interleaved(&mut self, retired: usize) {
        let popped = self.let_go.wrapping_add(retired);
        match popped.wrapping_sub(mem::replace(&mut self.popped, popped)) {
            1 => {
                self.calm = (self.calm + 1) % (Self::CALM + Self::LOOKS);
                self.change(|weight| weight.saturating_sub(Self::BETWEEN));
            }
            pairs @ 2..=Self::AWAY => {
                #[expect(clippy::cast_possible_truncation, reason = "at most `CLEARS`")]
                let clear = (pairs - 1).min(Self::CLEARS) as u8;
                self.change(|weight| weight + Self::CLEAR * clear);
            }
            _ => {}
        }
    }

    /// The owner had retired so many nodes `before` it may have scanned, and so many `after`: mostly fewer, but one more if all are
    /// protected, and others have given it one.
    pub(crate) fn scanned(&mut self, before: usize, after: usize) {
        self.let_go = self.let_go.wrapping_add(before.wrapping_sub(after));
    }

    /// A race is lost; if `again`, by the same operation as the last one. Whether to go on.
    pub(crate) fn goes_on(&mut self, again: bool) -> bool {
        if self.calm < Self::CALM {
            self.calm = 0;
        }
        self.change(|weight| weight + if again { Self::AGAIN } else { Self::LOST });
        self.lost = (self.lost + 1) % (Self::TURN * Self::TURNS);
        let turns = if self.weight == Self::MOST { Self::TURNS } else { 1 };
        self.at_once() || (self.lost / Self::TURN % turns == 0 && self.lost % Self::TURN != 0)
    }

    /// Whether all work at once.
    pub(crate) fn at_once(&self) -> bool {
        self.weight < Self::IN_TURN
    }

    /// Whether an operation begins with the exchange.
    pub(crate) fn guesses(&self) -> bool {
        self.at_once() && self.calm < Self::CALM
    }

    fn change(&mut self, change: impl FnOnce(u8) -> u8) {
        self.weight = change(self.weight).min(Self::MOST);
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    use super::Balance;

    /// One pair after the other, each with others in between.
    fn interleave(balance: &mut Balance, pairs: u8) {
        for _ in 0..pairs {
            balance.interleaved(balance.popped.wrapping_sub(balance.let_go) + 1);
        }
    }

    fn at_once() -> Balance {
        let mut balance = Balance::NEW;
        interleave(&mut balance, Balance::MOST);
        balance
    }

    /// Others between all operations and a lost race to three of them: nobody waits, and the operations begin with the exchange.
    #[test]
    fn who_fits_in_goes_on_at_once() {
        let mut balance = Balance::NEW;
        assert!(!balance.at_once() && !balance.guesses());
        assert!(!balance.goes_on(false), "a new handle waits");
        for round in 0..100 {
            interleave(&mut balance, 3);
            let goes_on = balance.goes_on(false);
            assert!(round < 10 || (goes_on && balance.at_once() && balance.guesses()));
        }
    }

    /// Clear stretches, or races lost again and again: one of some lost races is waited for.
    #[test]
    fn who_is_in_the_way_waits() {
        for again in [false, true] {
            let mut balance = at_once();
            let mut retired = balance.popped;
            let rounds = (0..1000_u32).map(|_| {
                retired += if again { 1 } else { 5 };
                balance.interleaved(retired);
                let losses = if again { 6 } else { 1 };
                (0..losses).map(|loss| balance.goes_on(loss > 0)).filter(|goes_on| !goes_on).count()
            });
            let waits: usize = rounds.skip(100).sum();
            let lost = 900 * if again { 6 } else { 1 };
            assert!(!balance.at_once() && !balance.guesses());
            assert!((lost / 4..lost).contains(&waits), "{waits} of {lost}");
        }
    }

    /// If there is no doubt, fewer lost races go without a wait.
    #[test]
    fn without_doubt_most_lost_races_are_waited_for() {
        let mut balance = Balance { weight: Balance::MOST, ..Balance::NEW };
        let all = Balance::TURN * Balance::TURNS;
        let waits = (0..all).filter(|_| !balance.goes_on(false)).count();
        assert_eq!(waits, usize::from(all - (Balance::TURN - 1)));
    }

    /// Without lost races some operations look first again; a lost race puts that off.
    #[test]
    fn calm_is_looked_into() {
        let mut balance = at_once();
        balance.calm = 0;
        interleave(&mut balance, Balance::CALM - 1);
        assert!(balance.guesses());
        balance.goes_on(false);
        interleave(&mut balance, Balance::CALM - 1);
        assert!(balance.guesses());
        interleave(&mut balance, 1);
        assert!(!balance.guesses() && balance.at_once());
        balance.goes_on(false);
        interleave(&mut balance, Balance::LOOKS - 1);
        assert!(!balance.guesses());
        interleave(&mut balance, 1);
        assert!(balance.guesses());
    }

    /// A stretch without others that is too long to tell anything, or of no pair, changes nothing.
    #[test]
    fn others_that_were_away_do_not_count() {
        let mut balance = Balance::NEW;
        let weight = balance.weight;
        balance.interleaved(Balance::AWAY + 1);
        balance.interleaved(Balance::AWAY + 1);
        assert_eq!(balance.weight, weight);
        balance.interleaved(2 * Balance::AWAY + 1);
        assert_eq!(usize::from(balance.weight - weight), usize::from(Balance::CLEAR) * Balance::CLEARS);
    }

    /// Nodes that are let go do not disturb the count, nor does one that others have given.
    #[test]
    fn pairs_are_counted_beyond_a_scan() {
        for (before, after) in [(20, 0), (20, 5), (20, 21)] {
            let mut balance = Balance::NEW;
            balance.interleaved(before);
            let weight = balance.weight;
            balance.scanned(before, after);
            balance.interleaved(after + 1);
            assert_eq!(balance.weight, weight - Balance::BETWEEN);
        }
    }
}
