//! Further slots, which are allocated when all in place are claimed at once.
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
//! time, but only the memory of its slots and of the nodes in them. Whoever has claimed a slot raises `used` to it, if need be,
//! before it goes on. Each scan of `Slots`, each handle that ends, and `reclaim` lower `used` by the free slots at its end.
//!
//! Where more threads than there are cores are inside, most slots are claimed by threads that do not run, and to find a free one
//! takes long. So each slot in place remembers the slot that was claimed `instead` of it last, for whoever comes next; but not
//! for ever the newest in use, which a scan, or a handle that ends, finds claimed.
//!
//! Where code is short there is no crowd: `used` is the newest of all, and nothing lowers it.
//!
//! The rules SLOT-1 to SLOT-5 are the [`pool`](super)'s.

use super::slot::{Slot, claimed};
use super::{Guard, InUse, Pool};
use crate::layout::{FAST_PATHS, IfFast, Padded, in_this_order};
use crate::reclaim::sealed::Heap;
use crate::sync::{
    ADD_SLOT, Acquire, AtomicPtr, Initial, Ordering, READ_HAZARD, Relaxed, Release, alloc, dealloc, initial,
};
use crate::treiber::Node;
use core::iter;
use core::ptr::{self, NonNull};

in_this_order! {
    /// A further slot, in memory of its own: so there are no more than contexts need, and the bound on memory counts slots.
    /// tuning.md, "Slots". What a scan reads, the link and the slot's word, is on the first cache line.
    pub struct Extra<T, R: Heap, L: Initial> {
        /// The further slot before, or null. Written before this one is added, and never again.
        pub(super) older: *mut Further<T, R, L>,
        /// The further slot after, once there is one.
        newer: IfFast<AtomicPtr<Further<T, R, L>>>,
        /// Which one it is, by age, from 1. Written as `older`.
        number: IfFast<usize>,
        pub(super) slot: Slot<T, R, L>,
    }
}

pub(super) type Further<T, R, L> = Padded<Extra<T, R, L>>;

