//! Slots: who owns which, and the hazard that each shows.
//!
//! A pool holds `N` slots in place, and a list of [`further`] ones, which are allocated when all are claimed at once. Both
//! engines keep what a context owns in a slot.
//!
//! # Rules
//!
//! * **SLOT-1**: Only the context that has moved a slot's word away from `FREE` writes the word, until it moves it back.
//!   Checked by `claim_against_claim` in `tests/loom/tests/loom.rs`.
//! * **SLOT-2**: The slot's owner alone touches its private part. Leaving is a Release and claiming an Acquire, which hands the
//!   private part on.
//!   Checked by `slot_changes_hands` in `tests/loom/tests/loom.rs`, `slot` in `tests/litmus/aarch64/slot.litmus`.
//! * **SLOT-3**: Slots are never removed from a pool, so references to them are good for as long as the pool lives.
//!   Checked by `histories_are_linearizable` in `tests/simulation/library/tests/schedules.rs`.
//! * **SLOT-4**: There are more slots than contexts that stay in one, if there was memory for them. So whoever waits for a slot
//!   waits for operations only, which end. A scan, too, owns one further slot at a time for some instructions, besides its own:
//!   with at most `N` contexts that leaves a slot in place to each.
//!   Checked by `handle_moves_while_another_is_made` in `tests/loom/tests/loom.rs`.
//! * **SLOT-5**: `used` is no older than any further slot that protects a node. Only the owner of the slot that it names lowers
//!   it, to the next older one; whoever claims that slot afterwards sees it lowered, by the Release and the Acquire of SLOT-2,
//!   and raises it again. A scan that has to see a hazard sees `used` raised, too, since that came before the hazard: what orders
//!   the two for the hazard (BARRIER-1, BARRIER-2) orders them for `used`. And a scan that sees `used` lowered sees all that was
//!   done in the slots that it leaves out, by the Release that lowers it.
//!   Checked by `further_slot_comes_out_of_use_and_back`, `slot_goes_out_of_use_after_a_pop` in `tests/loom/tests/loom.rs`.

mod further;
mod in_use;
mod slot;

use self::further::Further;
use self::slot::{claimed, free};
use super::Search;
use crate::layout::{FAST_PATHS, IfFast, Padded};
use crate::model::limit;
use crate::sync::{AtomicPtr, AtomicUsize, Initial, Relaxed, array_of, context_hash, initial, publish};
use crate::treiber::{Node, NodePtr};
use core::alloc::Layout;
use core::mem;
use core::ptr;

pub(crate) use self::in_use::{Hazards, InUse};
pub use self::slot::{Owner, Slot};

/// `N` slots in place and the list of further ones.
pub struct Pool<T, P, const N: usize> {
    slots: [Padded<Slot<T, P>>; N],
    first: IfFast<AtomicPtr<Further<T, P>>>,
    /// See [`further`].
    used: AtomicPtr<Further<T, P>>,
    /// Contexts that stay: handles.
    stays: AtomicUsize,
}

initial! { impl[T, P: Initial, const N: usize] Pool<T, P, N> = Pool {
    slots: array_of!(initial!(Padded<Slot<T, P>>); N),
    first: IfFast::new(AtomicPtr::new(ptr::null_mut())),
    used: AtomicPtr::new(ptr::null_mut()),
    stays: AtomicUsize::new(0),
} }

/// A slot, and which further one it is.
pub struct Place<'a, T, P> {
    slot: &'a Slot<T, P>,
    /// Null if it is in place. Where code is short nobody asks, and it is not noted.
    further: IfFast<*mut Further<T, P>>,
}

impl<T, P> Clone for Place<'_, T, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P> Copy for Place<'_, T, P> {}

impl<T, P: Initial, const N: usize> Pool<T, P, N> {
    /// What a further slot needs of the allocator.
    pub(crate) const LAYOUT: Layout = Layout::new::<Further<T, P>>();

    /// How often a claim has to find all slots claimed before it says so: while others come and go, it may find each slot claimed
    /// in turn although one was always free. Two contexts that both look at the first of two slots first, as they do where code
    /// is short, cannot do that to each other.
    const PASSES: usize = match N {
        1 => 1 + FAST_PATHS as usize,
        2 if !FAST_PATHS => 1,
        _ => 4,
    };

