//! Slots: who owns which, and the hazard that each shows.
//!
//! A pool holds `N` slots in place, and a push-only list of further ones, which are allocated when all are
//! claimed at once. Both engines keep what a context owns in a slot.
//!
//! # Invariants
//!
//! 1. Only the context that moved the word away from `FREE` writes it, until it moves it back.
//! 2. That context alone touches the slot's private part. Leaving is a Release and claiming an Acquire, which
//!    hands the private part on.
//! 3. Slots are never removed from a pool, so references to them live as long as the pool.
//! 4. There are more slots than contexts that stay in one, if there was memory for them. So who waits for a slot waits
//!    for operations only, which end.

mod slot;

use self::slot::{FOUND, claimed, found, free};
use crate::model::{self, limit};
use crate::sync::{
    ADD_SLOT, AcqRel, AtomicPtr, AtomicUsize, FAST_PATHS, Initial, Padded, READ_HAZARD, Relaxed, alloc, array_of,
    context_hash, dealloc, initial,
};
use crate::treiber::{Node, NodePtr};
use ::alloc::alloc::Layout;
use core::ptr::{self, NonNull};

pub(crate) use self::slot::PrivateRef;
pub use self::slot::{Claim, Owner, Slot};

/// With so few slots in place (one core and its interrupt handler) it does not pay to spread the contexts over
/// them, or to filter hazards: it would be 100 bytes of code, and 8 instructions of each operation.
pub(crate) const FEW: usize = limit(2, model::FEW);

/// A further slot, in memory of its own. What a scan reads, the link and the slot's word, is on the first cache line; where there
/// are none, the compiler's own order of the fields makes shorter code.
///
/// An allocator that serves threads from arenas puts the slots that they make at the same place in each arena, so in the same few
/// lines of a cache. Where that matters most, pairs through `Handle` with 32 threads take 31.8 ns so, and 29.2 with further slots
/// in blocks of eight (2 cores where a step of waiting takes 46 ns, medians of 41 samples); where a step takes 25 ns, as long. But
/// one by one there are no more slots than contexts need, and a bound on memory counts slots.
#[cfg_attr(any(target_pointer_width = "64", not(target_os = "none")), repr(C))]
struct Extra<T, P> {
    /// Written before the slot is added, never again.
    next: *mut Padded<Self>,
    slot: Slot<T, P>,
}

impl<T, P> Extra<T, P> {
    const LAYOUT: Layout = Layout::new::<Padded<Self>>();
}

/// `N` slots in place and the list of further ones.
pub struct Pool<T, P, const N: usize> {
    slots: [Padded<Slot<T, P>>; N],
    extra: AtomicPtr<Padded<Extra<T, P>>>,
    /// Contexts that stay: handles.
    stays: AtomicUsize,
}

initial! { impl[T, P: Initial, const N: usize] Pool<T, P, N> = Pool {
    slots: array_of!(initial!(Padded<Slot<T, P>>); N),
    extra: AtomicPtr::new(ptr::null_mut()),
    stays: AtomicUsize::new(0),
} }

impl<T, P: Initial, const N: usize> Pool<T, P, N> {
    /// How often a claim has to find all slots claimed before it says so.
    ///
    /// Others come and go, so it may find each slot claimed in turn though one was always free. Two contexts that
    /// both look at the first of two slots first cannot do that to each other.
    const PASSES: usize = if N <= FEW { 1 } else { 4 };

