//! Engine `Haphazard`: the same seam on the `haphazard` crate.
//!
//! Each slot keeps a hazard record of that crate instead of a hazard of its own, and instead of retired lists
//! there is one haphazard domain, made with the first node. What the domain reclaims is not freed but becomes a
//! spare node again.
//!
//! # Rules
//!
//! * **DOMAIN-1**: The domain, and the spare list beside it, have a fixed address from the first node on until the stack is
//!   dropped. No node exists before them, so whoever has seen a node finds them.
//!   Checked by `first_nodes`, `first_node_against_pop` in `tests/loom/tests/loom_haphazard.rs`.
//! * **DOMAIN-2**: A retired node's link is the address of that pair, so that the crate's deleter, which knows only the node,
//!   finds the spare list. A slower pop that reads it as the node below does not use it, since its compare-exchange fails
//!   (LIST-3).
//!   Checked by `first_node_against_pop` in `tests/loom/tests/loom_haphazard.rs`.
//! * **DOMAIN-3**: Nobody protects a spare node: the domain has found it unprotected, or it is new. The list of shared spare
//!   nodes is only ever taken whole, so whoever takes it need not protect a node of it.
//!   Checked by `take_all_and_push_against_pop`, `reclaim_against_spare_nodes` in `tests/loom/tests/loom_haphazard.rs`.

mod shared;

use self::shared::{Recycle, Shared};
use super::chain::List;
use super::pool::Pool;
use super::{Search, sealed};
use crate::OutOfMemory;
use crate::engine::Permit;
use crate::model::{self, limit};
use crate::sync::{
    AcqRel, Acquire, AtomicPtr, Initial, Relaxed, Release, alloc, dealloc, foreign_publish_barrier, initial,
};
use crate::treiber::{Node, NodePtr};
use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use haphazard::raw::{self, HazardPointer};

/// The engine for programs that already trust the [`haphazard`](https://docs.rs/haphazard) crate.
///
/// A slot calls that crate's `eager_reclaim` after each `RECLAIM_AT` nodes that it has retired; the crate by itself
/// would wait for 1000. There are 8 slots in place, and further ones as in [`Slots`](crate::Slots).
///
/// # What it cannot promise
///
/// All of this is so in haphazard 0.1.8, whatever its caller does:
///
/// * Retiring boxes a record, so `pop` allocates, and so does reclaiming, which builds a `BTreeSet`. Without
///   memory both end as `Box::new` does, in `try_pop` too; if that is a panic, the program ends. `try_push` never does.
/// * An operation that reclaims may call the allocator and free, so none is fit for an interrupt handler.
/// * A context that stalls while it reclaims, or takes spare nodes, holds back all that were retired or spare then. So
///   [`IDLE_NODES`](crate::Stack::IDLE_NODES) and the reserved nodes count once more for each context that is stalled there.
/// * After [`reserve`](crate::Stack::reserve), `push_spare` refuses while another context has the spare nodes in hand.
/// * A push whose slot has no spare node walks over all that are shared, so `reserve` few.
/// * Taking a hazard record spins on a lock bit. So each slot keeps its record, and takes one only once; and after a crowd of
///   handles has gone, whoever reclaims still walks over the records of them all.
/// * That crate takes `--cfg loom` as a wish for its own models: a stack on it panics then, outside of one.
/// * It needs compare-exchange from `core`, so it does not exist on targets without.
#[derive(Debug)]
pub enum Haphazard<const RECLAIM_AT: usize = 64> {}

impl<const RECLAIM_AT: usize> Haphazard<RECLAIM_AT> {
    /// Slots in place.
    pub const SLOTS: usize = limit(8, model::HAPHAZARD_SLOTS);
    /// Spare nodes that a slot takes at once.
    pub const SPARE_LIMIT: usize = limit(32, model::HAPHAZARD_SPARE);
}

