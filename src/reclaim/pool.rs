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
//! They are numbered from 1, by age. `used` is the newest that may be in use, so a scan reads the `N` slots in place and those
//! from `used` down, and a crowd that has come and gone costs nobody any time; what stays of it is the memory of its slots, and
//! the nodes in them. Who claims a slot raises `used` to it, if need be, before it protects anything with it. Each scan, and each
//! handle that ends, lowers it by the free slots at its end.
//!
//! Where code is short there is no crowd: `used` is the newest of all, and nothing lowers it.
//!
//! # Invariants
//!
//! 1. Only the context that moved the word away from `FREE` writes it, until it moves it back.
//! 2. That context alone touches the slot's private part. Leaving is a Release and claiming an Acquire, which
//!    hands the private part on.
//! 3. Slots are never removed from a pool, so references to them live as long as the pool.
//! 4. There are more slots than contexts that stay in one, if there was memory for them. So who waits for a slot waits
//!    for operations only, which end.
//! 5. `used` is no older than any further slot that protects a node. Only the owner of the slot that it names lowers it, to the
//!    next older one; who claims that slot afterwards sees it lowered, because of the Release and the Acquire of 2, and raises it
//!    again. A scan that has to see a hazard sees this, too: it comes before the hazard, so what orders the two for the hazard
//!    (the barriers, or that the node was seen linked) orders them for `used`.

mod in_use;
mod slot;

use self::slot::{claimed, found, free};
use super::Own;
use crate::layout::{FAST_PATHS, Padded, in_this_order};
use crate::model::{self, limit};
use crate::sync::{
    ADD_SLOT, Acquire, AtomicPtr, AtomicUsize, Initial, Ordering, READ_HAZARD, Relaxed, alloc, array_of, context_hash,
    dealloc, initial, publish,
};
use crate::treiber::{Node, NodePtr};
use ::alloc::alloc::Layout;
use core::iter;
use core::mem;
use core::ptr::{self, NonNull};

pub(crate) use self::in_use::InUse;
pub(crate) use self::slot::PrivateRef;
pub use self::slot::{Owner, Slot};

/// With so few slots in place (one core and its interrupt handler) it does not pay to spread the contexts over
/// them, or to filter hazards: it would be 100 bytes of code, and 8 instructions of each operation.
pub(crate) const FEW: usize = limit(2, model::FEW);

in_this_order! {
    /// A further slot, in memory of its own. What a scan reads, the link and the slot's word, is on the first cache line; where there
    /// are none, the compiler's own order of the fields makes shorter code.
    ///
    /// An allocator that serves threads from arenas puts the slots that they make at the same place in each arena, so in the same few
    /// lines of a cache. Where that matters most, pairs through `Handle` with 32 threads take 31.8 ns so, and 29.2 with further slots
    /// in blocks of eight (2 cores where a step of waiting takes 46 ns, medians of 41 samples); where a step takes 25 ns, as long. But
    /// one by one there are no more slots than contexts need, and a bound on memory counts slots.
    pub struct Extra<T, P> {
        /// The one before, or null. Written before the slot is added, and never again.
        older: *mut Further<T, P>,
        /// The one after, once there is one.
        newer: [AtomicPtr<Further<T, P>>; FAST_PATHS as usize],
        slot: Slot<T, P>,
    }
}

type Further<T, P> = Padded<Extra<T, P>>;

/// `N` slots in place and the list of further ones.
pub struct Pool<T, P, const N: usize> {
    slots: [Padded<Slot<T, P>>; N],
    first: [AtomicPtr<Further<T, P>>; FAST_PATHS as usize],
    /// See "Further slots".
    used: AtomicPtr<Further<T, P>>,
    /// Contexts that stay: handles.
    stays: AtomicUsize,
}

