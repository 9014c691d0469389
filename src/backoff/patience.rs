//! How long an operation waits that lost a race.

use super::Kind;
use super::sealed::Local;
use crate::layout::FAST_PATHS;
use crate::model::{self, limit};
use crate::sync::{array_of, initial};

/// How long to wait, in relaxes. It adapts to the races that the slot's operations lose: twice as long after a wait that was
/// too short, shorter by a sixth after one that was enough. So it grows as long as, after a wait, more than one race of five
/// is lost.
///
/// That alone may settle where two threads take turns after some ten pairs each: every wait is enough, and yet one follows the
/// other. So a wait is also as long as the work since the last one is worth: who got much done before it lost a race did so
/// because others waited. With little own work that makes each wait longer than the last one, up to the longest; with much
/// of it nothing, as then not so many operations fit into a wait. To find out, one wait of many is the longest on trial.
///
/// Measured with `cargo bench --bench backoff` (x86-64, 2 cores, medians of 15 rounds, two runs), the elimination back-off takes
/// of the plain list's time a pair: without own work 0.97 to 1.01 on one thread, 0.23 to 0.29 on 2 and 0.32 to 0.37 on 8; on
/// 2 threads 0.82 to 0.93 with 100 steps of own work, 1.04 to 1.16 with 500.
///
/// Shorter by other parts, with `Elimination` (`ci/scale`; operations per microsecond on 4 simulated cores, pairs without own
/// work and with 1000 cycles of it):
///
/// | part | none, one socket | none, clusters | 1000, one socket | 1000, clusters |
/// |---|--:|--:|--:|--:|
/// | sixteenth | 61.4 | 84.8 | 2.8 | 3.4 |
/// | eighth | 61.5 | 84.4 | 2.8 | 4.2 |
/// | sixth | 61.5 | 84.6 | 3.6 | 5.4 |
/// | quarter | 61.5 | 84.3 | 3.0 | 6.3 |
/// | half | 61.5 | 61.8 | 4.4 | 7.2 |
///
/// These, and the figures at the constants of `Elimination`, are from before work was worth a wait; since then those of what is
/// in use have changed by up to 5 percent for pairs on up to 128 cores.
///
/// With a quarter, 1 of 1000 operations on 2 threads that time each takes 0.9 microseconds (0.2 to 17), with a sixth
/// 0.25 (0.2 to 2): `ci/bench`, 15 samples.
pub struct Patience {
    relaxes: u16,
    /// None where code is short.
    work: [Work; FAST_PATHS as usize],
}

initial! { impl[] Patience = Patience { relaxes: 0, work: array_of!(initial!(Work); FAST_PATHS as usize) } }

impl Local for Patience {
    #[inline(always)]
    fn worked(&mut self, nodes: usize, mixed: bool) {
        self.work.iter_mut().for_each(|work| work.add(nodes, mixed));
    }
}

impl Patience {
    /// The shortest wait, with which it begins.
    const MIN: u16 = limit(4, model::RELAXES);

    /// How long to wait after one more lost race, of the same operation as the last one if `again` is set; at `most` so long.
    pub(crate) fn lost(&mut self, again: bool, most: u16) -> u16 {
        let last = self.relaxes;
        let worth = self.work.first().map_or(0, Work::worth);
        // Not again: the operation that waited last has won its race then.
        let next = if again { last.saturating_mul(2) } else { (last - last / 6).max(worth) };
        self.relaxes = next.clamp(Self::MIN, most);
        if self.work.iter_mut().any(Work::begins_trial) { most } else { self.relaxes }
    }

    /// Notes what kind of operation has lost a race. Whether the owner seems to do nothing else.
    pub(crate) fn is_one_way(&mut self, kind: Kind) -> bool {
        self.work.iter_mut().any(|work| work.is_one_way(kind))
    }

    /// How long it was last.
    pub(crate) fn last(&self) -> u16 {
        self.relaxes.max(Self::MIN)
    }
}

/// What an owner gets done between two waits, and what that is worth.
struct Work {
    /// Nodes popped since the last wait, in whole scans. After more than it holds, it may be any number.
    nodes: u16,
    /// Waits since the last trial.
    waits: u16,
    /// Races that pushes lost, since a pop lost one; or, negative, that pops did, since a push lost one.
    alike: i8,
}

initial! { impl[] Work = Work { nodes: 0, waits: 0, alike: 0 } }

