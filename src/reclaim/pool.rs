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

mod slot;

use self::slot::{FOUND, claimed, found, free};
use super::Own;
use crate::layout::{FAST_PATHS, Padded, in_this_order};
use crate::model::{self, limit};
use crate::sync::{
    ADD_SLOT, AcqRel, Acquire, AtomicPtr, AtomicUsize, Initial, READ_HAZARD, Relaxed, alloc, array_of, context_hash,
    dealloc, initial, publish,
};
use crate::treiber::{Node, NodePtr};
use ::alloc::alloc::Layout;
use core::iter;
use core::ptr::{self, NonNull};

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
        /// The one before, or null. As the number, written before the slot is added, and never again.
        older: *mut Further<T, P>,
        number: usize,
        slot: Slot<T, P>,
        /// The one after, once there is one.
        newer: AtomicPtr<Further<T, P>>,
    }
}

type Further<T, P> = Padded<Extra<T, P>>;

/// `N` slots in place and the list of further ones.
pub struct Pool<T, P, const N: usize> {
    slots: [Padded<Slot<T, P>>; N],
    first: AtomicPtr<Further<T, P>>,
    /// See "Further slots".
    used: AtomicPtr<Further<T, P>>,
    /// Contexts that stay: handles.
    stays: AtomicUsize,
}

initial! { impl[T, P: Initial, const N: usize] Pool<T, P, N> = Pool {
    slots: array_of!(initial!(Padded<Slot<T, P>>); N),
    first: AtomicPtr::new(ptr::null_mut()),
    used: AtomicPtr::new(ptr::null_mut()),
    stays: AtomicUsize::new(0),
} }

/// A slot, and which further one it is.
pub struct Place<'a, T, P> {
    slot: &'a Slot<T, P>,
    /// Null if it is in place.
    further: *mut Further<T, P>,
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
    const PASSES: usize = if N <= FEW { 1 } else { 4 };

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
        // Relaxed: only a hint.
        self.claim_home().or_else(|| self.claim_elsewhere(claimed(), grow, self.stays.load(Relaxed)))
    }

    /// Claims a free slot by protecting `node` with it.
    #[inline(always)]
    pub(crate) fn claim_protecting(&self, node: NodePtr<T>) -> Option<Own<Owner<'_, T, P>>> {
        // Relaxed: as above.
        self.claim_home_protecting(node).or_else(|| self.claim_elsewhere(found(node), false, self.stays.load(Relaxed)))
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

    /// Claims a slot that is not the context's home, where `others` stay in one.
    #[cold]
    #[inline(never)]
    fn claim_elsewhere(&self, word: *mut Node<T>, grow: bool, others: usize) -> Option<Own<Owner<'_, T, P>>> {
        let home = Self::home();
        for _ in 0..Self::PASSES {
            // Finding a slot and losing it means that somebody else has claimed it: no pass in vain.
            while let Some(place) = self.find_free(home, others) {
                if let Some(own) = self.claim_at(place, word) {
                    return Some(own);
                }
            }
        }
        if !grow {
            return None;
        }
        loop {
            let added = self.add()?;
            if let Some(own) = self.claim_at(added, word) {
                return Some(own);
            }
        }
    }

    /// Claims a slot for long. Before, it sees to it that there are more slots than contexts that stay (invariant 4), if
    /// there is memory. [`Pool::end_stay`] has to follow, once.
    ///
    /// To look for a free slot instead would not do: it may be free only because a context that stays is on its way from
    /// one slot to another, and then comes back to it.
    pub(crate) fn claim_to_stay(&self) -> Option<Own<Owner<'_, T, P>>> {
        // Relaxed: of those that stay, whoever came last has counted all.
        let others = self.stays.fetch_add(1, Relaxed);
        while !self.has_more_than(others + 1) && self.add().is_some() {}
        let own = self.claim_home().or_else(|| self.claim_elsewhere(claimed(), true, others));
        if own.is_none() {
            self.end_stay();
        }
        own
    }

    /// Adds a free slot at the end of the list; `None` without memory.
    fn add(&self) -> Option<Place<'_, T, P>> {
        // SAFETY: the layout is not of size zero.
        let added = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Further<T, P>>())?;
        let (older, newer) = (ptr::null_mut(), AtomicPtr::new(ptr::null_mut()));
        // SAFETY: just allocated with this layout.
        unsafe { added.write(Padded(Extra { older, number: 1, slot: initial!(Slot<T, P>), newer })) };
        let mut older = self.used();
        loop {
            // SAFETY: not added yet, so it is still ours alone; the older one was added (invariant 3).
            let link = unsafe {
                (*added.as_ptr()).0.older = older;
                match older.as_ref() {
                    Some(older) => {
                        (*added.as_ptr()).0.number = older.number + 1;
                        &older.newer
                    }
                    None => &self.first,
                }
            };
            // Acquire pairs with `ADD_SLOT`: the contents of what others have added are visible.
            match link.compare_exchange(ptr::null_mut(), added.as_ptr(), ADD_SLOT, Acquire) {
                // SAFETY: invariant 3.
                Ok(_) => return Some(unsafe { Place::further(added.as_ref()) }),
                Err(newer) => older = newer,
            }
        }
    }
}

