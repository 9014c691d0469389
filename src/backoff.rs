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

use crate::model::{self, limit};
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

        /// Whether the slot's next push or pop shall begin with [`Strategy::push`] or [`Strategy::pop`], as if it had lost a
        /// race already.
        #[inline(always)]
        fn exchanges_first(_: &Self::Local) -> bool {
            // Unchecked: to wait before there is a lost race only takes time.
            false
        }

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
/// plain list's time a pair: 1.00 to 1.06 on one thread; without own work 0.08 to 0.20 on 2 threads and 0.27 to 0.29 on
/// 8; with 500 steps of own work 1.01 to 1.06.
///
/// Other values, one changed at a time, on the simulated machine (`ci/scale`; pairs on one socket, 2, 8, 16 and 64 cores,
/// operations per microsecond; these give 61, 61, 66 and 67): `MAX` 128 gives 60 on 2, and on 8 in clusters 76 instead of 87;
/// 2048, or decaying by a quarter or a sixteenth, the same but for 3 percent.
///
/// `MAX` on two machines of 2 cores whose steps take about 25 and 50 ns, through `Handle` (`ci/bench`; medians of 5 and 12
/// samples): pairs on 2 threads and a value from one thread to another, nanoseconds; the time that 1 of 10000 operations exceeds,
/// microseconds. More lets a thread alone for longer, so it loses fewer races; less lets others wait less.
///
/// | `MAX` | pairs | one way | 1 of 10000 | pairs | one way | 1 of 10000 |
/// |--:|--:|--:|--:|--:|--:|--:|
/// | 64 | 9.2 | 27 | 5 | 43 | 102 | 10 |
/// | 256 | 8.2 | 30 | 19 | 34 | 111 | 45 |
/// | 512 | 8.0 | 37 | 34 | 32 | 100 | 67 |
/// | 1024 | 8.3 | 45 | 56 | | | |
pub struct Patience {
    relaxes: u16,
}

initial! { impl[] Patience = Patience { relaxes: 0 } }

impl Patience {
    /// The shortest wait, with which it begins.
    const MIN: u16 = limit(4, model::RELAXES);
    /// The longest wait where nobody else is known to wait.
    const MAX: u16 = limit(512, model::RELAXES);
    /// So many times as long it is in a crowd, at most. With 1, simulated pairs on 8 cores in clusters fall from 87 to 84
    /// operations per microsecond; with 16 or more a thread waits in vain for threads that do not run (pairs, 8 threads on
    /// 2 cores: the slowest has 0.4 instead of 0.7 of its fair share).
    const CROWDED: u16 = 4;

    /// How long to wait after one more lost race, of the same operation as the last one if `again` is set, among as many
    /// others.
    pub(crate) fn lost(&mut self, again: bool, crowd: Crowd) -> u16 {
        let last = self.relaxes;
        // Not again: the operation that waited last has won its race then.
        let next = if again { last.saturating_mul(2) } else { last - last / 8 };
        self.relaxes = next.clamp(Self::MIN, Self::MAX * crowd.with_self().min(Self::CROWDED));
        self.relaxes
    }

    /// How long it was last.
    pub(crate) fn last(&self) -> u16 {
        self.relaxes.max(Self::MIN)
    }
}

/// How crowded the array is: doubles with each visit to an exchanger that somebody of the same kind holds, and halves
/// with each other one. So it settles where there are as many of these as of those.
///
/// Whoever comes again waits in proportion to it; so, together, they come about as often as somebody can be served. And
/// it allows the waits for the list to be longer, so that many disturb the one that works on the list little more often than
/// a few would.
#[derive(Clone, Copy)]
pub(crate) struct Crowd(u8);

initial! { impl[] Crowd = Crowd::NOBODY }

impl Crowd {
    pub(crate) const NOBODY: Self = Self(0);
    /// The most that is distinguished. On the simulated machine (pairs, 8, 64 and 256 cores, operations per microsecond)
    /// 127 gives 61, 67 and 64 on one socket and 87, 87 and 88 in clusters; 63 gives 77 on 256 cores in clusters, and 255 gives
    /// 79 instead of 87 on 128. None where code is short.
    const MOST: u8 = limit(if FAST_PATHS { 127 } else { 0 }, model::CROWD);

    /// Somebody else was there.
    pub(crate) fn met(&mut self) {
        self.0 = (2 * self.0 + 1) & Self::MOST;
    }

    /// Nobody was in the way.
    pub(crate) fn missed(&mut self) {
        self.0 /= 2;
    }

    /// The crowd, and who asks.
    pub(crate) fn with_self(self) -> u16 {
        1 + u16::from(self.0)
    }
}
