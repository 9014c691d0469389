//! The seam to the back-off: what an operation does after it lost the race for the head.
//!
//! # Contract
//!
//! [`sealed::Strategy::push`] either returns `false`, and the caller still owns the node; or `true`, and the
//! node with its value belongs to a concurrent pop. [`sealed::Strategy::pop`] returns a node with a value, which
//! the caller owns, or nothing. Both return after a bounded time, so in the end an operation is always back at
//! the list and nobody starves.

pub(crate) mod elimination;
pub(crate) mod exchanger;

use crate::stats::Counters;
use crate::sync::{FAST_PATHS, Initial, initial, relax, spin_loop};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

pub use elimination::Elimination;

/// A back-off: what an operation does after it lost a race. Implemented by [`NoBackoff`], [`Exponential`] and
/// [`Elimination`]; sealed.
pub trait Backoff: sealed::Strategy {}

impl<B: sealed::Strategy> Backoff for B {}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::{Counters, Initial, NodePtr};

    /// A back-off strategy, as a name for its state.
    pub trait Strategy {
        /// What the operations on one stack share.
        type Shared<T>: Initial;
        /// What a slot keeps from one operation to the next.
        type Local: Initial;

        /// After a push lost a race, for the first time or `again`. `true` if a pop has taken the node.
        ///
        /// # Safety
        ///
        /// The caller owns the node, which holds a value; if this returns `true`, not any more.
        unsafe fn push<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            again: bool,
            counters: &Counters,
            node: NodePtr<T>,
        ) -> bool;

        /// After a pop lost a race. A node with a value, if a push has given it.
        fn pop<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            again: bool,
            counters: &Counters,
        ) -> Option<NodePtr<T>>;

        /// After an operation that nothing can be exchanged with lost a race.
        fn wait(local: &mut Self::Local, again: bool);

        /// One step of waiting for somebody else.
        fn relax();
    }
}

/// No back-off: a lost race is followed by the next attempt at once.
///
/// The right choice on one core, where waiting can only cost, and where little contention is expected.
#[derive(Debug)]
pub enum NoBackoff {}

impl sealed::Strategy for NoBackoff {
    type Shared<T> = ();
    type Local = ();

    #[inline(always)]
    unsafe fn push<T>(_: &(), _: &mut (), _: bool, _: &Counters, _: NodePtr<T>) -> bool {
        Self::relax();
        false
    }

    #[inline(always)]
    fn pop<T>(_: &(), _: &mut (), _: bool, _: &Counters) -> Option<NodePtr<T>> {
        Self::relax();
        None
    }

    #[inline(always)]
    fn wait(_: &mut (), _: bool) {
        Self::relax();
    }

    #[inline(always)]
    fn relax() {
        // Nothing, but under loom, where others have to run.
        if cfg!(loom) {
            spin_loop();
        }
    }
}

initial! { impl[] () = () }

/// Exponential back-off: waiting after each lost race, longer if it is lost again, shorter once it is won.
///
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning. It must not panic.
pub struct Exponential<Relax = Spin>(PhantomData<Relax>);

impl<Relax: RelaxStrategy> sealed::Strategy for Exponential<Relax> {
    type Shared<T> = ();
    type Local = Patience;

    unsafe fn push<T>(_: &(), local: &mut Patience, again: bool, _: &Counters, _: NodePtr<T>) -> bool {
        Self::wait(local, again);
        false
    }

    fn pop<T>(_: &(), local: &mut Patience, again: bool, _: &Counters) -> Option<NodePtr<T>> {
        Self::wait(local, again);
        None
    }

    #[cold]
    fn wait(local: &mut Patience, again: bool) {
        relax_for::<Relax>(local.lost(again, Crowd::NOBODY));
    }

    #[inline]
    fn relax() {
        relax(Relax::relax);
    }
}

/// As many steps of waiting.
pub(crate) fn relax_for<Relax: RelaxStrategy>(relaxes: u16) {
    for _ in 0..relaxes {
        relax(Relax::relax);
    }
}

