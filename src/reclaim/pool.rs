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
//! * **SLOT-5**: Whoever has claimed a further slot, but for lowering `used`, sees to it that `used` is no older, before it looks
//!   at the head again or links a node. Only the owner of the slot that `used` names lowers it, to the next older one; whoever
//!   claims that slot afterwards sees it lowered, by the Release and the Acquire of SLOT-2, and raises it again. So a scan that
//!   has to see a hazard sees `used` raised, too: a fence that orders the two for the hazard (BARRIER-1, BARRIER-2) comes after
//!   that, and where accesses are the barrier, those that read `used` or raise it are part of it. And a scan that sees `used`
//!   lowered sees all that was done in the slots that it leaves out, by the Release that lowers it.
//!   Checked by `further_slot_comes_out_of_use_and_back`, `slot_goes_out_of_use_after_a_pop` in `tests/loom/tests/loom.rs`.

mod further;
mod in_use;
mod slot;

use self::further::Further;
use self::slot::{Slot, claimed, free};
use super::{Private, Search, sealed::Heap};
use crate::layout::{FAST_PATHS, IfFast, Padded, slow_path};
use crate::model::{self, limit};
use crate::sync::{Acquire, AtomicPtr, AtomicUsize, Initial, Relaxed, Release, context_hash, initial};
use crate::treiber::{Node, NodePtr};
use core::alloc::Layout;
use core::mem;
use core::ptr;

pub(crate) use self::in_use::{Hazards, InUse};
pub use self::slot::Guard;

/// The slots of one stack, in place and further ones, and what they share.
// In this order what is used most is at the shortest offsets, which saves instructions on microcontrollers.
#[repr(C)]
pub struct Pool<T, R: Heap, L: Initial> {
    pub(super) shared: R::Shared<T>,
    slots: R::Slots<Padded<Slot<T, R, L>>>,
    first: IfFast<AtomicPtr<Further<T, R, L>>>,
    /// See [`further`].
    used: AtomicPtr<Further<T, R, L>>,
    /// Contexts that stay: handles.
    stays: AtomicUsize,
}

initial! { impl[T, R: Heap, L: Initial] Pool<T, R, L> = {
    // An engine's constants say, when they are computed, what its parameters may not be.
    assert!(R::BATCH > 0);
    Self { shared: initial!(_), slots: initial!(_), first: initial!(_), used: initial!(_), stays: initial!(_) }
} }

impl<T, R: Heap, L: Initial> Pool<T, R, L> {
    /// What a further slot needs of the allocator.
    pub(crate) const LAYOUT: Layout = Layout::new::<Further<T, R, L>>();

    /// The slots in place.
    #[inline(always)]
    fn in_place(&self) -> &[Padded<Slot<T, R, L>>] {
        self.slots.as_ref()
    }

    /// How often a claim has to find all slots claimed before it says so: while others come and go, it may find each slot claimed
    /// in turn although one was always free; where there are further slots to look at, with one in place, too. Two contexts that
    /// both look at the first of two slots first, as operations do where code is short, cannot do that to each other; unless one
    /// looks for spare nodes in each slot.
    fn passes(&self) -> usize {
        match self.in_place().len() {
            1 => 1 + usize::from(FAST_PATHS),
            2 if !FAST_PATHS => 1,
            _ => 4,
        }
    }