impl<T, P, const N: usize> Pool<T, P, N> {
    /// A context that stays leaves its slot, or has none any more.
    pub(crate) fn end_stay(&self) {
        self.stays.fetch_sub(1, Relaxed);
    }

    /// Claims the slot of this place, if it is free; `word` is [`claimed`] or a node to protect.
    fn claim_at<'a>(&self, place: Place<'a, T, P>, word: *mut Node<T>) -> Option<Own<Owner<'a, T, P>>> {
        // SAFETY: invariant 3.
        let Some(further) = (unsafe { place.further.as_ref() }) else { return place.slot.try_claim(word) };
        let own = place.slot.try_claim(claimed())?;
        self.use_up_to(further);
        if word != claimed() {
            publish(&place.slot.word, word);
        }
        Some(own)
    }

    /// Raises `used` to this slot, which the caller has claimed (invariant 5).
    fn use_up_to(&self, further: &Further<T, P>) {
        let mut used = self.used();
        // SAFETY: invariant 3.
        while unsafe { used.as_ref() }.is_none_or(|used| used.number < further.number) {
            // Release, as in `add`: the slot's contents are visible to who finds it here.
            match self.used.compare_exchange(used, ptr::from_ref(further).cast_mut(), ADD_SLOT, READ_HAZARD) {
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
    pub(crate) fn forget_unused(&self, mut used: InUse<'_, T, P, N>) {
        // SAFETY: invariant 3.
        while let Some(newest) = unsafe { used.newest.as_ref() } {
            // CHEAPER: the exchange alone says the same, but takes the cache line from who is inside.
            if !newest.slot.word.load(Relaxed).is_null() {
                return;
            }
            let Some(own) = newest.slot.try_claim(claimed()) else { return };
            // Invariant 5. Relaxed: it continues the release sequence of who put the newer one here.
            let lowered = self.used.compare_exchange(used.newest, newest.older, Relaxed, Relaxed);
            own.leave();
            if lowered.is_err() {
                return;
            }
            used.newest = newest.older;
        }
    }

    /// The newest further slot that may be in use, or null.
    fn used(&self) -> *mut Further<T, P> {
        // Acquire (or more, for a scan) pairs with `ADD_SLOT`: the slot's initial contents are visible.
        self.used.load(READ_HAZARD)
    }

    /// The slots that may be in use now.
    pub(crate) fn in_use(&self) -> InUse<'_, T, P, N> {
        InUse { pool: self, newest: self.used() }
    }

    /// Whether there are more slots than `count`.
    fn has_more_than(&self, count: usize) -> bool {
        let used = self.in_use();
        let more = (count + 1).saturating_sub(used.count());
        self.above(used.newest).take(more).count() == more
    }

    /// A free slot, if there is one.
    fn find_free(&self, start: usize, others: usize) -> Option<Place<'_, T, P>> {
        let (free, used) = (free::<T>().addr(), self.in_use());
        // Where as many contexts stay, each of these slots is one of theirs: so a crowd need not look at them all for each that comes.
        let searched = if others < used.count() { used } else { InUse { newest: ptr::null_mut(), ..used } };
        let above = || self.above(used.newest).find(|place| place.slot.word.load(Relaxed).addr() == free);
        searched.find(start, free, 0).or_else(above)
    }

    /// All slots, in place and further ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Place<'_, T, P>> {
        let in_place = self.slots.iter().map(|slot| Place { slot: &slot.0, further: ptr::null_mut() });
        in_place.chain(self.above(ptr::null_mut()))
    }

    /// The further slots that are newer than `last`, if that is not null.
    fn above(&self, last: *mut Further<T, P>) -> impl Iterator<Item = Place<'_, T, P>> {
        // SAFETY: invariant 3; the pointer is null or a slot that was added.
        let mut link = unsafe { last.as_ref() }.map_or(&self.first, |last| &last.newer);
        iter::from_fn(move || {
            // Acquire pairs with `ADD_SLOT`, as in `add`.
            // SAFETY: as above.
            let further = unsafe { link.load(Acquire).as_ref() }?;
            link = &further.newer;
            Some(Place::further(further))
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

/// The slots in place, and further ones down from the newest that was in use at some moment: all whose hazards a scan has to see
/// that looks at them after that.
pub(crate) struct InUse<'a, T, P, const N: usize> {
    pool: &'a Pool<T, P, N>,
    newest: *mut Further<T, P>,
}

impl<T, P, const N: usize> Clone for InUse<'_, T, P, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, P, const N: usize> Copy for InUse<'_, T, P, N> {}

impl<'a, T, P, const N: usize> InUse<'a, T, P, N> {
    /// How many they are.
    pub(crate) fn count(self) -> usize {
        // SAFETY: invariant 3.
        N + unsafe { self.newest.as_ref() }.map_or(0, |newest| newest.number)
    }

    /// The further ones.
    fn further(self) -> impl Iterator<Item = Place<'a, T, P>> {
        let mut next = self.newest;
        iter::from_fn(move || {
            // SAFETY: invariant 3; the pointer is null or a slot that was added.
            let further = unsafe { next.as_ref() }?;
            next = further.older;
            Some(Place::further(further))
        })
    }

    /// One whose word is from `least` to `least + span`, if there is one when it is looked at. Begins with that in place of index
    /// `start`.
    #[inline(never)]
    fn find(self, start: usize, least: usize, span: usize) -> Option<Place<'a, T, P>> {
        let matches = |slot: &Slot<T, P>| slot.word.load(READ_HAZARD).addr().wrapping_sub(least) <= span;
        for index in 0..N {
            let slot = &self.pool.slots[if N > FEW { (start + index) % N } else { index }];
            if matches(slot) {
                return Some(Place { slot, further: ptr::null_mut() });
            }
        }
        self.further().find(|place| matches(place.slot))
    }

    /// Whether some slot protects any node.
    pub(crate) fn protects_any(self) -> bool {
        let first = claimed::<T>().addr() + 1;
        // CHEAPER: to look for each node's hazard in vain takes time, but finds none.
        self.find(0, first, usize::MAX - first).is_some()
    }

    /// Whether some slot protects `node`.
    pub(crate) fn protects(self, node: NodePtr<T>) -> bool {
        self.find(0, node.as_ptr().addr(), FOUND).is_some()
    }

    /// The nodes that are protected; those that are only kept not, unless `kept` is set.
    #[inline(always)]
    pub(crate) fn hazards(self, kept: bool) -> impl Iterator<Item = *mut Node<T>> {
        // A kept node has bits that neither a free slot nor a claimed one has. Where none is kept, nothing tells them apart.
        let bits = if kept || FOUND == 0 { !claimed::<T>().addr() } else { FOUND };
        let in_place = self.pool.slots.iter().map(|slot| &slot.0);
        let slots = in_place.chain(self.further().map(|place| place.slot));
        let words = slots.map(|slot| slot.word.load(READ_HAZARD));
        words.filter(move |word| word.addr() & bits != 0).map(|word| word.map_addr(|address| address & !FOUND))
    }

    /// Gives `node`, which is retired, to the owner of the further slot that keeps it. Returns what the caller has to retire
    /// instead: nothing, or what was given to that slot before; or the same node, if no further slot keeps it.
    ///
    /// So an owner that rests has the node that it keeps in its own slot, and not in another one's list, which would be scanned
    /// the sooner for it. The slots in place do without: their number bounds what they keep.
    #[inline(always)]
    pub(crate) fn give(self, node: NodePtr<T>) -> Option<NodePtr<T>> {
        if !FAST_PATHS {
            return Some(node);
        }
        // Relaxed: if it is not kept any more, it is given all the same, and scanned there.
        let keeper = self.further().find(|place| place.slot.word.load(Relaxed) == node.as_ptr());
        match keeper.and_then(|place| place.slot.given.first()) {
            // Release pairs with the Acquire of `take_given`: the node was unlinked, and its link written, before what is done there.
            // Acquire pairs with the Release of who gave the other one, for the same.
            // UNTESTED: in the form of the barrier that loom checks, a scan's fence follows, and is an Acquire as well.
            Some(given) => NonNull::new(given.swap(node.as_ptr(), AcqRel)),
            None => Some(node),
        }
    }
}

impl<'a, T, P> Place<'a, T, P> {
    fn further(further: &'a Further<T, P>) -> Self {
        Self { slot: &further.slot, further: ptr::from_ref(further).cast_mut() }
    }
}

impl<T, P, const N: usize> Drop for Pool<T, P, N> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` comes after all that was done here.
        let mut next = self.first.load(Relaxed);
        while let Some(further) = NonNull::new(next) {
            // SAFETY: `&mut self`: nobody is in a slot, and each was allocated in `add`.
            unsafe {
                next = further.as_ref().newer.load(Relaxed);
                further.drop_in_place();
                dealloc(further.as_ptr().cast(), Layout::new::<Further<T, P>>());
            }
        }
    }
}
