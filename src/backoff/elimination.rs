//! The elimination array: which exchanger, and how long to wait there.

use super::exchanger::{Alone, Exchanger, Visit};
use super::patience::Patience;
use super::{Waited, relax_for, sealed};
use crate::layout::{FAST_PATHS, Padded};
use crate::model::{self, limit};
use crate::stats::Counters;
use crate::sync::{array_of, context_hash, initial, relax};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use core::mem;
use spin::{RelaxStrategy, Spin};

/// The elimination back-off: a push and a pop that both lost a race meet in one of `W` exchangers and cancel out,
/// without touching the list.
///
/// Who lost a race (but see [`Handle`](crate::Handle)) picks an exchanger at random within its range, takes the partner that waits
/// there, or waits itself; that wait is the back-off in time. Whoever finds one of its own kind there, pauses and picks again, up
/// to 128 times. In the end it always goes back to the list. Who was eliminated begins its next operation here, too, so those
/// that meet here leave the list to those that are faster there.
///
/// The range doubles on a collision and halves after waiting in vain; the wait adapts to the races lost and to the pops
/// between them, and the pause to how many others are met in the array. All of it stays in the slot from one operation to
/// the next. A wait is at most 4096 steps long, and 128 of who only pushes or only pops; a pause at most 384. One call waits
/// [`MOST_STEPS`](Elimination::MOST_STEPS) in all at most, however often it loses; then it only tries the list again.
///
/// `W` is at least 1 and at most 65535, or a stack with it does not compile. Each exchanger is one word, on a cache line of its own where there are caches.
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning; an embedder may put
/// `WFE` there, or a scheduler's yield. A panic in it aborts: it runs while the operation's offer stands.
///
/// From D. Hendler, N. Shavit and L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004.
pub struct Elimination<const W: usize, Relax = Spin>(PhantomData<Relax>);

/// `W` exchangers.
pub struct Array<T, const W: usize>([Padded<Exchanger<T>>; W]);

/// An index has 16 bits.
const MOST_EXCHANGERS: usize = u16::MAX as usize;

initial! { impl[T, const W: usize] Array<T, W> = {
    assert!(W >= 1 && W <= MOST_EXCHANGERS, "Elimination<W>: W is at least 1 and at most 65535");
    Array(array_of!(initial!(Padded<Exchanger<T>>); W))
} }

/// What a slot keeps from one operation to the next.
pub struct Local {
    /// State of a xorshift generator; 0 until it is seeded.
    random: u32,
    patience: Patience,
    /// Exchangers considered now, less one.
    range: u16,
    /// None where code is short.
    crowd: [Crowd; FAST_PATHS as usize],
    /// The last operation was eliminated, so the next one begins with its exchange. Not noted where code is short.
    eliminated: [bool; FAST_PATHS as usize],
}

initial! { impl[] Local = Local {
    random: 0,
    patience: initial!(Patience),
    range: 0,
    crowd: array_of!(initial!(Crowd); FAST_PATHS as usize),
    eliminated: array_of!(false; FAST_PATHS as usize),
} }

impl sealed::Local for Local {
    #[inline(always)]
    fn worked(&mut self, nodes: usize, mixed: bool) {
        self.patience.worked(nodes, mixed);
    }
}

impl Local {
    /// An index below `range + 1`.
    fn pick(&mut self) -> usize {
        let mut random = self.random;
        if random == 0 {
            random = context_hash() | 1;
        }
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        self.random = random;
        part(random, self.range + 1).into()
    }

    /// How long a context waits before it visits the next exchanger, in the mean.
    fn mean_pause(&self) -> u16 {
        /// That, if nobody else is known to come. Simulated pairs, 8 and 64 cores of one socket, operations per
        /// microsecond: 62 and 66 without own work, 8 and 13 with 1000 cycles of it. 1 gives 63 and 67, 8 and 15, but only
        /// 75 instead of 88 on 256 cores in clusters; 3 gives 62 and 69, but 7 and 13, and on 128 in clusters 86 instead of 87.
        const ALONE: u16 = limit(2, model::RELAXES);
        ALONE * self.crowd.first().map_or(1, |crowd| crowd.with_self())
    }