    /// Claims a free slot, by protecting a node with it, if there is one.
    #[inline(always)]
    pub(crate) fn claim(&self, search: Search, node: Option<NodePtr<T>>) -> Option<Owner<'_, T, P>> {
        let word = node.map_or(claimed(), NodePtr::as_ptr);
        match self.slots[Self::home()].try_claim(word) {
            None if search != Search::Home => self.claim_from(Self::home(), word, search == Search::Grow),
            owner => owner,
        }
    }

    /// The slot's place among so many, which it shares with its neighbours: two slots at least, and more if there are more slots
    /// in place than that. In a model all have the first one.
    #[inline(always)]
    pub(crate) fn neighbourhood(&self, owner: Owner<'_, T, P>, places: usize) -> usize {
        let index = match owner.0.number.get() {
            Some(number) if *number > 0 => N + number - 1,
            // Where a further slot has no number there is no crowd, and it may have any place.
            _ => {
                ptr::from_ref(owner.0).addr().wrapping_sub(self.slots.as_ptr().addr())
                    / mem::size_of::<Padded<Slot<T, P>>>()
            }
        };
        limit(index / N.div_ceil(places).max(2) % places, 0)
    }

    /// The slot in place that this context tries first. Where code is short, all try the first one.
    #[inline(always)]
    fn home() -> usize {
        if !FAST_PATHS {
            return 0;
        }
        // Scales the hash to 0..N without a division.
        #[expect(clippy::cast_possible_truncation, reason = "an engine has fewer than 65536")]
        let slots = N as u32;
        (((context_hash() >> 16) * slots) >> 16) as usize % N
    }

    /// Claims a free slot; looks at that one in place first.
    #[cold]
    #[inline(never)]
    fn claim_from(&self, start: usize, word: *mut Node<T>, grow: bool) -> Option<Owner<'_, T, P>> {
        for pass in 1..=Self::PASSES {
            // Whoever finds a slot and loses it starts this pass anew: somebody else has claimed it, and so has not waited in
            // vain.
            while let Some(place) = self.find_free(start, pass == Self::PASSES) {
                if let Some(owner) = self.claim_at(place, word) {
                    return Some(owner);
                }
            }
        }
        if !grow {
            return None;
        }
        // It is added with a word that says that this context has claimed it.
        let place = self.add(if FAST_PATHS { claimed() } else { word })?;
        self.enter(place, word);
        Some(Owner(place.slot))
    }

    /// Claims a slot for long. Before, it sees to it that there are more slots than contexts that stay (SLOT-4), if there is
    /// memory. [`Pool::end_stay`] has to follow, once.
    ///
    /// To look for a free slot instead would not do: it may be free only because a context that stays is on its way from
    /// one slot to another, and then comes back to it.
    pub(crate) fn claim_to_stay(&self) -> Option<Owner<'_, T, P>> {
        // Relaxed: whoever counts itself last counts all that stay, and sees to it that there are enough slots for all.
        let stays = self.stays.fetch_add(1, Relaxed) + 1;
        while !self.has_more_than(stays) && self.add(free()).is_some() {}
        // In order, so that those who come one after the other are neighbours.
        let owner = self.claim_from(0, claimed(), true);
        if owner.is_none() {
            self.stays.fetch_sub(1, Relaxed);
        }
        owner
    }
}