/// A slot's hazard, and what it has retired.
pub struct Record {
    /// Borrows from the domain, which outlives it (DOMAIN-1). Always initialised: the type says `MaybeUninit` because what a
    /// value borrows has to outlive each call that the value is moved into, and the domain does not outlive the drop of the
    /// stack.
    hazard: Option<MaybeUninit<HazardPointer<'static, ()>>>,
    /// Nodes retired since this slot reclaimed last.
    nodes: usize,
}

/// Calls the crate. `extern "C"`, so that what unwinds there, because no memory is a panic, ends the program: a slot would never
/// be left (GUARD-4).
extern "C" fn without_unwinding<O>(call: impl FnOnce() -> O) -> O {
    call()
}

initial! { impl[] Record { hazard, nodes } }

/// What the slots share: null until the first node is made; then it stays.
pub struct SharedLink<T>(AtomicPtr<Shared<T>>);

initial! { impl[T] SharedLink<T> { 0 } }

/// One context in one slot.
type Guard<'a, T, L, const RECLAIM_AT: usize> = super::Guard<'a, T, Haphazard<RECLAIM_AT>, L>;

impl<T> SharedLink<T> {
    const LAYOUT: Layout = Layout::new::<Shared<T>>();

    fn get(&self) -> Option<&Shared<T>> {
        // Acquire pairs with the Release in `get_or_make`.
        let mut shared = self.0.load(Acquire);
        // UNTESTED: loom's loads see the latest value here, so this is never null for who has seen a node.
        if shared.is_null() {
            // Who has seen a node may still have read null above, but does not here.
            // UNTESTED: loom's read-modify-writes always see the latest value. By the memory model this one does because of its
            // Release and the Acquire in `get_or_make`: had it read and written null before that, seeing the node would happen
            // before making the domain.
            shared = self.0.compare_exchange(shared, shared, Release, Acquire).unwrap_or_else(|shared| shared);
        }
        // SAFETY: DOMAIN-1: the pointer is null, or to what stays where it is.
        unsafe { shared.as_ref() }
    }

    /// The shared part, made now if need be.
    fn get_or_make(&self) -> Option<&Shared<T>> {
        self.get().or_else(|| {
            #[expect(clippy::cast_ptr_alignment, reason = "the layout says how it is aligned")]
            // SAFETY: the layout is not of size zero.
            let new = NonNull::new(unsafe { alloc(Self::LAYOUT) }.cast::<Shared<T>>())?;
            // SAFETY: just allocated with this layout.
            unsafe { new.write(Shared::new()) };
            // DOMAIN-2: the deleter makes a pointer of the address.
            new.as_ptr().expose_provenance();
            // Release pairs with the Acquire in `get`, which is also called if somebody else was faster.
            // UNTESTED: Acquire pairs with the Release of the exchange in `get`, which in loom sees the latest value in any
            // case.
            if self.0.compare_exchange(ptr::null_mut(), new.as_ptr(), AcqRel, Relaxed).is_err() {
                // SAFETY: ours alone, and made above.
                unsafe { free_shared(new) };
            }
            self.get()
        })
    }
}

/// Drops the domain first, since its deleters put nodes into the spare list; and each of the two by itself, so that there is no
/// exclusive reference to the list meanwhile.
///
/// # Safety
///
/// `shared` was allocated in `get_or_make`, and nobody uses it any more.
unsafe fn free_shared<T>(shared: NonNull<Shared<T>>) {
    let shared = shared.as_ptr();
    // SAFETY: the caller's contract.
    unsafe {
        ptr::drop_in_place(&raw mut (*shared).domain);
        ptr::drop_in_place(&raw mut (*shared).spares);
        dealloc(shared.cast(), SharedLink::<T>::LAYOUT);
    }
}