impl<T, R: Heap, L: Initial> Pool<T, R, L> {
    /// Adds a slot with this word at the end of the list; `None` without memory.
    pub(super) fn add(&self, word: *mut Node<T>) -> Option<&Slot<T, R, L>> {
        /// Acquire pairs with `ADD_SLOT`: the contents of what others have added are visible. Where code is short, only its
        /// address is used.
        const SEE: Ordering = if FAST_PATHS { READ_HAZARD } else { Relaxed };
        // SAFETY: the layout is not of size zero.
        let added = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Further<T, R, L>>())?;
        let slot = Slot::of(added.as_ptr(), word);
        let extra = Extra { older: ptr::null_mut(), newer: initial!(_), number: initial!(_), slot };
        // SAFETY: just allocated with this layout.
        unsafe { added.write(Padded(extra)) };
        let mut older = self.used.load(SEE);
        loop {
            // SAFETY: it is not added yet, so it is still ours alone.
            let extra = unsafe { &mut (*added.as_ptr()).0 };
            extra.older = older;
            let (link, expected) = match self.newer(older) {
                Some(newer) => {
                    extra.number = IfFast::new(1 + Self::number(older));
                    (newer, ptr::null_mut())
                }
                None => (&self.used, older),
            };
            // Weak: who fails for no reason goes on from the first one.
            match link.compare_exchange_weak(expected, added.as_ptr(), ADD_SLOT, SEE) {
                // SAFETY: SLOT-3: it was added, so it stays.
                Ok(_) => return Some(unsafe { &added.as_ref().slot }),
                Err(other) => older = other,
            }
        }
    }

    /// The number of a further slot; 0 for null. Where numbers are not noted, the slots are counted.
    pub(super) fn number(further: *mut Further<T, R, L>) -> usize {
        let (mut next, mut counted) = (further, 0);
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        while let Some(further) = unsafe { next.as_ref() } {
            if let Some(number) = further.number.get() {
                return *number;
            }
            counted += 1;
            next = further.older;
        }
        counted
    }

    /// The link to the further slot after this one, or, for null, to the first one. `None` where code is short: then `used` is
    /// that link.
    pub(super) fn newer(&self, further: *mut Further<T, R, L>) -> Option<&AtomicPtr<Further<T, R, L>>> {
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        match unsafe { further.as_ref() } {
            Some(further) => further.newer.get(),
            None => self.first.get(),
        }
    }

    /// Raises `used` to this slot, which the caller has claimed (SLOT-5), if need be. Null is one in place.
    pub(super) fn use_up_to(&self, further: *mut Further<T, R, L>) {
        // CHEAPER: null has the number 0, with which nothing is raised, but to ask reads what others write.
        if further.is_null() {
            return;
        }
        let mut used = self.used();
        while Self::number(used) < Self::number(further) {
            // Release pairs with `READ_HAZARD`: the slot's contents are visible to whoever finds it here.
            match self.used.compare_exchange(used, further, ADD_SLOT, READ_HAZARD) {
                Ok(_) => return,
                Err(other) => used = other,
            }
        }
    }

    /// Lowers `used` by the free slots at its end.
    pub(crate) fn forget_unused<'a>(&'a self, mut used: InUse<'a, T, R, L>) {
        if !FAST_PATHS {
            return;
        }
        // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
        while let Some(newest) = unsafe { used.newest().as_ref() } {
            // CHEAPER: the exchange alone says the same, but takes the cache line from whoever is inside.
            if !newest.slot.word.load(Relaxed).is_null() {
                self.forget_instead(used.newest());
                return;
            }
            if !newest.slot.try_claim(claimed()) {
                return;
            }
            // SLOT-5: this context owns the slot that `used` names. Release pairs with `READ_HAZARD`: what the slot's owners have
            // read of nodes happens before what a scan does that leaves the slot out.
            // CHEAPER: whoever takes a failure for success goes on, and looks in vain.
            let lowered = self.used.compare_exchange(used.newest(), newest.older, Release, Relaxed);
            // SAFETY: it is not used any more.
            unsafe { Guard { pool: self, slot: &newest.slot }.leave() };
            // CHEAPER: others have raised it, so whoever goes on looks in vain.
            if lowered.is_err() {
                return;
            }
            used = self.up_to(newest.older);
        }
    }

    /// Forgets this further slot in each slot in place that remembers it, so that whoever comes next looks for an older one.
    fn forget_instead(&self, newest: *mut Further<T, R, L>) {
        for slot in self.in_place() {
            // CHEAPER: whoever comes back to it keeps all older ones in use, and scans long; the suite `crowd` of the simulated
            // machine objects. Who forgets another one has to look for a slot anew.
            if let Some(instead) = slot.0.instead.get().filter(|instead| instead.load(Relaxed) == newest) {
                // Relaxed: null leads to no slot.
                // CHEAPER: as above.
                instead.store(ptr::null_mut(), Relaxed);
            }
        }
    }

    /// The newest further slot that may be in use, or null.
    pub(super) fn used(&self) -> *mut Further<T, R, L> {
        // Acquire (or more, for a scan) pairs with `ADD_SLOT`: the slot's initial contents are visible.
        self.used.load(READ_HAZARD)
    }

    /// The further slots that are newer than `last`, if that is not null.
    pub(super) fn above(&self, last: *mut Further<T, R, L>) -> impl Iterator<Item = &Slot<T, R, L>> {
        let mut link = self.newer(last);
        iter::from_fn(move || {
            // Acquire pairs with `ADD_SLOT`: the slot's contents are visible.
            let next = link?.load(Acquire);
            // SAFETY: SLOT-3: the pointer is null, or to a slot that was added.
            let further = unsafe { next.as_ref() }?;
            link = self.newer(next);
            Some(&further.slot)
        })
    }
}

impl<T, R: Heap, L: Initial> Drop for Pool<T, R, L> {
    fn drop(&mut self) {
        R::clear(self);
        // Relaxed: `&mut self` comes after all that others have done here.
        let mut next = self.first.get().unwrap_or(&self.used).load(Relaxed);
        while let Some(further) = NonNull::new(next) {
            // SAFETY: `&mut self`: nobody is in a slot, and each was allocated in `add`.
            unsafe {
                let newer = further.as_ref().newer.get();
                next = newer.map_or(further.as_ref().older, |newer| newer.load(Relaxed));
                further.drop_in_place();
                dealloc(further.as_ptr().cast(), Self::LAYOUT);
            }
        }
    }
}