    /// As [`Crowd::missed`], if that is noted.
    fn missed(&mut self) {
        self.crowd.iter_mut().for_each(Crowd::missed);
    }

    /// How long to wait before the next visit to an exchanger: from half of the mean to one and a half.
    fn pause(&self) -> u16 {
        let mean = self.mean_pause();
        mean / 2 + part(self.random, mean)
    }
}

/// How crowded the array is: doubles with each visit to an exchanger that somebody of the same kind holds, and halves
/// with each other one. So it settles where there are as many of these as of those.
///
/// Whoever comes again waits in proportion to it; so, together, they come about as often as somebody can be served.
#[derive(Clone, Copy)]
struct Crowd(u8);

initial! { impl[] Crowd = Crowd(0) }

impl Crowd {
    /// The most that is distinguished. On the simulated machine (pairs, 8, 64 and 256 cores, operations per microsecond)
    /// 127 gives 62, 66 and 62 on one socket and 85, 85 and 88 in clusters; 63 gives 74 on 256 cores in clusters, and 255 gives
    /// 82 instead of 87 on 128.
    const MOST: u8 = limit(127, model::CROWD);

    /// Somebody else was there.
    fn met(&mut self) {
        self.0 = (2 * self.0 + 1) & Self::MOST;
    }

    /// Nobody was in the way.
    fn missed(&mut self) {
        self.0 /= 2;
    }

    /// The crowd, and who asks.
    fn with_self(self) -> u16 {
        1 + u16::from(self.0)
    }
}

/// A number below `bound`, by the upper half of a random one.
fn part(random: u32, bound: u16) -> u16 {
    (((random >> 16) * u32::from(bound)) >> 16) as u16
}

impl<const W: usize, Relax> Elimination<W, Relax> {
    /// The most steps of waiting that one call takes in all, whatever happens; [`Stack::pop`](crate::Stack::pop) besides, if all
    /// slots are claimed, as many as it takes until one is free.
    pub const MOST_STEPS: u16 = limit(8192, model::MOST_STEPS);
}

impl<const W: usize, Relax: RelaxStrategy> Elimination<W, Relax> {
    /// The longest wait. Longer ones let the thread that works on the list alone for longer; so fewer races are lost, and fewer
    /// operations wait. Those that do wait for longer.
    ///
    /// Through `Handle` on 2 cores where a step takes 46 ns (`ci/bench`, medians of 15 samples): nanoseconds for pairs on 2
    /// threads, with 50 ns of own work, and for a value from one thread to another; the microseconds that 1 of 1000 operations
    /// exceeds, and 1 of 10000. A `std` mutex had 1.0 and 39 there.
    ///
    /// | longest | pairs | own work | one way | 1 of 1000 | 1 of 10000 |
    /// |--:|--:|--:|--:|--:|--:|
    /// | 64 | 43.2 | 134 | 92 | 4.3 | 8 |
    /// | 512 | 28.5 | 110 | 97 | 23 | 66 |
    /// | 1024 | 28.1 | 107 | 94 | 28 | 81 |
    /// | 2048 | 27.6 | 106 | 93 | 26 | 139 |
    /// | 4096 | 27.9 | 105 | 104 | 0.3 | 181 |
    /// | 8192 | 26.5 | 105 | 87 | 0.2 | 237 |
    ///
    /// With 8192, 8 threads on 2 cores take 31 instead of 29 for pairs, and the slowest has 0.6 instead of 0.7 of its fair share.
    /// On another machine, where a step takes 25 ns and waits became shorter by an eighth, 64, 512 and 1024 gave 9.2, 8.0 and 8.3
    /// for pairs, but 27, 37 and 45 for one way. Simulated pairs on 4 cores in clusters fall from 85 operations per microsecond
    /// to 79 with 512, and to 64 with 128.
    const MOST: u16 = limit(4096, model::RELAXES);

