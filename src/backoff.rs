//! The seam to the back-off: what an operation does after it lost the race for the head.
//!
//! # Contract
//!
//! [`sealed::Strategy::meet`] either fails, and the caller still owns the node of a push; or a concurrent operation of the other
//! kind has taken it, or has given one with a value, which the caller owns. It returns after a bounded time, so in the end an
//! operation is always back at the list and nobody starves.

pub(crate) mod elimination;
pub(crate) mod exchanger;
pub(crate) mod turns;

use self::exchanger::{Alone, Visit};
use crate::stats::Counters;
use crate::sync::{Initial, initial, spin_loop};
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

    /// What a slot keeps for its back-off.
    pub trait Local: Initial {
        /// So many of the nodes that the owner has popped are not counted by the slot any more.
        #[inline(always)]
        fn let_go(&mut self, _nodes: usize) {}
    }

    impl Local for () {}

    /// A back-off strategy, as a name for its state.
    pub trait Strategy {
        /// What the operations on one stack share.
        type Shared<T>: Initial;
        /// What a slot keeps from one operation to the next.
        type Local: Local;
        /// Exchangers in which operations meet.
        const EXCHANGERS: usize;

        /// After one more lost race: whether to try again at once. The slot counts so many nodes as `popped`.
        fn lost<T>(shared: &Self::Shared<T>, local: &mut Self::Local, attempt: &mut Attempt, popped: usize) -> bool;

        /// After that, if not: stays away from the list, and looks for a partner meanwhile, if there is a visit that it can pay. The
        /// slot and its neighbours begin at the exchanger `home`. `Ok` if there was one: for a pop, with the node of a push.
        fn meet<T>(
            shared: &Self::Shared<T>,
            local: &mut Self::Local,
            attempt: &mut Attempt,
            home: usize,
            counters: &Counters,
            visit: Option<&Visit<T>>,
        ) -> Result<Option<NodePtr<T>>, Alone>;

        /// Whether the slot's next push or pop shall begin with [`Strategy::meet`], as if it had lost a race already.
        fn exchanges_first(local: &Self::Local) -> bool;

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
    fn lost<T>(_: &(), _: &mut (), _: &mut Attempt, _: usize) -> bool {
        Self::relax();
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
    fn exchanges_first((): &()) -> bool {
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

initial! { impl[] () = () }