impl Work {
    /// Nodes between two waits that are worth no wait: so many go by before a race is lost where there is much own work.
    ///
    /// Through `Handle` on 2 cores where a step takes 25 ns and a pair 12 (`ci/bench`, medians of 4 to 14 samples): nanoseconds
    /// for pairs on 2 threads, and with 150, 300 and 600 ns of own work; the microseconds that 1 of 1000 operations that time
    /// each exceeds, through `Stack`; a `std` mutex had 0.13. A trial is so many steps long, and one of so many waits.
    ///
    /// | free | worth | trials | pairs | 150 | 300 | 600 | 1 of 1000 |
    /// |--:|--:|--:|--:|--:|--:|--:|--:|
    /// | all | 0 | none | 13.1 to 15.3 | 178 | 312 | 619 | 1.9 |
    /// | 64 | 4 | 512 of 256 | 12.5 | 219 | 362 | 706 | 0.1 |
    /// | 256 | 4 | 2048 of 1024 | 12.6 | 183 | 336 | 652 | 2.0 |
    /// | 256 | 6 | 2048 of 1024 | 12.5 | 187 | 352 | 662 | 0.1 |
    /// | 384 | 8 | 4096 of 2048 | 12.3 | 187 | 326 | 645 | 0.1 |
    /// | 512 | 8 | 4096 of 1024 | 12.5 | 209 | 342 | 645 | 0.6 |
    /// | 512 | 8 | 4096 of 4096 | 12.5 | 180 | 325 | 639 | 1.0 |
    ///
    /// If waits become shorter by a third or half instead of a sixth, in the fourth line 334 or 323 with 300, but 2.7 or 1.3
    /// microseconds.
    const FREE: u16 = 384;
    /// How long a wait each further one is worth, in relaxes. So waits that work is worth add at most as many to each pop.
    const WORTH: u16 = 8;
    /// More lost races than this of one kind only, and the owner is taken for one that does nothing else.
    const ALIKE: u8 = 8;
    /// One of so many waits is as long as may be, on trial.
    const TRIAL: u16 = 2048;

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "as said at `nodes`")]
    fn add(&mut self, nodes: usize, mixed: bool) {
        self.nodes = self.nodes.wrapping_add(nodes as u16);
        if mixed {
            self.alike = 0;
        }
    }

    /// See [`Patience::is_one_way`].
    fn is_one_way(&mut self, kind: Kind) -> bool {
        self.alike = match kind {
            Kind::Push => self.alike.max(0).saturating_add(1),
            Kind::Pop => self.alike.min(0).saturating_sub(1),
        };
        self.alike.unsigned_abs() > Self::ALIKE
    }

    /// How long a wait it is worth.
    fn worth(&self) -> u16 {
        self.nodes.saturating_sub(Self::FREE).saturating_mul(Self::WORTH)
    }

    /// Begins a wait. Whether it is a trial.
    fn begins_trial(&mut self) -> bool {
        self.nodes = 0;
        self.waits = (self.waits + 1) % Self::TRIAL;
        self.waits == 0
    }
}

#[cfg(all(test, not(elimination_stack_loom)))]
mod tests {
    use super::{Kind, Local, Patience, Work};
    use crate::sync::initial;
    use alloc::vec::Vec;

    const MOST: u16 = 4096;

    /// Longer with each race that is lost again, shorter after one that was won.
    #[test]
    fn waits_follow_the_lost_races() {
        let mut patience = initial!(Patience);
        let mut waits = |again: bool| patience.lost(again, MOST);
        let longer: Vec<_> = [false, true, true, true].map(&mut waits).into();
        assert_eq!(longer, [4, 8, 16, 32]);
        assert_eq!([false, false].map(&mut waits), [27, 23]);
        assert_eq!((0..10).map(|_| waits(true)).last(), Some(MOST));
    }

    /// What goes beyond the free nodes is worth a wait, once.
    #[test]
    fn work_is_worth_a_wait() {
        let mut patience = initial!(Patience);
        patience.worked(Work::FREE.into(), true);
        assert_eq!(patience.lost(false, MOST), Patience::MIN);
        patience.worked(usize::from(Work::FREE) + 100, true);
        assert_eq!(patience.lost(false, MOST), 100 * Work::WORTH);
        assert!(patience.lost(false, MOST) < 100 * Work::WORTH);
    }

    /// One of many waits is the longest, and leaves the others as they are.
    #[test]
    fn one_of_many_waits_is_a_trial() {
        let mut patience = initial!(Patience);
        let waits: Vec<_> = (0..2 * Work::TRIAL).map(|_| patience.lost(false, MOST)).collect();
        let trials = waits.iter().enumerate().filter(|(_, wait)| **wait != Patience::MIN);
        let trial = usize::from(Work::TRIAL);
        assert!(trials.eq([(trial - 1, &MOST), (2 * trial - 1, &MOST)]));
    }

    /// Who loses races of one kind only, many in turn, is taken for one that does nothing else, until it uses its own nodes, or
    /// loses one of the other kind.
    #[test]
    fn who_does_one_thing_only_is_found_out() {
        for (kind, other) in [(Kind::Push, Kind::Pop), (Kind::Pop, Kind::Push)] {
            let mut patience = initial!(Patience);
            let many =
                |patience: &mut Patience| (0..=Work::ALIKE).map(|_| patience.is_one_way(kind)).collect::<Vec<_>>();
            let found_out = many(&mut patience);
            assert_eq!(found_out.iter().position(|found| *found), Some(Work::ALIKE.into()));
            assert!((0..300).all(|_| patience.is_one_way(kind)));
            patience.worked(1, false);
            assert!(patience.is_one_way(kind));
            patience.worked(1, true);
            assert_eq!(many(&mut patience), found_out);
            assert!(!patience.is_one_way(other));
            assert_eq!(many(&mut patience), found_out);
        }
    }
}