// SAFETY: GUARD-1 is haphazard's: its hazard is published before the barrier in `protect`, or else before the one in
// `Head::confirm`, and its domain has a full barrier before it reads the hazards. GUARD-2: DOMAIN-3. GUARD-3: `retire_ptr` takes
// any node that is not reachable. GUARD-4: nothing here calls a closure of the user's, and whatever may allocate or free in the
// crate, with a slot claimed, goes through `without_unwinding`. GUARD-5: no node is ever kept. GUARD-6: none is pushed again.
unsafe impl<const RECLAIM_AT: usize> sealed::Heap for Haphazard<RECLAIM_AT> {
    const SLOT_NODES: usize = RECLAIM_AT + Self::SPARE_LIMIT + 1;
    const BATCH: usize = Self::SPARE_LIMIT;
    // The spare list keeps what one slot's turn of reclaiming gives.
    const IDLE_NODES: usize = Self::SLOTS * Self::SLOT_NODES + RECLAIM_AT;

    type Slots<S: Initial> = [S; Haphazard::<0>::SLOTS];
    type Shared<T> = SharedLink<T>;
    type Retired<T> = Record;

    fn enter<T, L: Initial>(
        pool: &Pool<T, Self, L>,
        search: Search,
        node: Option<NodePtr<T>>,
    ) -> Option<Guard<'_, T, L, RECLAIM_AT>> {
        let guard = pool.claim(search, None)?;
        if let Some(node) = node {
            Self::protect(guard, node);
        }
        Some(guard)
    }

    unsafe fn leave<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>) {
        // An operation that found the stack empty may still protect a node.
        // CHEAPER: left as it is, the hazard keeps one node from reuse, which the bound allows for.
        Self::unprotect(guard);
        // SAFETY: the caller's contract.
        unsafe { guard.leave() };
    }

    fn refill<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>, permit: Permit) -> Option<NodePtr<T>> {
        let shared = match permit {
            Permit::All => guard.pool.shared.get_or_make(),
            Permit::Nothing => guard.pool.shared.get(),
        };
        let (mut spare, _) = shared?.spares.take(Haphazard::<RECLAIM_AT>::SPARE_LIMIT, usize::MAX);
        let node = spare.pop_exclusive();
        guard.with(|private| private.spare = spare);
        if node.is_none() && permit == Permit::All {
            guard.counters().allocator_calls(1);
            return Node::allocate();
        }
        node
    }

    fn protect<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>, node: NodePtr<T>) {
        // DOMAIN-1: a node exists, so there is a domain.
        if let Some(shared) = guard.pool.shared.get() {
            guard.with(|private| {
                let hazard = private.retired.hazard.get_or_insert_with(|| {
                    // SAFETY: DOMAIN-1: the domain stays where it is until the stack is dropped, which drops this before it.
                    let domain: &'static raw::Domain<()> = unsafe { &*ptr::from_ref(&shared.domain) };
                    MaybeUninit::new(without_unwinding(|| HazardPointer::new_in_domain(domain)))
                });
                // SAFETY: what is put there is initialised.
                unsafe { hazard.assume_init_mut() }.protect_raw(node.as_ptr());
            });
            // Pairs with haphazard's own barrier between unlinking and reading the hazards (BARRIER-1).
            foreign_publish_barrier();
        }
    }

    fn unprotect<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>) {
        guard.with(|private| {
            if let Some(hazard) = &mut private.retired.hazard {
                // SAFETY: what is put there is initialised.
                unsafe { hazard.assume_init_mut() }.reset_protection();
            }
        });
    }

    unsafe fn retire<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>, node: NodePtr<T>) {
        // Our own hazard is on a node that this context is done with.
        // CHEAPER: left as it is, the hazard keeps one node from reuse, which the bound allows for.
        Self::unprotect(guard);
        let Some(shared) = guard.pool.shared.get() else { return };
        // SAFETY: the node is ours. DOMAIN-2 says why the link is this address.
        unsafe { node.as_ref() }.set_below(ptr::from_ref(shared).cast_mut().cast());
        // SAFETY: the caller owns the node, which is not reachable any more: whoever protects it from now on finds another one at
        // the head, and does not look at it (GUARD-1). It stays valid until the domain gives it to `Recycle`, at the latest when
        // the stack is dropped.
        without_unwinding(|| unsafe { shared.domain.retire_ptr::<(), Recycle<T>>(node.as_ptr().cast()) });
        let now = guard.with(|private| {
            private.retired.nodes += 1;
            private.retired.nodes
        });
        guard.counters().set_retired(now);
    }

    fn is_due<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>) -> bool {
        // CHEAPER: `settle` looks for itself, so a yes in vain only takes time.
        guard.with(|private| private.retired.nodes) + 1 >= RECLAIM_AT || Self::has_surplus(guard)
    }

    fn has_surplus<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>) -> bool {
        // CHEAPER: `give_back` looks for itself, so a yes in vain only takes time.
        guard.pool.shared.get().is_some_and(|shared| shared.spares.exceed(RECLAIM_AT))
    }

    fn settle<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>, permit: Permit) {
        let Some(shared) = guard.pool.shared.get() else { return };
        // CHEAPER: to reclaim fewer at a time takes longer.
        if guard.with(|private| private.retired.nodes) >= RECLAIM_AT {
            guard.with(|private| private.retired.nodes = 0);
            without_unwinding(|| shared.domain.eager_reclaim());
            guard.counters().scans(1);
            guard.counters().set_retired(0);
        }
        if permit == Permit::All {
            Self::give_back(guard);
        }
    }

    fn give_back<T, L: Initial>(guard: Guard<'_, T, L, RECLAIM_AT>) {
        if let Some(shared) = guard.pool.shared.get() {
            guard.counters().allocator_calls(shared.spares.free_surplus(RECLAIM_AT));
        }
    }

    fn reserve<T, L: Initial>(pool: &Pool<T, Self, L>, nodes: usize) -> Result<(), OutOfMemory> {
        let spares = &pool.shared.get_or_make().ok_or(OutOfMemory)?.spares;
        let mut made = List::allocate(nodes)?;
        if let Some(guard) = pool.claim(Search::Grow, None) {
            guard.counters().allocator_calls(nodes);
            // SAFETY: it is not used any more.
            unsafe { Self::leave(guard) };
        }
        spares.reserved.fetch_add(nodes, Relaxed);
        while let Some(node) = made.pop() {
            // SAFETY: nobody has seen these nodes.
            unsafe { spares.put(node) };
        }
        Ok(())
    }

    fn reclaim<T, L: Initial>(pool: &Pool<T, Self, L>) -> usize {
        let Some(shared) = pool.shared.get() else { return 0 };
        shared.spares.reserved.store(0, Relaxed);
        let mut freed = 0;
        for guard in pool.claim_each() {
            let spares = guard.with(|private| {
                private.retired.nodes = 0;
                // SAFETY: DOMAIN-3.
                unsafe { private.spare.free() }
            });
            guard.counters().set_retired(0);
            guard.counters().allocator_calls(spares);
            freed += spares;
            // SAFETY: it is not used any more.
            unsafe { Self::leave(guard) };
        }
        // After that, so that each slot counts what it retires from now on.
        shared.domain.eager_reclaim();
        let (_, others) = shared.spares.take(0, 0);
        if let Some(guard) = pool.claim(Search::Free, None) {
            guard.counters().allocator_calls(others);
            // SAFETY: it is not used any more.
            unsafe { Self::leave(guard) };
        }
        pool.forget_unused(pool.in_use());
        freed + others
    }

    fn clear<T, L: Initial>(pool: &mut Pool<T, Self, L>) {
        // Hazard records first: they borrow from the domain.
        pool.for_each_private(|private| {
            if let Some(hazard) = private.retired.hazard.take() {
                // SAFETY: what is put there is initialised.
                drop(unsafe { hazard.assume_init() });
            }
            // SAFETY: DOMAIN-3.
            unsafe { private.spare.free() };
        });
        // Relaxed: `&mut` comes after all that others have done here.
        if let Some(shared) = NonNull::new(pool.shared.0.swap(ptr::null_mut(), Relaxed)) {
            // SAFETY: `&mut`, and the records are gone.
            unsafe { free_shared(shared) };
        }
    }
}