    /// Claims the slot that this context tries first, if it is free.
    #[inline(always)]
    pub(crate) fn claim_home(&self) -> Option<Claim<'_, T, P>> {
        self.slots[Self::home()].try_claim(claimed())
    }

    /// The same, by protecting `node` with it.
    #[inline(always)]
    pub(crate) fn claim_home_protecting(&self, node: NodePtr<T>) -> Option<Claim<'_, T, P>> {
        self.slots[Self::home()].try_claim(found(node))
    }

    /// Claims a free slot, protecting nothing. If there is none, adds one if `grow` is set and there is memory.
    #[inline(always)]
    pub(crate) fn claim(&self, grow: bool) -> Option<Claim<'_, T, P>> {
        self.claim_home().or_else(|| self.claim_elsewhere(claimed(), grow))
    }

    /// Claims a free slot by protecting `node` with it.
    #[inline(always)]
    pub(crate) fn claim_protecting(&self, node: NodePtr<T>) -> Option<Claim<'_, T, P>> {
        self.claim_home_protecting(node).or_else(|| self.claim_elsewhere(found(node), false))
    }

    /// The slot in place that this context tries first.
    #[inline(always)]
    fn home() -> usize {
        const { assert!(N > 0 && N < 1 << 16, "Slots<N>: N is at least 1 and below 65536") };
        if N <= FEW {
            return 0;
        }
        // Scales the hash to 0..N without a division.
        #[expect(clippy::cast_possible_truncation, reason = "N is below 65536")]
        let slots = N as u32;
        (((context_hash() >> 16) * slots) >> 16) as usize % N
    }

    #[cold]
    #[inline(never)]
    fn claim_elsewhere(&self, word: *mut Node<T>, grow: bool) -> Option<Claim<'_, T, P>> {
        let home = Self::home();
        for _ in 0..Self::PASSES {
            // Finding a slot and losing it means that somebody else has claimed it: no pass in vain.
            while let Some(slot) = self.find_free(home) {
                if let Some(claim) = slot.try_claim(word) {
                    return Some(claim);
                }
            }
        }
        if grow { self.add(word).map(|slot| Claim(Owner(slot))) } else { None }
    }

    /// Claims a slot for long. Before, it sees to it that there are more slots than contexts that stay (invariant 4), if
    /// there is memory. [`Pool::end_stay`] has to follow, once.
    ///
    /// To look for a free slot instead would not do: it may be free only because a context that stays is on its way from
    /// one slot to another, and then comes back to it.
    pub(crate) fn claim_to_stay(&self) -> Option<Claim<'_, T, P>> {
        // Relaxed: of those that stay, whoever came last has counted all.
        let stays = self.stays.fetch_add(1, Relaxed) + 1;
        while self.iter().count() <= stays && self.add(free()).is_some() {}
        let claim = self.claim(true);
        if claim.is_none() {
            self.end_stay();
        }
        claim
    }

    /// A context that stays leaves its slot, or has none any more.
    pub(crate) fn end_stay(&self) {
        self.stays.fetch_sub(1, Relaxed);
    }

    fn add(&self, word: *mut Node<T>) -> Option<&Slot<T, P>> {
        // SAFETY: the layout is not of size zero.
        let extra = NonNull::new(unsafe { alloc(Extra::<T, P>::LAYOUT) }.cast::<Padded<Extra<T, P>>>())?;
        let slot = Slot { word: AtomicPtr::new(word), ..initial!(Slot<T, P>) };
        // SAFETY: just allocated with this layout. The link follows.
        unsafe { (&raw mut (*extra.as_ptr()).0.slot).write(slot) };
        loop {
            let first = self.extra.load(Relaxed);
            // SAFETY: not added yet, so it is still ours alone.
            unsafe { (*extra.as_ptr()).0.next = first };
            if self.extra.compare_exchange_weak(first, extra.as_ptr(), ADD_SLOT, Relaxed).is_ok() {
                break;
            }
        }
        // SAFETY: invariant 3.
        Some(unsafe { &extra.as_ref().slot })
    }
}

impl<T, P, const N: usize> Pool<T, P, N> {
    /// A slot whose word is from `least` to `least + span`, if there is one when it is looked at. Starts with the slot
    /// in place of index `start`.
    #[inline(never)]
    fn find(&self, start: usize, least: usize, span: usize) -> Option<&Slot<T, P>> {
        let matches = |slot: &Slot<T, P>| slot.word.load(READ_HAZARD).addr().wrapping_sub(least) <= span;
        for index in 0..N {
            let slot = &self.slots[if N > FEW { (start + index) % N } else { index }];
            if matches(slot) {
                return Some(slot);
            }
        }
        self.extras().find(|slot| matches(slot))
    }