    /// The longest wait of who only pushes or only pops; twice as long if it loses the same race again. While it waits, the list
    /// grows or gets empty; with a long wait there are more nodes than the engine keeps, which go to the allocator and come from
    /// it, and are in nobody's cache.
    ///
    /// A value from one thread to another (`ci/bench` on 2 cores where a step takes 25 ns, a line's way to the other core 24 or
    /// 175; medians of 9 to 30 samples, nanoseconds; a wait not longer again):
    ///
    /// | longest | `Handle`, near | `Stack`, near | `Handle`, far | `Stack`, far |
    /// |--:|--:|--:|--:|--:|
    /// | 16 | 36 | 39 | | |
    /// | 64 | 35 | 38 to 41 | 53 | 62 |
    /// | 128 | 43 | 45 | | |
    /// | 256 | 42 | 60 | | |
    /// | 512 | 49 | 61 | | |
    /// | 4096 | 59 to 65 | 64 to 66 | 62 to 65 | 67 to 69 |
    ///
    /// With longer waits again, 128, 256, 512 and 4096, it is 35, 38, 39 and 45 to 68 through `Handle`. Pushes and pops as 9 to 1,
    /// or 1 to 9, do not change.
    const ONE_WAY: u16 = limit(64, model::RELAXES);

    /// Visits before an operation goes back to the list. With 64, those that come back from the array let simulated pairs on
    /// 256 cores in clusters fall from 88 to 74 operations per microsecond. More change nothing. One where there are few cores.
    const VISITS: usize = limit(if FAST_PATHS { 128 } else { 1 }, model::VISITS);

    /// Of an operation's visits so many tell it how crowded the array is: all, and two threads that do not run, but whose
    /// offers stand in the array, are taken for a crowd. Simulated pairs with 1000 cycles of own work on 8, 16 and 64 cores of
    /// one socket, operations per microsecond: with 3 of them 8, 10 and 13, with all 6, 9 and 12. With 2 it is 8, 12 and 15, but
    /// without own work the throughput falls by 8 percent from 8 to 128 cores in clusters; with 1 by 38 up to 256.
    const NOTICED: usize = 3;

    /// How long an offer after an elimination stands at least, in pauses of those that may answer it. Simulated pairs on 8
    /// cores, and the least and the most on 16 to 256, operations per microsecond, medians of 5 seeds: on one socket 61, 63 and 67,
    /// in clusters 84, 86 and 89. With 1 it is 62, 65 and 70, and 84, 81 and 90: in clusters it falls from 8 to 128 cores. With 3,
    /// 62, 65 and 69, and 86, 86 and 88.
    const STANDS: u16 = limit(4, model::RELAXES);

    /// Visits exchangers. `Ok` if there was a partner, with its node if it was a push.
    #[inline(never)]
    fn visit<T>(
        array: &Array<T, W>,
        local: &mut Local,
        waited: &mut Waited,
        counters: &Counters,
        visit: &Visit<T>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        let eliminated = mem::replace(&mut local.eliminated, array_of!(false; FAST_PATHS as usize));
        let patience = if eliminated.contains(&true) {
            // It has lost no race yet.
            local.patience.last().max(Self::STANDS * local.mean_pause())
        } else {
            let one_way = local.patience.is_one_way(visit.kind());
            let again = waited.any();
            local.patience.lost(again, if one_way { Self::ONE_WAY << u8::from(again) } else { Self::MOST })
        };
        // Taken from what is left before it is known whether there is something to wait for.
        let patience = waited.more(patience, Self::MOST_STEPS);
        if patience == 0 {
            return Err(Alone::Withdrew);
        }
        let mut visits = 1;
        loop {
            let index = local.pick() % W;
            let result = array.0[index].visit::<Relax>(visit, patience);
            match result {
                Ok(_) => {
                    local.missed();
                    local.eliminated.fill(true);
                }
                Err(Alone::Withdrew) => {
                    local.missed();
                    local.range /= 2;
                    counters.withdrawals(1);
                }
                Err(Alone::Collided) => {
                    if visits <= Self::NOTICED {
                        local.crowd.iter_mut().for_each(Crowd::met);
                    }
                    #[expect(clippy::cast_possible_truncation, reason = "W is below 65536")]
                    let most = (W - 1) as u16;
                    local.range = local.range.saturating_mul(2).saturating_add(1).min(most);
                    if visits < Self::VISITS {
                        visits += 1;
                        relax_for::<Relax>(waited.more(local.pause(), Self::MOST_STEPS));
                        continue;
                    }
                    // There was nothing to wait for, but there is a race to stay out of.
                    relax_for::<Relax>(patience);
                }
            }
            return result;
        }
    }
}