initial! { impl[T, P: Initial, const N: usize] Pool<T, P, N> = Pool {
    slots: array_of!(initial!(Padded<Slot<T, P>>); N),
    first: array_of!(AtomicPtr::new(ptr::null_mut()); FAST_PATHS as usize),
    used: AtomicPtr::new(ptr::null_mut()),
    stays: AtomicUsize::new(0),
} }

/// A slot, and which further one it is.
pub struct Place<'a, T, P> {
    slot: &'a Slot<T, P>,
    /// Null if it is in place. Not where nobody asks.
    further: [*mut Further<T, P>; FAST_PATHS as usize],
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

    /// How often a claim has to find all slots claimed before it says so.
    ///
    /// Others come and go, so it may find each slot claimed in turn though one was always free. Two contexts that
    /// both look at the first of two slots first cannot do that to each other.
    const PASSES: usize = if N > FEW { 4 } else { 1 + FAST_PATHS as usize };

    /// Claims the slot that this context tries first, if it is free.
    #[inline(always)]
    pub(crate) fn claim_home(&self) -> Option<Own<Owner<'_, T, P>>> {
        self.slots[Self::home()].try_claim(claimed())
    }

    /// The same, by protecting `node` with it.
    #[inline(always)]
    pub(crate) fn claim_home_protecting(&self, node: NodePtr<T>) -> Option<Own<Owner<'_, T, P>>> {
        self.slots[Self::home()].try_claim(found(node))
    }

    /// Claims a free slot, protecting nothing. If there is none, adds one if `grow` is set and there is memory.
    #[inline(always)]
    pub(crate) fn claim(&self, grow: bool) -> Option<Own<Owner<'_, T, P>>> {
        self.claim_home().or_else(|| self.claim_from(Self::home(), claimed(), grow))
    }

    /// Claims a free slot by protecting `node` with it.
    #[inline(always)]
    pub(crate) fn claim_protecting(&self, node: NodePtr<T>) -> Option<Own<Owner<'_, T, P>>> {
        self.claim_home_protecting(node).or_else(|| self.claim_from(Self::home(), found(node), false))
    }

    /// The slot's place among so many: neighbours have the same one, two at least, so that it is shared, and more if there are more
    /// slots in place than that. In a model all have the first one.
    #[inline(always)]
    pub(crate) fn neighbourhood(&self, owner: &Owner<'_, T, P>, places: usize) -> usize {
        let index = match owner.0.number.first() {
            Some(number) if *number > 0 => N + number - 1,
            // Where a further slot has no number there is no crowd, and it may have any place.
            _ => {
                ptr::from_ref(owner.0).addr().wrapping_sub(self.slots.as_ptr().addr())
                    / mem::size_of::<Padded<Slot<T, P>>>()
            }
        };
        limit(index / N.div_ceil(places).max(2) % places, 0)
    }

    /// The slot in place that this context tries first.
    #[inline(always)]
    fn home() -> usize {
        if N <= FEW {
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
    fn claim_from(&self, start: usize, word: *mut Node<T>, grow: bool) -> Option<Own<Owner<'_, T, P>>> {
        for pass in 1..=Self::PASSES {
            // Finding a slot and losing it means that somebody else has claimed it: no pass in vain.
            while let Some(place) = self.find_free(start, pass == Self::PASSES) {
                if let Some(own) = self.claim_at(place, word) {
                    return Some(own);
                }
            }
        }
        if !grow {
            return None;
        }
        let place = self.add(if FAST_PATHS { claimed() } else { word })?;
        // SAFETY: it was added for this.
        let own = unsafe { Own::new(Owner(place.slot)) };
        self.enter(place, word);
        Some(own)
    }

    /// Claims a slot for long. Before, it sees to it that there are more slots than contexts that stay (invariant 4), if
    /// there is memory. [`Pool::end_stay`] has to follow, once.
    ///
    /// To look for a free slot instead would not do: it may be free only because a context that stays is on its way from
    /// one slot to another, and then comes back to it.
    pub(crate) fn claim_to_stay(&self) -> Option<Own<Owner<'_, T, P>>> {
        // Relaxed: of those that stay, whoever came last has counted all.
        let stays = self.stays.fetch_add(1, Relaxed) + 1;
        while !self.has_more_than(stays) && self.add(free()).is_some() {}
        // In order, so that those who come one after the other are neighbours.
        let own = self.claim_from(0, claimed(), true);
        if own.is_none() {
            self.end_stay();
        }
        own
    }

    /// Adds a slot with this word at the end of the list; `None` without memory.
    fn add(&self, word: *mut Node<T>) -> Option<Place<'_, T, P>> {
        /// Acquire pairs with `ADD_SLOT`: the contents of what others have added are visible. Where code is short, its address is all
        /// that is used.
        const SEE: Ordering = if FAST_PATHS { READ_HAZARD } else { Relaxed };
        // SAFETY: the layout is not of size zero.
        let added = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Further<T, P>>())?;
        let newer = array_of!(AtomicPtr::new(ptr::null_mut()); FAST_PATHS as usize);
        // SAFETY: just allocated with this layout. The link follows.
        unsafe {
            (&raw mut (*added.as_ptr()).0.newer).write(newer);
            (&raw mut (*added.as_ptr()).0.slot).write(Slot { word: AtomicPtr::new(word), ..initial!(Slot<T, P>) });
        }
        let mut older = self.used.load(SEE);
        loop {
            // SAFETY: not added yet, so it is still ours alone.
            unsafe { (*added.as_ptr()).0.older = older };
            let (link, expected) = match self.newer(older) {
                Some(newer) => {
                    // SAFETY: as above.
                    unsafe { (*added.as_ptr()).0.slot.number = [1 + Self::number(older); FAST_PATHS as usize] };
                    (newer, ptr::null_mut())
                }
                None => (&self.used, older),
            };
            // Weak: who fails for no reason goes on from the first one.
            match link.compare_exchange_weak(expected, added.as_ptr(), ADD_SLOT, SEE) {
                // SAFETY: invariant 3.
                Ok(_) => return Some(unsafe { Place::of(added.as_ref()) }),
                Err(other) => older = other,
            }
        }
    }
}

