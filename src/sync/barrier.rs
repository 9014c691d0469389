//! The barrier between showing hazards and scanning them.
//!
//! # Rules
//!
//! A pop publishes a hazard, then reads the head again. A scan follows the unlinking of a node, then reads the hazards. Each side
//! writes one place and reads the other's (store buffering), so acquire and release do not suffice: both could read old values,
//! and the pop would keep a node that the scan hands out again.
//!
//! * **BARRIER-1**: A full barrier lies between publishing a hazard and reading the head again, and one between unlinking a node
//!   and reading the hazards for it. So the pop finds the node unlinked, or the scan finds the hazard, or both.
//!   Checked by `pop_against_reuse_of_the_node`, `take_all_and_push_against_pop` in `tests/loom/tests/loom.rs`, `hazard-claim` in
//!   `tests/litmus/aarch64/hazard-claim.litmus`, `hazard-publish` in `tests/litmus/riscv/hazard-publish.litmus`.
//! * **BARRIER-2**: A hazard that is shown before its node is linked needs no barrier: whoever unlinks the node has seen it
//!   linked, by Acquire and Release, and so sees the hazard.
//!   Checked by `handle_against_reuse_of_what_it_pushed` in `tests/loom/tests/loom.rs`.
//! * **BARRIER-3**: A hazard is taken away by a Release, and read with Acquire. So what its owner has read of the node happens
//!   before what a scan does with the node that finds the hazard gone.
//!   Checked by `pop_against_reuse_of_the_node` in `tests/loom/tests/loom.rs`, `reuse` in `tests/litmus/aarch64/reuse.litmus`.
//!
//! There are two forms of the barrier, and the algorithm is written against their common names ([`publish`], [`CLAIM`],
//! [`RECHECK`], [`UNLINK`], [`DETACH`], [`scan_barrier`], [`READ_HAZARD`]):
//!
//! * **Fences**, the general form: `fence(SeqCst)` on both sides, and accesses as weak as they can be. Loom checks this one: it
//!   models fences, but treats `SeqCst` accesses as `AcqRel`.
//! * **Accesses**, on x86: the four accesses themselves are `SeqCst`. The two writes are locked instructions in any case, and the
//!   two reads are plain ones there, so the barrier costs nothing more. tuning.md, "Barriers". Also used under
//!   `cfg(elimination_stack_sanitize)`, because `ThreadSanitizer` does not understand fences that stand alone; and under
//!   `cfg(elimination_stack_simulate)`, whose machine costs what x86 costs.

#[cfg(any(
    elimination_stack_loom,
    not(any(target_arch = "x86", target_arch = "x86_64", elimination_stack_sanitize, elimination_stack_simulate))
))]
mod imp {
    use crate::layout::FAST_PATHS;
    use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

    #[cfg(elimination_stack_loom)]
    use loom::sync::atomic::fence;
    #[cfg(not(elimination_stack_loom))]
    use portable_atomic::fence;

    /// Publishes `hazard` in a slot's word that the caller owns.
    #[inline(always)]
    pub(crate) fn publish<T>(word: &AtomicPtr<T>, hazard: *mut T) {
        // Release pairs with `READ_HAZARD` (BARRIER-3).
        word.store(hazard, Ordering::Release);
    }

    /// [`publish`], where the hazard is a node's number.
    #[inline(always)]
    pub(crate) fn publish_number(word: &AtomicUsize, hazard: usize) {
        // Release pairs with `READ_HAZARDS` and `hazards_barrier` (BARRIER-3).
        word.store(hazard, Ordering::Release);
    }

    /// Between publishing a hazard, by [`publish`] or [`CLAIM`], and [`RECHECK`]; pairs with [`scan_barrier`] (BARRIER-1).
    #[inline(always)]
    pub(crate) fn publish_barrier() {
        fence(Ordering::SeqCst);
    }

    /// Where another crate has published the hazard: nothing, since [`publish_barrier`] follows.
    #[inline(always)]
    #[allow(dead_code, reason = "for the engine `Haphazard`, which not every target has")]
    pub(crate) fn foreign_publish_barrier() {}

    /// Taking a free slot. Acquire pairs with the Release that left it (SLOT-2).
    pub(crate) const CLAIM: Ordering = Ordering::Acquire;
    /// [`CLAIM`], where [`publish_barrier`] or [`scan_barrier`] follows before anything else, which is an Acquire, too. Release
    /// pairs with the Acquire of whoever finds the slot claimed (FIXED-7).
    // UNTESTED: in loom that one has seen the latest values without it. The litmus test `fixed-claim` objects.
    pub(crate) const CLAIM_BEFORE_BARRIER: Ordering = Ordering::Release;