impl<const W: usize, Relax: RelaxStrategy> sealed::Strategy for Elimination<W, Relax> {
    type Shared<T> = Array<T, W>;
    type Local = Local;

    #[cold]
    unsafe fn push<T>(
        array: &Array<T, W>,
        local: &mut Local,
        waited: &mut Waited,
        counters: &Counters,
        node: NodePtr<T>,
    ) -> bool {
        let eliminated = Self::visit(array, local, waited, counters, &Visit::push(node)).is_ok();
        counters.eliminated_pushes(eliminated.into());
        eliminated
    }

    #[cold]
    fn pop<T>(array: &Array<T, W>, local: &mut Local, waited: &mut Waited, counters: &Counters) -> Option<NodePtr<T>> {
        let node = Self::visit(array, local, waited, counters, &Visit::pop()).ok()??;
        counters.eliminated_pops(1);
        Some(node)
    }

    #[inline(always)]
    fn exchanges_first(local: &Local) -> bool {
        // CHEAPER: to begin with the list comes to the same, and takes longer where many contend.
        local.eliminated.contains(&true) || W == limit(0, model::EXCHANGES_FIRST)
    }

    #[cold]
    fn wait(local: &mut Local, waited: &mut Waited) {
        relax_for::<Relax>(waited.more(local.patience.lost(waited.any(), Self::MOST), Self::MOST_STEPS));
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

    /// One call that loses its race each time: the steps that it waits in all.
    fn steps(mut lose: impl FnMut(&mut Waited)) -> u32 {
        let mut waited = Waited::NOTHING;
        STEPS.set(0);
        for _ in 0..10_000 {
            lose(&mut waited);
        }
        STEPS.get()
    }

    /// However often a call loses, whoever is in the array.
    #[test]
    fn a_call_waits_no_longer_than_it_says() {
        type Alone = Elimination<2, Counting>;
        type Longer = Exponential<Counting>;

        let counters = &initial!(Counters);
        let array = initial!(Array<u32, 2>);
        let node = Node::allocate().unwrap();
        let mut local = initial!(Local);
        let pops = steps(|waited| assert!(Alone::pop(&array, &mut local, waited, counters).is_none()));
        assert_eq!(pops, Alone::MOST_STEPS.into());
        // SAFETY: the node is ours; it has a value that needs no drop.
        let pushes = steps(|waited| assert!(!unsafe { Alone::push(&array, &mut local, waited, counters, node) }));
        assert_eq!(pushes, Alone::MOST_STEPS.into());
        assert_eq!(steps(|waited| Alone::wait(&mut local, waited)), Alone::MOST_STEPS.into());
        // SAFETY: the node is ours.
        unsafe { Node::free(node) };

        let mut patience = initial!(Patience);
        assert_eq!(steps(|waited| Longer::wait(&mut patience, waited)), Longer::MOST_STEPS.into());
    }

    /// The same where exchangers are held by others of the same kind.
    #[test]
    fn a_call_that_collides_waits_no_longer_than_it_says() {
        type Crowded = Elimination<2, Counting>;

        let array = initial!(Array<u32, 2>);
        array.0.iter().for_each(|exchanger| exchanger.hold_for_a_pop());
        let mut local = initial!(Local);
        let pops = steps(|waited| {
            assert!(Crowded::pop(&array, &mut local, waited, &initial!(Counters)).is_none());
        });
        assert_eq!(pops, Crowded::MOST_STEPS.into());
    }
}