    /// A free slot, if there is one.
    fn find_free(&self, start: usize) -> Option<&Slot<T, P>> {
        self.find(start, free::<T>().addr(), 0)
    }

    /// Whether some slot protects any node.
    pub(crate) fn protects_any(&self) -> bool {
        let first = claimed::<T>().addr() + 1;
        // Unchecked: to look for each node's hazard in vain takes time, but finds none.
        self.find(0, first, usize::MAX - first).is_some()
    }

    /// Whether some slot protects `node`.
    pub(crate) fn protects(&self, node: NodePtr<T>) -> bool {
        self.find(0, node.as_ptr().addr(), FOUND).is_some()
    }

    /// The nodes that are protected; those that are only kept not, unless `kept` is set.
    #[inline(always)]
    pub(crate) fn hazards(&self, kept: bool) -> impl Iterator<Item = *mut Node<T>> {
        // A kept node has bits that neither a free slot nor a claimed one has. Where none is kept, nothing tells them apart.
        let bits = if kept || FOUND == 0 { !claimed::<T>().addr() } else { FOUND };
        let words = self.iter().map(|slot| slot.word.load(READ_HAZARD));
        words.filter(move |word| word.addr() & bits != 0).map(|word| word.map_addr(|address| address & !FOUND))
    }

    /// Gives `node`, which is retired, to the owner of the further slot that keeps it. Returns what the caller has to retire
    /// instead: nothing, or what was given to that slot before; or the same node, if no further slot keeps it.
    ///
    /// So an owner that rests has the node that it keeps in its own slot, and not in another one's list, which would be scanned
    /// the sooner for it. The slots in place do without: their number bounds what they keep.
    #[inline(always)]
    pub(crate) fn give(&self, node: NodePtr<T>) -> Option<NodePtr<T>> {
        if !FAST_PATHS {
            return Some(node);
        }
        // Relaxed: if it is not kept any more, it is given all the same, and scanned there.
        let keeper = self.extras().find(|slot| slot.word.load(Relaxed) == node.as_ptr());
        match keeper.and_then(|slot| slot.given.first()) {
            // Release: see `take_given`; Acquire pairs with the Release of who gave the other one, for the same.
            // Unchecked: as there.
            Some(given) => NonNull::new(given.swap(node.as_ptr(), AcqRel)),
            None => Some(node),
        }
    }

    /// All slots, in place and further ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<T, P>> {
        self.slots.iter().map(|slot| &slot.0).chain(self.extras())
    }

    fn extras(&self) -> impl Iterator<Item = &Slot<T, P>> {
        // Acquire (or more, for a scan) pairs with `ADD_SLOT`: the slot's initial contents are visible.
        let mut next = self.extra.load(READ_HAZARD);
        core::iter::from_fn(move || {
            // SAFETY: invariant 3; the pointer is null or a slot that was added.
            let extra = unsafe { next.as_ref() }?;
            next = extra.next;
            Some(&extra.slot)
        })
    }

    /// Every slot's private part, and the node that was given to it, for whoever has the pool to itself.
    pub(crate) fn for_each_private(&mut self, mut visit: impl FnMut(&mut P, Option<NodePtr<T>>)) {
        for slot in self.iter() {
            let given = Owner(slot).take_given();
            let private = slot.private.get_mut();
            // SAFETY: `&mut self`: nobody is in a slot.
            visit(unsafe { private.deref() }, given);
        }
    }

    /// The sum of all slots' counters.
    #[cfg(feature = "stats")]
    pub(crate) fn stats(&self) -> crate::Stats {
        let mut stats = crate::Stats::default();
        self.iter().for_each(|slot| stats.add(&slot.counters));
        stats
    }
}

impl<T, P, const N: usize> Drop for Pool<T, P, N> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` comes after all that was done here.
        let mut next = self.extra.load(Relaxed);
        while let Some(extra) = NonNull::new(next) {
            // SAFETY: `&mut self`: nobody is in a slot, and each was allocated in `add`.
            unsafe {
                next = extra.as_ref().next;
                extra.drop_in_place();
                dealloc(extra.as_ptr().cast(), Extra::<T, P>::LAYOUT);
            }
        }
    }
}