    /// Between unlinking nodes and reading the hazards; pairs with [`publish_barrier`] (BARRIER-1).
    #[inline(always)]
    pub(crate) fn scan_barrier() {
        fence(Ordering::SeqCst);
    }

    /// Reading the head again after a hazard was published. Acquire pairs with the Release that linked the node (LIST-5).
    pub(crate) const RECHECK: Ordering = Ordering::Acquire;
    /// Unlinking one node, whose contents [`RECHECK`] has made visible. But where it may have been pushed again since then, or
    /// since it was kept, Acquire pairs with the Release that linked it: for its value (LIST-5), and for the hazard of whoever
    /// keeps it now (BARRIER-2). `Fixed`, where a protected node does not become the same head again (FIXED-3), does
    /// without, but uses the same name.
    pub(crate) const UNLINK: Ordering = if FAST_PATHS { Ordering::Acquire } else { Ordering::Relaxed };
    /// Unlinking all nodes at once. Acquire pairs with the Release that linked them (LIST-5).
    pub(crate) const DETACH: Ordering = Ordering::Acquire;
    /// Reading a hazard in a scan. Acquire pairs with the Release that took the hazard away (BARRIER-3).
    pub(crate) const READ_HAZARD: Ordering = Ordering::Acquire;
    /// [`READ_HAZARD`], where [`hazards_barrier`] follows once all are read.
    pub(crate) const READ_HAZARDS: Ordering = Ordering::Relaxed;

    /// After hazards were read by [`READ_HAZARDS`]. Acquire pairs with the Release that took a hazard away (BARRIER-3).
    #[inline(always)]
    pub(crate) fn hazards_barrier() {
        fence(Ordering::Acquire);
    }

    /// Adding a slot. Release pairs with [`READ_HAZARD`], with which a scan also reads the list of slots.
    pub(crate) const ADD_SLOT: Ordering = Ordering::Release;
}

// UNTESTED: loom does not model orderings of accesses that are stronger than `AcqRel`, and with weaker ones x86 executes
// the same instructions. Only C11's model tells them apart, in which `SeqCst` accesses are what BARRIER-1 asks for.
#[cfg(all(
    not(elimination_stack_loom),
    any(target_arch = "x86", target_arch = "x86_64", elimination_stack_sanitize, elimination_stack_simulate)
))]
mod imp {
    use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

    /// Publishes `hazard` in a slot's word that the caller owns.
    #[inline(always)]
    pub(crate) fn publish<T>(word: &AtomicPtr<T>, hazard: *mut T) {
        word.swap(hazard, Ordering::SeqCst);
    }

    /// [`publish`], where the hazard is a node's number.
    #[inline(always)]
    pub(crate) fn publish_number(word: &AtomicUsize, hazard: usize) {
        word.swap(hazard, Ordering::SeqCst);
    }

    /// Nothing: [`publish`], [`CLAIM`] and [`RECHECK`] are the barrier, and [`ADD_SLOT`] for further slots.
    #[inline(always)]
    pub(crate) fn publish_barrier() {}

    /// Where another crate has published the hazard, by an access that is not part of the barrier.
    #[inline(always)]
    #[allow(dead_code, reason = "for the engine `Haphazard`, which not every target has")]
    pub(crate) fn foreign_publish_barrier() {
        // The simulated machine is sequentially consistent.
        #[cfg(not(elimination_stack_simulate))]
        {
            // UNTESTED: without it the processor has only a few cycles to go wrong in, which no test hits.
            portable_atomic::fence(Ordering::SeqCst);
        }
    }

    pub(crate) const CLAIM: Ordering = Ordering::SeqCst;
    pub(crate) const CLAIM_BEFORE_BARRIER: Ordering = Ordering::SeqCst;

    /// Nothing: the accesses of [`UNLINK`], [`DETACH`] and [`READ_HAZARD`] are the barrier.
    #[inline(always)]
    pub(crate) fn scan_barrier() {}

    pub(crate) const RECHECK: Ordering = Ordering::SeqCst;
    pub(crate) const UNLINK: Ordering = Ordering::SeqCst;
    pub(crate) const DETACH: Ordering = Ordering::SeqCst;
    pub(crate) const READ_HAZARD: Ordering = Ordering::SeqCst;
    pub(crate) const READ_HAZARDS: Ordering = Ordering::SeqCst;

    /// Nothing: [`READ_HAZARDS`] is an Acquire, too.
    #[inline(always)]
    pub(crate) fn hazards_barrier() {}

    /// Part of the barrier, too, for hazards in further slots (SLOT-5).
    pub(crate) const ADD_SLOT: Ordering = Ordering::SeqCst;
}

pub(crate) use imp::*;
