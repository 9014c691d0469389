//! The elimination array: which exchanger, and how long to wait there.

use super::exchanger::{Alone, Exchanger, Visit};
use super::{Crowd, Patience, relax_for, sealed};
use crate::stats::Counters;
use crate::sync::{Padded, array_of, context_hash, initial, relax};
use crate::treiber::NodePtr;
use core::marker::PhantomData;
use spin::{RelaxStrategy, Spin};

/// The elimination back-off: a push and a pop that both lost a race meet in one of `W` exchangers and cancel out,
/// without touching the list.
///
/// Who lost a race picks an exchanger at random within its range, takes the partner that waits there, or waits
/// itself; that wait is the back-off in time. In the end it always goes back to the list. The range doubles on
/// a collision and halves after waiting in vain; the wait adapts to the races lost, and its bound to how many others are
/// met in the array. All of it stays in the slot from one operation to the next, and none is touched by an operation that
/// wins its race. A wait is at most 512 steps long among few, and 16384 among many.
///
/// `W` is at least 1 and below 65536; each exchanger is one word, on a cache line of its own where there are caches.
/// `Relax` says what one step of waiting is: [`Spin`] is the processor's hint for spinning; an embedder may put
/// `WFE` there, or a scheduler's yield. It must not panic: it runs while the operation's offer stands.
///
/// From D. Hendler, N. Shavit and L. Yerushalmi, *A scalable lock-free stack algorithm*, SPAA 2004.
pub struct Elimination<const W: usize, Relax = Spin>(PhantomData<Relax>);

/// `W` exchangers.
pub struct Array<T, const W: usize>([Padded<Exchanger<T>>; W]);

initial! { impl[T, const W: usize] Array<T, W> = Array(array_of!(initial!(Padded<Exchanger<T>>))) }

/// What a slot keeps from one operation to the next.
pub struct Local {
    /// State of a xorshift generator; 0 until it is seeded.
    random: u32,
    patience: Patience,
    /// Exchangers considered now, less one.
    range: u16,
    /// How many others wait, as far as this slot's operations have met them.
    crowd: Crowd,
}

initial! { impl[] Local = Local { random: 0, patience: initial!(Patience), range: 0, crowd: initial!(Crowd) } }

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
        (((random >> 16) * (u32::from(self.range) + 1)) >> 16) as usize
    }
}

impl<const W: usize, Relax: RelaxStrategy> Elimination<W, Relax> {
    /// Visits one exchanger. `Ok` if there was a partner, with its node if it was a push.
    #[inline(never)]
    fn visit<T>(
        array: &Array<T, W>,
        local: &mut Local,
        again: bool,
        counters: &Counters,
        visit: &Visit<T>,
    ) -> Result<Option<NodePtr<T>>, Alone> {
        const { assert!(W > 0 && W < 1 << 16, "Elimination<W>: W is at least 1 and below 65536") };
        let patience = local.patience.lost(again, local.crowd);
        let index = local.pick() % W;
        let result = array.0[index].visit::<Relax>(visit, patience);
        match result {
            Ok(_) => local.crowd.missed(),
            Err(Alone::Withdrew) => {
                local.crowd.missed();
                local.range /= 2;
                counters.withdrawals(1);
            }
            Err(Alone::Collided) => {
                local.crowd.met();
                #[expect(clippy::cast_possible_truncation, reason = "W is below 65536")]
                let most = (W - 1) as u16;
                local.range = local.range.saturating_mul(2).saturating_add(1).min(most);
                // There was nothing to wait for, but there is a race to stay out of.
                relax_for::<Relax>(patience);
            }
        }
        result
    }
}

impl<const W: usize, Relax: RelaxStrategy> sealed::Strategy for Elimination<W, Relax> {
    type Shared<T> = Array<T, W>;
    type Local = Local;

    #[cold]
    unsafe fn push<T>(
        array: &Array<T, W>,
        local: &mut Local,
        again: bool,
        counters: &Counters,
        node: NodePtr<T>,
    ) -> bool {
        let eliminated = Self::visit(array, local, again, counters, &Visit::push(node)).is_ok();
        counters.eliminated_pushes(eliminated.into());
        eliminated
    }

    #[cold]
    fn pop<T>(array: &Array<T, W>, local: &mut Local, again: bool, counters: &Counters) -> Option<NodePtr<T>> {
        let node = Self::visit(array, local, again, counters, &Visit::pop()).ok()??;
        counters.eliminated_pops(1);
        Some(node)
    }

    #[cold]
    fn wait(local: &mut Local, again: bool) {
        relax_for::<Relax>(local.patience.lost(again, local.crowd));
    }

    #[inline]
    fn relax() {
        relax(Relax::relax);
    }
}