/// How long to wait, in relaxes. It adapts to the races that the slot's operations lose: longer after a wait that was
/// too short, a little shorter after one that was enough.
///
/// Measured with `cargo bench --bench backoff` (x86-64, 2 cores, medians of 9 rounds), the elimination back-off takes of the
/// plain list's time a pair: 1.01 to 1.03 on one thread; without own work 0.17 to 0.18 on 2 threads and 0.24 to 0.30 on
/// 8; with 500 steps of own work 0.99 to 1.00 and 1.05 to 1.08.
///
/// Other values, one changed at a time, on the simulated machine (pairs on one socket, slots for all cores, 8, 16, 64 and 256
/// cores, operations per microsecond; these give 52, 50, 40 and 20 when waits may be 32768 long): `MAX` 128 gives 44, 36, 14
/// and 16, and 44 instead of 52 on two cores. Decaying by a sixteenth instead of an eighth is the same but for a few
/// percent, and where operations are 1000 cycles apart a tenth to a third worse. As the retry after a wait, a failing
/// compare-exchange instead of a load, so that the head's line comes for writing at once, gives 16 on 8 cores and 21 instead of
/// 50 on two: it succeeds more often, so waits get shorter, and whoever has the head is disturbed more often.
pub struct Patience {
    relaxes: u16,
}

initial! { impl[] Patience = Patience { relaxes: 0 } }

impl Patience {
    /// The shortest wait, with which it begins.
    const MIN: u16 = if cfg!(loom) { 1 } else { 4 };
    /// The longest wait, where nobody else is known to wait.
    const MAX: u16 = if cfg!(loom) { 1 } else { 512 };

    /// How long to wait after one more lost race, of the same operation as the last one if `again` is set, among as many
    /// others.
    pub(crate) fn lost(&mut self, again: bool, crowd: Crowd) -> u16 {
        let last = self.relaxes;
        // Not again: the operation that waited last has won its race then.
        let next = if again { last.saturating_mul(2) } else { last - last / 8 };
        self.relaxes = next.clamp(Self::MIN, Self::MAX * (1 + crowd.0));
        self.relaxes
    }
}

/// About how many others wait, in units that [`Patience::MAX`] is for: it allows waits that are as many times longer.
///
/// Who waits learns of the others by meeting them. A visit to one of `W` exchangers at random finds it taken more often
/// the more contexts wait in all of them: among `n` others that wait as long, `n / W` times for each time that it does not.
/// One more for each of the first and half as many after each of the second settles at about `2 n / W`. So each context
/// waits in proportion to how many do, and together they disturb the one that has the head no more often than a few did.
///
/// On the simulated machine (`ci/scale`, pairs, operations per microsecond on 8, 16, 64 and 256 cores): 52, 49, 36 and 19 on one
/// socket, 75, 39, 9 and 5 in clusters; without it 42, 27, 13 and 4, and 63, 20, 4 and 0.5. Where operations are 1000 cycles
/// apart, and the array takes most of them, it costs a tenth on 16 cores of one socket and a fifth on 64. Not forgetting after an
/// elimination gives 52, 51, 44 and 22, and 77, 64, 29 and 11, but there costs twice as much. Microcontrollers have few cores.
#[derive(Clone, Copy)]
pub(crate) struct Crowd(u16);

initial! { impl[] Crowd = Crowd::NOBODY }

impl Crowd {
    pub(crate) const NOBODY: Self = Self(0);
    /// The most that is distinguished: the longest wait is 16384 relaxes then. Fewer under loom, where waits are short.
    const MOST: u16 = if cfg!(loom) || !FAST_PATHS { 0 } else { 31 };

    /// Somebody else was there.
    #[cfg_attr(loom, expect(clippy::unnecessary_min_or_max, reason = "the most is none then"))]
    pub(crate) fn met(&mut self) {
        self.0 = (self.0 + 1).min(Self::MOST);
    }

    /// Nobody was in the way.
    pub(crate) fn missed(&mut self) {
        self.0 /= 2;
    }
}