impl<T, P, const N: usize> Pool<T, P, N> {
    /// A context that stays leaves its slot, or has none any more.
    pub(crate) fn end_stay(&self) {
        self.stays.fetch_sub(1, Relaxed);
    }

    /// The number of a further slot; 0 of none. Where it is not noted, they are counted.
    fn number(further: *mut Further<T, P>) -> usize {
        let (mut next, mut counted) = (further, 0);
        // SAFETY: invariant 3; the pointer is null or a slot that was added.
        while let Some(further) = unsafe { next.as_ref() } {
            if let Some(number) = further.slot.number.first() {
                return *number;
            }
            counted += 1;
            next = further.older;
        }
        counted
    }

    /// The link from a further slot to the one after, or to the first one if there is none. None where `used` is that link.
    fn newer(&self, further: *mut Further<T, P>) -> Option<&AtomicPtr<Further<T, P>>> {
        // SAFETY: as above.
        match unsafe { further.as_ref() } {
            Some(further) => further.newer.first(),
            None => self.first.first(),
        }
    }

    /// Claims the slot of this place, if it is free; `word` is [`claimed`] or a node to protect.
    fn claim_at<'a>(&self, place: Place<'a, T, P>, word: *mut Node<T>) -> Option<Own<Owner<'a, T, P>>> {
        // CHEAPER: a slot in place would be claimed first and shown to protect the node then, as the others are.
        if place.further().is_null() {
            return place.slot.try_claim(word);
        }
        let own = place.slot.try_claim(claimed())?;
        self.enter(place, word);
        Some(own)
    }

    /// Notes that a further slot, which is claimed, is in use (invariant 5), and then shows `word` there.
    fn enter(&self, place: Place<'_, T, P>, word: *mut Node<T>) {
        if FAST_PATHS {
            self.use_up_to(place.further());
            if word != claimed() {
                publish(&place.slot.word, word);
            }
        }
    }

    /// Raises `used` to this slot, which the caller has claimed (invariant 5).
    fn use_up_to(&self, further: *mut Further<T, P>) {
        let mut used = self.used();
        while Self::number(used) < Self::number(further) {
            // Release, as in `add`: the slot's contents are visible to who finds it here.
            match self.used.compare_exchange(used, further, ADD_SLOT, READ_HAZARD) {
                Ok(_) => return,
                Err(other) => used = other,
            }
        }
    }

    /// Claims the slot of this place without protecting anything, if it is free.
    pub(crate) fn claim_free<'a>(&self, place: Place<'a, T, P>) -> Option<Own<Owner<'a, T, P>>> {
        // CHEAPER: the exchange alone says the same, but takes the cache line from who is inside.
        if place.slot.word.load(Relaxed).is_null() { self.claim_at(place, claimed()) } else { None }
    }

    /// Lowers `used` by the free slots at its end.
    pub(crate) fn forget_unused<'a>(&'a self, mut used: InUse<'a, T, P, N>) {
        if !FAST_PATHS {
            return;
        }
        // SAFETY: invariant 3.
        while let Some(newest) = unsafe { used.newest().as_ref() } {
            // CHEAPER: the exchange alone says the same, but takes the cache line from who is inside.
            if !newest.slot.word.load(Relaxed).is_null() {
                return;
            }
            let Some(own) = newest.slot.try_claim(claimed()) else { return };
            // Invariant 5. Relaxed: it continues the release sequence of who put the newer one here.
            let lowered = self.used.compare_exchange(used.newest(), newest.older, Relaxed, Relaxed);
            own.leave();
            // CHEAPER: who goes on looks in vain, for others have raised it.
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
        InUse { pool: self, newest: [newest; FAST_PATHS as usize] }
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
        // So many stay that each further slot that is in use, but for one perhaps, is one of theirs: a crowd need not look at them all
        // for each that comes. Relaxed: only a hint.
        // CHEAPER: who looks at one more, or one less, finds a slot in the end.
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
        // One of the two is empty.
        in_place.chain(self.above(ptr::null_mut())).chain(self.up_to(ptr::null_mut()).further())
    }

    /// The further slots that are newer than `last`, if that is not null.
    fn above(&self, last: *mut Further<T, P>) -> impl Iterator<Item = Place<'_, T, P>> {
        let mut link = self.newer(last);
        iter::from_fn(move || {
            // Acquire pairs with `ADD_SLOT`, as in `add`.
            let next = link?.load(Acquire);
            // SAFETY: invariant 3; the pointer is null or a slot that was added.
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
            // SAFETY: `&mut self`: nobody is in a slot.
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
        Self { slot, further: [further; FAST_PATHS as usize] }
    }

    fn of(further: &'a Further<T, P>) -> Self {
        Self::new(&further.slot, ptr::from_ref(further).cast_mut())
    }

    /// Null if it is in place, or where nobody asks.
    #[inline(always)]
    fn further(self) -> *mut Further<T, P> {
        self.further.first().map_or(ptr::null_mut(), |further| *further)
    }
}

impl<T, P, const N: usize> Drop for Pool<T, P, N> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` comes after all that was done here.
        let mut next = self.first.first().unwrap_or(&self.used).load(Relaxed);
        while let Some(further) = NonNull::new(next) {
            // SAFETY: `&mut self`: nobody is in a slot, and each was allocated in `add`.
            unsafe {
                let newer = further.as_ref().newer.first();
                next = newer.map_or(further.as_ref().older, |newer| newer.load(Relaxed));
                further.drop_in_place();
                dealloc(further.as_ptr().cast(), Layout::new::<Further<T, P>>());
            }
        }
    }
}
