//! Slots: who owns which, and the hazard that each shows.
//!
//! A pool holds `N` slots in place, and a list of further ones, which are allocated when all are claimed at once. Both
//! engines keep what a context owns in a slot.
//!
//! # Further slots
//!
//! ```text
//!   first                               used
//!     |                                  |
//!     v   newer          newer           v   newer          newer
//!    [1] -------> [2] -------> ... ---> [u] -------> ... ---> [n] ---> null
//!        <-------     <-------     <---     <-------     <---
//!          older
//!                  a scan reads these               free, and no scan reads them
//! ```
//!
//! They are numbered from 1, by age. `used` is the newest that may be in use, so a crowd that has come and gone costs nobody any
//! time, but only the memory of its slots and of the nodes in them. Whoever claims a slot raises `used` to it, if need be, before
//! it protects anything with it. Each scan, and each handle that ends, lowers `used` by the free slots at its end.
//!
//! Where code is short there is no crowd: `used` is the newest of all, and nothing lowers it.
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
//!   waits for operations only, which end.
//!   Checked by `handle_moves_while_another_is_made` in `tests/loom/tests/loom.rs`.
//! * **SLOT-5**: `used` is no older than any further slot that protects a node. Only the owner of the slot that it names lowers
//!   it, to the next older one; whoever claims that slot afterwards sees it lowered, by the Release and the Acquire of SLOT-2,
//!   and raises it again. A scan that has to see a hazard sees `used` raised, too, since that came before the hazard: what orders
//!   the two for the hazard (BARRIER-1, BARRIER-2) orders them for `used`. And a scan that sees `used` lowered sees all that was
//!   done in the slots that it leaves out, by the Release that lowers it.
//!   Checked by `further_slot_comes_out_of_use_and_back`, `slot_goes_out_of_use_after_a_pop` in `tests/loom/tests/loom.rs`.

mod in_use;
mod slot;

use self::slot::{claimed, found, free};
use super::Search;
use crate::layout::{FAST_PATHS, IfFast, Padded, in_this_order};
use crate::model::limit;
use crate::sync::{
    ADD_SLOT, Acquire, AtomicPtr, AtomicUsize, Initial, Ordering, READ_HAZARD, Relaxed, Release, alloc, array_of,
    context_hash, dealloc, initial, publish,
};
use crate::treiber::{Node, NodePtr};
use core::alloc::Layout;
use core::iter;
use core::mem;
use core::ptr::{self, NonNull};

pub(crate) use self::in_use::InUse;
pub(crate) use self::slot::PrivateRef;
pub use self::slot::{Owner, Slot};

in_this_order! {
    /// A further slot, in memory of its own: so there are no more than contexts need, and the bound on memory counts slots.
    /// tuning.md, "Slots". What a scan reads, the link and the slot's word, is on the first cache line.
    pub struct Extra<T, P> {
        /// The further slot before, or null. Written before this one is added, and never again.
        older: *mut Further<T, P>,
        /// The further slot after, once there is one.
        newer: IfFast<AtomicPtr<Further<T, P>>>,
        slot: Slot<T, P>,
    }
}

type Further<T, P> = Padded<Extra<T, P>>;

/// `N` slots in place and the list of further ones.
pub struct Pool<T, P, const N: usize> {
    slots: [Padded<Slot<T, P>>; N],
    first: IfFast<AtomicPtr<Further<T, P>>>,
    /// See "Further slots".
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
        let word = node.map_or(claimed(), found);
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

