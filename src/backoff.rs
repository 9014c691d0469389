//! The seam to the back-off: what an operation does after it lost the race for the head.
//!
//! # Rules
//!
//! * **BACKOFF-1**: If [`sealed::Strategy::meet`] fails, the caller still owns the node of a push. Else a concurrent operation of
//!   the other kind has taken it; or, for a pop, has given one with a value, which the caller owns.
//!   Checked by `elimination` in `tests/loom/tests/loom.rs`.
//! * **BACKOFF-2**: [`sealed::Strategy::meet`] returns after a bounded time, whatever others do. So in the end an operation is
//!   always back at the list, and nobody starves in the exchangers.
//!   Checked by `a_call_waits_no_longer_than_it_says` in `src/backoff/elimination.rs`.

pub(crate) mod elimination;
pub(crate) mod exchanger;
pub(crate) mod turns;

use self::exchanger::{Alone, Visit};
use crate::stats::Counters;
use crate::sync::{Initial, spin_loop};
use crate::treiber::NodePtr;

pub use elimination::{Elimination, Exponential};
pub(crate) use turns::Attempt;

/// A back-off: what an operation does after it lost a race. Its waits end after some steps, whether or not others go on, so a
/// context may wait beside those that it has preempted. Implemented by [`NoBackoff`], [`Exponential`] and
/// [`Elimination`]; sealed.
pub trait Backoff: sealed::Strategy {}

impl<B: sealed::Strategy> Backoff for B {}

pub mod sealed {
    //! The seam itself, out of the users' reach.

    use super::{Alone, Attempt, Counters, Initial, NodePtr, Visit};

    /// A back-off strategy, as a name for its state.
    pub trait Strategy {
        /// What the operations on one stack share.
        type Shared<T>: Initial;
        /// What a slot keeps from one operation to the next.
        type Local: Initial;
        /// Exchangers in which operations meet; 1 if there are none, since it divides.
        const EXCHANGERS: usize;

        /// Called after each lost race. Whether to try again at once.
        fn lost<T>(shared: &Self::Shared<T>, local: &mut Self::Local, attempt: &mut Attempt) -> bool;

        /// Called if [`Strategy::lost`] says no, or [`Strategy::stays_away_first`] yes. Stays away from the list, and looks for a
        /// partner meanwhile, if there is a `visit` to pay, from the exchanger `home` on, where the slot and its neighbours
        /// begin. `Ok` if there was a partner; for a pop, with the node of a push.
        fn meet<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            attempt: &mut Attempt,
            home: usize,
            counters: &Counters,
            visit: Option<&Visit<T>>,
        ) -> Result<Option<NodePtr<T>>, Alone>;

        /// The slot's owner has popped a node, wherever it came from.
        #[inline(always)]
        fn popped(_: &mut Self::Local) {}

        /// Whether the slot's next push or pop shall begin with [`Strategy::meet`], as if it had lost a race.
        fn stays_away_first(local: &Self::Local) -> bool;

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
    const EXCHANGERS: usize = 1;

    #[inline(always)]
    fn lost<T>(_: &(), _: &mut (), _: &mut Attempt) -> bool {
        Self::relax();
        // CHEAPER: after a no, `meet` says that nobody was met, and the next attempt follows all the same.
        true
    }

    #[inline(always)]
    fn meet<T>(
        _: &(),
        _: &mut (),
        _: &mut Attempt,
        _: usize,
        _: &Counters,
        _: Option<&Visit<T>>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        Err(Alone::Withdrew)
    }

    #[inline(always)]
    fn stays_away_first((): &()) -> bool {
        false
    }

    #[inline(always)]
    fn relax() {
        // Nothing, but under loom, where others have to run.
        if cfg!(elimination_stack_loom) {
            spin_loop();
        }
    }
}