    /// Claims a free slot, by protecting a node with it, if there is one.
    #[inline(always)]
    pub(crate) fn claim(&self, search: Search, node: Option<NodePtr<T>>) -> Option<Guard<'_, T, R, L>> {
        let word = node.map_or(claimed(), NodePtr::as_ptr);
        let home = self.home();
        let mut slot = &self.in_place()[home].0;
        if !slot.try_claim(word) {
            if search == Search::Home {
                return None;
            }
            slot = self.claim_instead_of(home, word, search)?;
        }
        Some(Guard { pool: self, slot })
    }

    /// The slot in place that this context tries first. Where code is short, all try the first one.
    #[inline(always)]
    fn home(&self) -> usize {
        if !FAST_PATHS {
            return 0;
        }
        let slots = self.in_place().len();
        // Scales the hash to 0..N without a division.
        #[expect(clippy::cast_possible_truncation, reason = "an engine has fewer than 65536")]
        let scaled = ((context_hash() >> 16) * slots as u32) >> 16;
        scaled as usize % slots
    }

    slow_path! {
        /// Claims a free slot instead of that one in place: the one that was claimed instead of it last, if that is free.
        fn claim_instead_of(&self, home: usize, word: *mut Node<T>, search: Search) -> Option<&Slot<T, R, L>> {
            let home_slot = &self.in_place()[home].0;
            let Some(instead) = home_slot.instead.get().filter(|_| limit(true, model::remembers_slot(self.in_place().len())))
            else {
                return self.claim_from(home, word, search);
            };
            // Acquire pairs with the Release below: the slot's contents are visible.
            if let Some(slot) = self.slot_at(instead.load(Acquire)) {
                // CHEAPER: to try to claim it takes the cache line from whoever is inside; and if it has come out of use, scans
                // are longer again.
                let may_serve =
                    slot.word.load(Relaxed).is_null() && Self::number(slot.further()) <= Self::number(self.used());
                if may_serve && self.claim_at(slot, word) {
                    return Some(slot);
                }
            }
            let slot = self.claim_from(home, word, search)?;
            // CHEAPER: nobody looks here who finds this one free.
            if !ptr::eq(slot, home_slot) {
                // Release pairs with the Acquire above.
                // CHEAPER: whoever comes next has to look for a slot anew.
                instead.store(self.place_of(slot), Release);
            }
            Some(slot)
        }
    }

    /// What stands for a slot wherever the pool is: the address of a further one, or an odd number made of the index of one in
    /// place.
    fn place_of(&self, slot: &Slot<T, R, L>) -> *mut Further<T, R, L> {
        const { assert!(!FAST_PATHS || mem::align_of::<Further<T, R, L>>() % 2 == 0) };
        let further = slot.further();
        // CHEAPER: if all are taken for further ones, those in place are not remembered.
        if further.is_null() { ptr::without_provenance_mut(2 * self.index(slot) + 1) } else { further }
    }

    /// The slot for which this stands; `None` for null.
    fn slot_at(&self, place: *mut Further<T, R, L>) -> Option<&Slot<T, R, L>> {
        if place.addr() % 2 == 1 {
            return Some(&self.in_place()[place.addr() / 2].0);
        }
        // SAFETY: what is even is null or the address of a further slot (`place_of`), which stays (SLOT-3).
        unsafe { place.as_ref() }.map(|further| &further.slot)
    }

    /// The index of a slot in place.
    #[inline(always)]
    fn index(&self, slot: &Slot<T, R, L>) -> usize {
        ptr::from_ref(slot).addr().wrapping_sub(self.in_place().as_ptr().addr())
            / mem::size_of::<Padded<Slot<T, R, L>>>()
    }

    /// Claims a free slot; looks at that one in place first.
    #[cold]
    #[inline(never)]
    fn claim_from(&self, start: usize, word: *mut Node<T>, search: Search) -> Option<&Slot<T, R, L>> {
        for pass in 1..=self.passes() {
            // Whoever finds a slot and loses it starts this pass anew: somebody else has claimed it, and so has not waited in
            // vain.
            while let Some(slot) = self.find_free(start, pass == self.passes()) {
                if self.claim_at(slot, word) {
                    return Some(slot);
                }
            }
        }
        if search != Search::Grow {
            return None;
        }
        // It is added with a word that says that this context has claimed it.
        let slot = self.add(word)?;
        self.use_up_to(slot.further());
        Some(slot)
    }

    /// Claims a slot for long. Before, it sees to it that there are more slots than contexts that stay (SLOT-4), if there is
    /// memory. [`Guard::end_stay`] has to follow, once.
    ///
    /// To look for a free slot instead would not do: it may be free only because a context that stays is on its way from
    /// one slot to another, and then comes back to it.
    pub(crate) fn claim_to_stay(&self) -> Option<Guard<'_, T, R, L>> {
        // Relaxed: whoever counts itself last counts all that stay, and sees to it that there are enough slots for all.
        let stays = self.stays.fetch_add(1, Relaxed) + 1;
        while !self.has_more_than(stays) && self.add(free()).is_some() {}
        // In order, so that those who come one after the other are neighbours.
        let slot = self.claim_from(0, claimed(), Search::Grow);
        if slot.is_none() {
            self.stays.fetch_sub(1, Relaxed);
        }
        slot.map(|slot| Guard { pool: self, slot })
    }

    /// Claims this slot, if it is free, and notes that it is in use (SLOT-5); `word` is [`claimed`] or a node to protect.
    fn claim_at(&self, slot: &Slot<T, R, L>, word: *mut Node<T>) -> bool {
        let is_claimed = slot.try_claim(word);
        if is_claimed {
            self.use_up_to(slot.further());
        }
        is_claimed
    }

    /// Claims each slot that is free when its turn comes.
    pub(crate) fn claim_each(&self) -> impl Iterator<Item = Guard<'_, T, R, L>> {
        self.iter().filter_map(|slot| {
            // Looks first, since an exchange takes the cache line from whoever is inside; and may fail for no reason.
            // UNTESTED: where the suites and models run, none does.
            while slot.word.load(Relaxed).is_null() {
                if self.claim_at(slot, claimed()) {
                    return Some(Guard { pool: self, slot });
                }
            }
            None
        })
    }

    /// The slots in place, and up to this further one; where code is short, all.
    fn up_to(&self, newest: *mut Further<T, R, L>) -> InUse<'_, T, R, L> {
        InUse { pool: self, newest: IfFast::new(newest) }
    }

    /// The slots that may be in use now.
    pub(crate) fn in_use(&self) -> InUse<'_, T, R, L> {
        self.up_to(if FAST_PATHS { self.used() } else { ptr::null_mut() })
    }

    /// Whether there are more slots than `count`.
    fn has_more_than(&self, count: usize) -> bool {
        let used = self.in_use();
        let more = (count + 1).saturating_sub(used.count());
        self.above(used.newest()).take(more).count() == more
    }

    /// A free slot, if there is one. If not `thorough`, some may be left out.
    fn find_free(&self, start: usize, thorough: bool) -> Option<&Slot<T, R, L>> {
        // The older the better: then there are fewer in use. Where code is short, these are all.
        let older = self.up_to(ptr::null_mut()).find(start, free::<T>().addr(), 0);
        older.or_else(|| {
            let used = self.in_use();
            // If so many stay, each slot in use, but for one perhaps, is one of theirs: then a crowd need not look at them all
            // for each that comes. Relaxed: only a hint.
            // CHEAPER: whoever looks at one more, or one less, finds a slot in the end.
            let all_stay = FAST_PATHS && !thorough && self.stays.load(Relaxed) >= used.count();
            let skipped = if all_stay { used.newest() } else { ptr::null_mut() };
            self.above(skipped).find(|slot| slot.word.load(Relaxed).is_null())
        })
    }

    /// All slots, in place and further ones.
    fn iter(&self) -> impl Iterator<Item = &Slot<T, R, L>> {
        let in_place = self.in_place().iter().map(|slot| &slot.0);
        // Of what is chained here one is empty: where code is short the first, else the second.
        in_place.chain(self.above(ptr::null_mut())).chain(self.up_to(ptr::null_mut()).further())
    }

    /// Every slot's private part, for whoever has the pool to itself.
    pub(super) fn for_each_private(&mut self, mut visit: impl FnMut(&mut Private<T, R, L>)) {
        for slot in self.iter() {
            // SAFETY: `&mut self`: nobody else is in a slot (SLOT-2).
            slot.private.with_mut(|private| visit(unsafe { &mut *private }));
        }
    }

    /// What the counters of all slots add up to.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self) -> crate::Stats {
        let mut stats = crate::Stats::default();
        self.iter().for_each(|slot| stats.add(&slot.counters));
        stats
    }
}

impl<T, R: Heap, L: Initial> Guard<'_, T, R, L> {
    /// The slot's place among so many, which it shares with its neighbours: two slots at least, and more if there are more slots
    /// in place than that. In a model all have the first one.
    #[inline(always)]
    pub(crate) fn neighbourhood(self, places: usize) -> usize {
        let in_place = self.pool.in_place();
        let index = match Pool::number(self.slot.further()) {
            // Where a further slot has no number there is no crowd, and it may have any place.
            0 => self.pool.index(self.slot),
            number => in_place.len() + number - 1,
        };
        limit(index / in_place.len().div_ceil(places).max(2) % places, 0)
    }

    /// Leaves the slot of a context that does not stay any longer, which need not be the one that it has claimed first.
    ///
    /// # Safety
    ///
    /// As [`Heap::leave`].
    pub(crate) unsafe fn end_stay(self) {
        self.pool.stays.fetch_sub(1, Relaxed);
        // SAFETY: the caller's contract.
        unsafe { R::leave(self) };
        self.pool.forget_unused(self.pool.in_use());
    }
}