    /// Adds a slot with this word at the end of the list; `None` without memory.
    fn add(&self, word: *mut Node<T>) -> Option<Place<'_, T, P>> {
        /// Acquire pairs with `ADD_SLOT`: the contents of what others have added are visible. Where code is short, only its
        /// address is used.
        const SEE: Ordering = if FAST_PATHS { READ_HAZARD } else { Relaxed };
        // SAFETY: the layout is not of size zero.
        let added = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Further<T, P>>())?;
        let newer = IfFast::new(AtomicPtr::new(ptr::null_mut()));
        // SAFETY: just allocated with this layout. The field that is left, `older`, is written below.
        unsafe {
            (&raw mut (*added.as_ptr()).0.newer).write(newer);
            (&raw mut (*added.as_ptr()).0.slot).write(Slot { word: AtomicPtr::new(word), ..initial!(Slot<T, P>) });
        }
        let mut older = self.used.load(SEE);
        loop {
            // SAFETY: it is not added yet, so it is still ours alone.
            unsafe { (*added.as_ptr()).0.older = older };
            let (link, expected) = match self.newer(older) {
                Some(newer) => {
                    // SAFETY: it is not added yet.
                    unsafe { (*added.as_ptr()).0.slot.number = IfFast::new(1 + Self::number(older)) };
                    (newer, ptr::null_mut())
                }
                None => (&self.used, older),
            };
            // Weak: who fails for no reason goes on from the first one.
            match link.compare_exchange_weak(expected, added.as_ptr(), ADD_SLOT, SEE) {
                // SAFETY: SLOT-3: it was added, so it stays.
                Ok(_) => return Some(unsafe { Place::of(added.as_ref()) }),
                Err(other) => older = other,
            }
        }
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

    /// The number of a further slot; 0 for null. Where numbers are not noted, the slots are counted.
    fn number(further: *mut Further<T, P>) -> usize {
        let (mut next, mut counted) = (further, 0);
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        while let Some(further) = unsafe { next.as_ref() } {
            if let Some(number) = further.slot.number.get() {
                return *number;
            }
            counted += 1;
            next = further.older;
        }
        counted
    }

    /// The link to the further slot after this one, or, for null, to the first one. `None` where code is short: then `used` is
    /// that link.
    fn newer(&self, further: *mut Further<T, P>) -> Option<&AtomicPtr<Further<T, P>>> {
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        match unsafe { further.as_ref() } {
            Some(further) => further.newer.get(),
            None => self.first.get(),
        }
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

    /// Raises `used` to this slot, which the caller has claimed (SLOT-5).
    fn use_up_to(&self, further: *mut Further<T, P>) {
        let mut used = self.used();
        while Self::number(used) < Self::number(further) {
            // Release pairs with `READ_HAZARD`: the slot's contents are visible to whoever finds it here.
            match self.used.compare_exchange(used, further, ADD_SLOT, READ_HAZARD) {
                Ok(_) => return,
                Err(other) => used = other,
            }
        }
    }

    /// Claims the slot of this place without protecting anything, if it is free.
    pub(crate) fn claim_free<'a>(&self, place: Place<'a, T, P>) -> Option<Owner<'a, T, P>> {
        // CHEAPER: the exchange alone says the same, but takes the cache line from whoever is inside.
        if place.slot.word.load(Relaxed).is_null() { self.claim_at(place, claimed()) } else { None }
    }

    /// Lowers `used` by the free slots at its end.
    pub(crate) fn forget_unused<'a>(&'a self, mut used: InUse<'a, T, P, N>) {
        if !FAST_PATHS {
            return;
        }
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        while let Some(newest) = unsafe { used.newest().as_ref() } {
            // CHEAPER: the exchange alone says the same, but takes the cache line from whoever is inside.
            if !newest.slot.word.load(Relaxed).is_null() {
                return;
            }
            let Some(owner) = newest.slot.try_claim(claimed()) else { return };
            // SLOT-5: this context owns the slot that `used` names. Release pairs with `READ_HAZARD`: what the slot's owners have
            // read of nodes happens before what a scan does that leaves the slot out.
            let lowered = self.used.compare_exchange(used.newest(), newest.older, Release, Relaxed);
            // SAFETY: it is not used any more.
            unsafe { owner.leave() };
            // CHEAPER: others have raised it, so whoever goes on looks in vain.
            if lowered.is_err() {
                return;
            }
            used = self.up_to(newest.older);
        }
    }

    /// The newest further slot that may be in use, or null.
    fn used(&self) -> *mut Further<T, P> {
        // Acquire (or more, for a scan) pairs with `ADD_SLOT`: the slot's initial contents are visible.
        self.used.load(READ_HAZARD)
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

    /// The further slots that are newer than `last`, if that is not null.
    fn above(&self, last: *mut Further<T, P>) -> impl Iterator<Item = Place<'_, T, P>> {
        let mut link = self.newer(last);
        iter::from_fn(move || {
            // Acquire pairs with `ADD_SLOT`: the slot's contents are visible.
            let next = link?.load(Acquire);
            // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
            let further = unsafe { next.as_ref() }?;
            link = self.newer(next);
            Some(Place::of(further))
        })
    }

    /// Every slot's private part, and the node that was given to it, for whoever has the pool to itself.
    pub(crate) fn for_each_private(&mut self, mut visit: impl FnMut(&mut P, Option<NodePtr<T>>)) {
        for place in self.iter() {
            let given = Owner(place.slot).take_given();
            let private = place.slot.private.get_mut();
            // SAFETY: `&mut self`: nobody else is in a slot (SLOT-2).
            visit(unsafe { private.deref() }, given);
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

impl<T, P, const N: usize> Drop for Pool<T, P, N> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` comes after all that others have done here.
        let mut next = self.first.get().unwrap_or(&self.used).load(Relaxed);
        while let Some(further) = NonNull::new(next) {
            // SAFETY: `&mut self`: nobody is in a slot, and each was allocated in `add`.
            unsafe {
                let newer = further.as_ref().newer.get();
                next = newer.map_or(further.as_ref().older, |newer| newer.load(Relaxed));
                further.drop_in_place();
                dealloc(further.as_ptr().cast(), Layout::new::<Further<T, P>>());
            }
        }
    }
}