impl<T, P, const N: usize> Pool<T, P, N> {
    /// Leaves the slot of a context that does not stay any longer.
    ///
    /// # Safety
    ///
    /// As [`Owner::leave`].
    pub(crate) unsafe fn end_stay(&self, owner: Owner<'_, T, P>) {
        self.stays.fetch_sub(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { owner.leave() };
        self.forget_unused(self.in_use());
    }

    /// Claims the slot of this place, if it is free; `word` is [`claimed`] or a node to protect.
    fn claim_at<'a>(&self, place: Place<'a, T, P>, word: *mut Node<T>) -> Option<Owner<'a, T, P>> {
        // CHEAPER: without this a slot in place is claimed first and shown to protect the node then, as the others are.
        if place.further().is_null() {
            return place.slot.try_claim(word);
        }
        let owner = place.slot.try_claim(claimed())?;
        self.enter(place, word);
        Some(owner)
    }

    /// Notes that a further slot, which is claimed, is in use, and then shows `word` there (SLOT-5).
    fn enter(&self, place: Place<'_, T, P>, word: *mut Node<T>) {
        if FAST_PATHS {
            self.use_up_to(place.further());
            if word != claimed() {
                publish(&place.slot.word, word);
            }
        }
    }

    /// Claims each slot that is free when its turn comes.
    pub(crate) fn claim_each(&self) -> impl Iterator<Item = Owner<'_, T, P>> {
        // CHEAPER: the exchange alone says the same, but takes the cache line from whoever is inside.
        let free = self.iter().filter(|place| place.slot.word.load(Relaxed).is_null());
        free.filter_map(|place| self.claim_at(place, claimed()))
    }

    /// The slots in place, and up to this further one; where code is short, all.
    fn up_to(&self, newest: *mut Further<T, P>) -> InUse<'_, T, P, N> {
        InUse { pool: self, newest: IfFast::new(newest) }
    }

    /// The slots that may be in use now.
    pub(crate) fn in_use(&self) -> InUse<'_, T, P, N> {
        self.up_to(if FAST_PATHS { self.used() } else { ptr::null_mut() })
    }

    /// Whether there are more slots than `count`.
    fn has_more_than(&self, count: usize) -> bool {
        let used = self.in_use();
        let more = (count + 1).saturating_sub(used.count());
        self.above(used.newest()).take(more).count() == more
    }

    /// A free slot, if there is one. If not `thorough`, some may be left out.
    fn find_free(&self, start: usize, thorough: bool) -> Option<Place<'_, T, P>> {
        let (free, used) = (free::<T>().addr(), self.in_use());
        // If so many stay, each slot in use, but for one perhaps, is one of theirs: then a crowd need not look at them all for
        // each that comes. Relaxed: only a hint.
        // CHEAPER: whoever looks at one more, or one less, finds a slot in the end.
        let all_stay = FAST_PATHS && !thorough && self.stays.load(Relaxed) >= used.count();
        let searched = if all_stay { self.up_to(ptr::null_mut()) } else { used };
        let found = searched.find(start, free, 0);
        if !FAST_PATHS || found.is_some() {
            return found;
        }
        self.above(used.newest()).find(|place| place.slot.word.load(Relaxed).addr() == free)
    }

    /// All slots, in place and further ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Place<'_, T, P>> {
        let in_place = self.slots.iter().map(|slot| Place::new(&slot.0, ptr::null_mut()));
        // Of what is chained here one is empty: where code is short the first, else the second.
        in_place.chain(self.above(ptr::null_mut())).chain(self.up_to(ptr::null_mut()).further())
    }

    /// Every slot's private part, for whoever has the pool to itself.
    pub(crate) fn for_each_private(&mut self, mut visit: impl FnMut(&mut P)) {
        for place in self.iter() {
            let private = place.slot.private.get_mut();
            // SAFETY: `&mut self`: nobody else is in a slot (SLOT-2).
            visit(unsafe { private.deref() });
        }
    }

    /// What the counters of all slots add up to.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self) -> crate::Stats {
        let mut stats = crate::Stats::default();
        self.iter().for_each(|place| stats.add(&place.slot.counters));
        stats
    }
}

impl<'a, T, P> Place<'a, T, P> {
    #[inline(always)]
    fn new(slot: &'a Slot<T, P>, further: *mut Further<T, P>) -> Self {
        Self { slot, further: IfFast::new(further) }
    }

    fn of(further: &'a Further<T, P>) -> Self {
        Self::new(&further.slot, ptr::from_ref(further).cast_mut())
    }

    /// Null if it is in place, or where code is short.
    #[inline(always)]
    fn further(self) -> *mut Further<T, P> {
        self.further.get().map_or(ptr::null_mut(), |further| *further)
    }
}
