//! With an allocator that counts, and fails on demand: no calls in the steady state, nothing live after `drop`, the
//! stated bounds, and what happens without memory.

#![allow(clippy::result_large_err, reason = "a push that fails gives the value back")]

#[macro_use]
mod common;
#[path = "common/ledger.rs"]
mod ledger;

use common::*;
use ledger::*;
use std::mem;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};
use std::thread;

for_each_stack! {
    surplus_is_given_back, nothing_left_after_drop, bound_with_one_thread, bound_with_idle_handles, bound_with_64_threads,
    bound_of_one_who_only_takes, new_allocates_nothing, reservation_lasts_until_reclaim, try_push_all_without_memory,
}

for_each_slots_stack! {
    steady_pairs, steady_bursts, steady_producer_and_consumer, pop_never_allocates, interrupt_calls_keep_off,
    interrupt_calls_keep_off_while_others_do_not, surplus_of_a_panic_is_given_back, depot_keeps_its_limit,
    surplus_with_reservation, idle_handles_protect_one_node, reserve_keeps_its_promise, reserve_with_as_many_contexts_as_slots,
    as_many_contexts_as_slots_are_enough, reserve_with_values_from_before, without_any_memory, memory_ends_at_each_call,
    one_call_fails, handles_without_memory, reclaim_frees_what_was_kept_before, reclaim_leaves_its_slot,
    bound_of_one_beside_many_who_keep,
}

fn new_allocates_nothing<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = ledger.no_calls("a new stack", Stack::<Block, R, B>::custom);
    ledger.no_calls("an empty stack", || {
        assert!(stack.is_empty());
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.try_pop(), Ok(None));
        stack.take_all().for_each(drop);
        stack.push_all([]);
        stack.reclaim();
        assert_eq!(stack.push_spare(block(1)).unwrap_err().kind(), PushErrorKind::NoSpareNode);
    });
    ledger.no_calls("drop of an empty stack", || drop(stack));
}

/// The ledger itself: that it sees nodes at all.
#[test]
fn ledger_sees_nodes() {
    let ledger = ledger();
    let stack = Stack::new();
    ledger.during(|| (0..3).for_each(|id| stack.push(block(id))));
    assert_eq!((ledger.nodes(), ledger.slots(), ledger.calls()), (3, 0, (3, 0)));
    assert_eq!(ledger.bytes(), signed(3 * 22 * size_of::<usize>()));
    let handles: Vec<_> = (0..9).map(|_| ledger.during(|| stack.handle())).collect();
    // The eighth leaves none free, and so adds one; so does the ninth.
    assert_eq!((ledger.nodes(), ledger.slots()), (3, 2));
    drop(handles);
    // They are all free again, and enough for as many handles.
    drop([(); 9].map(|()| ledger.during(|| stack.handle())));
    assert_eq!(ledger.slots(), 2);
    ledger.nothing_after(stack);
    assert_eq!(ledger.calls(), (5, 5));
}

fn nothing_left_after_drop<R: Engine, B: Backoff>() {
    for values in [0, 1, 10, 1000] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.during(|| {
            stack.reserve(values / 2).unwrap();
            (0..values).for_each(|id| stack.push(block(id)));
            let mut handles = [(); 12].map(|()| stack.handle());
            for (id, handle) in handles.iter_mut().enumerate() {
                (0..id * 10).for_each(|id| handle.push(block(id)));
                (0..id * 5).for_each(|_| drop(handle.pop()));
            }
            stack.take_all().take(values / 2).for_each(drop);
            stack.push_all((0..values).map(block));
            drop(handles);
            // A handle that is forgotten loses its slot, but not beyond the stack's own end.
            let mut handle = stack.handle();
            handle.push(block(0));
            mem::forget(handle);
        });
        ledger.nothing_after(stack);
    }
}

/// The stack and a handle of it.
fn both<R: Engine, B: Backoff>(stack: &Stack<Block, R, B>) -> [Through<'_, Block, R, B>; 2] {
    [false, true].map(|with_handle| Through::new(stack, with_handle))
}

fn steady_pairs<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    ledger.during(|| (0..10).for_each(|id| stack.push(block(id))));
    for through in &mut ledger.during(|| both(&stack)) {
        ledger.steady("pairs", || {
            for id in 0..4 * idle::<R, B>() + scaled(50_000) {
                through.push(block(id));
                assert_eq!(through.pop(), Some(block(id)));
            }
        });
    }
    ledger.nothing_after(stack);
}

fn steady_bursts<R: Engine, B: Backoff>() {
    for (burst, reserve) in [(R::BURST.min(64), 0), (64, 64 + idle::<R, B>()), (1000, 1000 + idle::<R, B>())] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.during(|| stack.reserve(reserve).unwrap());
        // What is reserved has to do from the first call on; else the slots have to be filled first.
        let filling = if reserve == 0 { idle::<R, B>() } else { 0 };
        let check = |what: &str, action: &mut dyn FnMut()| match reserve {
            0 => ledger.steady(what, action),
            _ => ledger.no_calls(what, action),
        };
        for through in &mut ledger.during(|| both(&stack)) {
            check("bursts", &mut || {
                for _ in 0..=filling + scaled(50_000) / burst {
                    (0..burst).for_each(|id| through.push(block(id)));
                    (0..burst).rev().for_each(|id| assert_eq!(through.pop(), Some(block(id))));
                }
            });
            check("batches", &mut || {
                for _ in 0..=scaled(20_000) / burst {
                    stack.push_all((0..burst).map(block));
                    stack.take_all().for_each(drop);
                }
            });
        }
        ledger.nothing_after(stack);
    }
}

/// One thread only pushes, one only pops, with at most `BACKLOG` values between them.
fn steady_producer_and_consumer<R: Engine, B: Backoff>() {
    const BACKLOG: usize = 64;
    let values = scaled(100_000);
    for (with_handles, reserve) in [(false, true), (true, true), (false, false), (true, false)] {
        // Without a reservation, what is idle has to fit into the depot, or the surplus goes back and forth.
        if !reserve && R::BURST < BACKLOG + 2 * slot::<R, B>() {
            continue;
        }
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        // The slots that are needed, ahead of time; and what is reserved has to do for those beyond `N` too.
        let held_back = held_back::<R, B>(if R::SLOTS < 3 { 3 } else { 0 });
        ledger.during(|| {
            drop([(); 3].map(|()| stack.handle()));
            stack.reserve(if reserve { BACKLOG + held_back } else { 0 }).unwrap();
        });
        let before = ledger.calls();
        let backlog = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                ledger.during(|| {
                    let mut through = Through::new(&stack, with_handles);
                    for id in 0..values {
                        while backlog.load(SeqCst) == BACKLOG {
                            thread::yield_now();
                        }
                        backlog.fetch_add(1, SeqCst);
                        through.push(block(id));
                    }
                });
            });
            scope.spawn(|| {
                ledger.during(|| {
                    let mut through = Through::new(&stack, with_handles);
                    let mut left = values;
                    while left > 0 {
                        if through.pop().is_some() {
                            backlog.fetch_sub(1, SeqCst);
                            left -= 1;
                        } else {
                            thread::yield_now();
                        }
                    }
                });
            });
        });
        let (allocations, frees) = (ledger.calls().0 - before.0, ledger.calls().1 - before.1);
        if reserve {
            assert_eq!((allocations, frees), (0, 0), "with handles: {with_handles}");
        } else {
            // However many values go through, only so many nodes can be needed at once.
            assert!(allocations <= BACKLOG + idle::<R, B>() && frees == 0, "{allocations} and {frees} calls");
        }
        ledger.nothing_after(stack);
    }
}

fn pop_never_allocates<R: Engine, B: Backoff>() {
    for held in [0, 1, R::SLOTS, 2 * R::SLOTS + 3] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.during(|| (0..2_000).for_each(|id| stack.push(block(id))));
        let mut handles: Vec<_> = (0..held).map(|_| ledger.during(|| stack.handle())).collect();
        let before = ledger.calls().0;
        ledger.during(|| {
            for id in (0..2_000).rev() {
                let popped = match id % (held + 1) {
                    0 => stack.pop(),
                    nth => handles[nth - 1].pop(),
                };
                assert_eq!(popped, Some(block(id)));
            }
            assert_eq!(stack.pop(), None);
        });
        assert_eq!(ledger.calls().0, before, "pop allocated");
        ledger.assert_bound::<R, B>(0);
        // Nor does what else takes values or nodes out.
        ledger.during(|| (0..2_000).for_each(|id| stack.push(block(id))));
        let before = ledger.calls().0;
        ledger.during(|| {
            assert!(stack.take_all().take(1_500).map(|value| value.0).eq((500..2_000).rev()));
            stack.reclaim();
        });
        assert_eq!(ledger.calls().0, before, "take_all or reclaim allocated");
        drop(handles);
        ledger.nothing_after(stack);
    }
}

/// `push_spare` and `try_pop` with nodes and without, with slots and without, on an empty stack and a full one.
fn interrupt_calls_keep_off<R: Engine, B: Backoff>() {
    for held in [0, 1, R::SLOTS, 2 * R::SLOTS + 3] {
        for reserved in [0, 1, 10, 1000] {
            let ledger = ledger();
            let stack = Stack::<Block, R, B>::custom();
            let mut handles: Vec<_> = (0..held).map(|_| ledger.during(|| stack.handle())).collect();
            ledger.during(|| {
                stack.reserve(reserved).unwrap();
                stack.push_all((0..500).map(block));
            });
            let mut random = Random::new(held + reserved);
            ledger.no_calls("push_spare or try_pop", || {
                for id in 0..scaled(20_000) {
                    // Drifts from full to empty and back.
                    if random.below(1000) < if id % 4000 < 2000 { 400 } else { 600 } {
                        drop(match random.below(held + 1) {
                            0 => stack.interrupt().push(block(id)),
                            nth => handles[nth - 1].push_spare(block(id)),
                        });
                    } else {
                        drop(match random.below(held + 1) {
                            0 => stack.interrupt().pop(),
                            nth => handles[nth - 1].try_pop(),
                        });
                    }
                }
                while stack.try_pop().unwrap().is_some() {}
                // Not for ever, if it does allocate.
                for _ in 0..10_000 {
                    drop(stack.push_spare(block(0)));
                }
            });
            drop(handles);
            ledger.nothing_after(stack);
        }
    }
}

/// As before, while other threads make the calls that may allocate and free.
fn interrupt_calls_keep_off_while_others_do_not<R: Engine, B: Backoff>() {
    let (all, spare_only) = (ledger(), ledger());
    let stack = Stack::<Block, R, B>::custom();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (all, stop, stack) = (&all, &stop, &stack);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !stop.load(Relaxed) {
                    all.during(|| match random.below(4) {
                        0 => stack.push_all((0..100).map(block)),
                        1 => (0..100).for_each(|_| drop(stack.pop())),
                        2 => stack.take_all().take(50).for_each(drop),
                        _ => _ = stack.reclaim(),
                    });
                }
            });
        }
        for _ in 0..scaled(100) {
            spare_only.during(|| {
                for id in 0..200 {
                    drop(stack.push_spare(block(id)));
                    drop(stack.try_pop());
                    drop(stack.try_pop());
                }
            });
            // The others shall come in between, on one core too.
            thread::yield_now();
        }
        stop.store(true, Relaxed);
    });
    assert_eq!(spare_only.calls(), (0, 0), "push_spare or try_pop called the allocator (to allocate, to free)");
    all.nothing_after(stack);
}

/// After every call of a random walk, with a different number of handles open.
fn bound_with_one_thread<R: Engine, B: Backoff>() {
    for held in [0, 1, 3, R::SLOTS + 2] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        let mut handles: Vec<_> = (0..held).map(|_| ledger.during(|| stack.handle())).collect();
        let mut random = Random::new(held);
        let (mut live, mut reserved) = (0, 0);
        for step in 0..scaled(20_000) {
            ledger.during(|| match random.below(50) {
                0 => {
                    let count = random.below(2 * idle::<R, B>());
                    stack.push_all((0..count).map(block));
                    live += count;
                }
                1 => {
                    let some = random.below(2 * idle::<R, B>());
                    // The others are dropped with the iterator.
                    assert_eq!(stack.take_all().take(some).count(), some.min(live));
                    live = 0;
                }
                2 if step % 8 == 0 => {
                    stack.reserve(30).unwrap();
                    reserved += 30;
                }
                3 if step % 16 == 0 => {
                    stack.reclaim();
                    reserved = 0;
                }
                _ => {
                    let nth = random.below(held + 1);
                    // Each of them pushes more than it pops for a while, or the other way round.
                    let push = random.below(100) < [50, 10, 90][(nth + step / 500) % 3];
                    match (nth, push) {
                        (0, true) => stack.push(block(step)),
                        (0, false) => live -= usize::from(stack.pop().is_some()),
                        (_, true) => handles[nth - 1].push(block(step)),
                        (_, false) => live -= usize::from(handles[nth - 1].pop().is_some()),
                    }
                    live += usize::from(push);
                }
            });
            ledger.assert_bound::<R, B>(live + reserved);
        }
        drop(handles);
        ledger.nothing_after(stack);
    }
}

/// One handle only takes what others push, while another one keeps a node, so its scans look at nodes one by one.
fn bound_of_one_who_only_takes<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let [mut taker, mut other] = [(); 2].map(|()| ledger.during(|| stack.handle()));
    let batch = 4 * R::SLOTS;
    // It stays at the bottom.
    ledger.during(|| other.push(block(0)));
    for _ in 0..50 {
        ledger.during(|| {
            stack.push_all((0..batch).map(block));
            (0..batch).for_each(|_| drop(taker.pop().expect("a value was lost")));
        });
        ledger.assert_bound::<R, B>(1);
    }
    drop((taker, other));
    ledger.nothing_after(stack);
}

/// Many handles rest, and each keeps a node that one has popped, whose scans find them all protected again and again.
fn bound_of_one_beside_many_who_keep<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let mut resting: Vec<_> = (0..40 * R::SLOTS).map(|_| ledger.during(|| stack.handle())).collect();
    let mut handle = ledger.during(|| stack.handle());
    ledger.during(|| {
        for handle in &mut resting {
            handle.push(block(0));
        }
        while handle.pop().is_some() {}
    });
    let most = R::RETIRED + 2 * ledger.slots();
    // `push_all` pushes no node again without a scan.
    for burst in [3, 4 * R::SLOTS + 1, R::BURST / 2] {
        let mut bursts = || {
            for _ in 0..3 * most {
                handle.push_all((0..burst).map(block));
                (0..burst).for_each(|_| drop(handle.pop().expect("a value was lost")));
                // Those that are kept are not used again; and nodes are made only if there is no spare one.
                let bounds = resting.len() + burst..=most + burst;
                assert!(bounds.contains(&ledger.nodes()), "{} nodes, not {bounds:?}", ledger.nodes());
            }
        };
        ledger.during(&mut bursts);
        ledger.no_calls("the steady state", &mut bursts);
    }
    drop((resting, handle));
    ledger.nothing_after(stack);
}

/// All threads stop at a barrier again and again, some with a handle in hand, and then the nodes are counted. The
/// most nodes that there were in between keep to the bound for the most values that there can have been.
fn threads_keep_bound<R: Engine, B: Backoff>(threads: usize, rounds: usize, holders: usize) {
    const MOST_EACH: usize = 40;
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let live = AtomicUsize::new(0);
    let (stopped, go_on) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (ledger, stack, live, stopped, go_on) = (&ledger, &stack, &live, &stopped, &go_on);
            scope.spawn(move || {
                ledger.during(|| {
                    let mut through = Through::new(stack, thread < holders);
                    let mut random = Random::new(thread);
                    for _ in 0..rounds {
                        for _ in 0..10 {
                            let count = random.below(MOST_EACH);
                            live.fetch_add(count, SeqCst);
                            (0..count).for_each(|id| through.push(block(id)));
                            // Each thread takes out as many as it put in, so there is one.
                            (0..count).for_each(|_| drop(through.pop().expect("a value was lost")));
                            live.fetch_sub(count, SeqCst);
                        }
                        let left = random.below(4);
                        live.fetch_add(left, SeqCst);
                        stack.push_all((0..left).map(block));
                        stopped.wait();
                        go_on.wait();
                        (0..left).for_each(|_| drop(stack.pop().expect("a value was lost")));
                        live.fetch_sub(left, SeqCst);
                    }
                });
            });
        }
        for round in 0..rounds {
            stopped.wait();
            let (nodes, slots, live) = (ledger.nodes(), ledger.slots(), live.load(SeqCst));
            let bound = live + held_back::<R, B>(slots);
            if nodes > bound || nodes < live {
                // Told at the end, or the threads would wait for this one.
                *failed.lock().unwrap() = Some((round, nodes, bound, live, slots));
            }
            go_on.wait();
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_none(), "(round, nodes, bound, live, further slots): {failed:?}");
    assert!(stack.is_empty());
    if R::FOR_HANDLERS {
        let most = threads * MOST_EACH + held_back::<R, B>(ledger.slots());
        assert!(ledger.most_nodes() <= most, "{} nodes at once, bound {most}", ledger.most_nodes());
        // One slot for each thread and one that a handle keeps free for others; more only if somebody finds
        // them all claimed in turn.
        let enough = 2 * threads;
        assert!(ledger.slots() <= enough, "{} further slots for {threads} threads", ledger.slots());
    }
    ledger.nothing_after(stack);
}

fn bound_with_idle_handles<R: Engine, B: Backoff>() {
    threads_keep_bound::<R, B>(4, scaled(100), 0);
    threads_keep_bound::<R, B>(4, scaled(100), 2);
    threads_keep_bound::<R, B>(8, scaled(50), 8);
}

fn bound_with_64_threads<R: Engine, B: Backoff>() {
    threads_keep_bound::<R, B>(64, scaled(20), 0);
    threads_keep_bound::<R, B>(64, scaled(20), 32);
}

/// Afterwards all slots are free: the next call needs no further one.
fn reclaim_leaves_its_slot<R: Engine, B: Backoff>() {
    let (ledger, stack) = (ledger(), Stack::<Block, R, B>::custom());
    ledger.during(|| {
        for _ in 0..R::SLOTS {
            stack.push_all((0..100).map(block));
            stack.take_all().for_each(drop);
            assert!(stack.reclaim() > 0);
        }
        stack.push(block(0));
    });
    assert_eq!(ledger.slots(), 0);
    ledger.nothing_after(stack);
}

/// A node that a handle keeps is there until it keeps another one: then the next `reclaim` frees it.
fn reclaim_frees_what_was_kept_before<R: Engine, B: Backoff>() {
    let (ledger, stack) = (ledger(), Stack::<Block, R, B>::custom());
    ledger.during(|| {
        let mut keeper = stack.handle();
        for freed in [0, 1, 1] {
            keeper.push(block(0));
            assert_eq!(stack.pop(), Some(block(0)));
            assert_eq!((stack.reclaim(), ledger.nodes()), (freed, 1));
        }
    });
    ledger.nothing_after(stack);
}

/// What `try_pop` leaves behind, the next `push` or `pop` gives back.
fn surplus_is_given_back<R: Engine, B: Backoff>() {
    let (idle, values) = (idle::<R, B>(), 10 * idle::<R, B>());
    for give_back in [
        (|stack: &Stack<_, R, B>| stack.push(block(0))) as fn(&Stack<Block, R, B>),
        |stack| assert!(stack.pop().is_some()),
        |stack| stack.try_push(block(0)).unwrap(),
        |stack| stack.handle().push(block(0)),
        |stack| assert!(stack.handle().pop().is_some()),
        |stack| stack.push_all([block(0)]),
        |stack| assert!(stack.take_all().next().is_some()),
    ] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        let try_pop = |count| {
            let pops = || (0..count).for_each(|_| drop(stack.try_pop().unwrap().unwrap()));
            if R::FOR_HANDLERS { ledger.no_calls("try_pop", pops) } else { ledger.during(pops) }
        };
        ledger.during(|| (0..values).for_each(|id| stack.push(block(id))));
        try_pop(idle);
        // Leaves the slot with a node at hand for a push.
        ledger.during(|| stack.push(block(0)));
        let nodes = ledger.nodes();
        try_pop(values - idle - 1);
        assert_eq!(ledger.nodes(), nodes);
        ledger.during(|| give_back(&stack));
        ledger.assert_bound::<R, B>(3);
        ledger.nothing_after(stack);
    }
}

/// What `push_all` has made, before its iterator panics, goes back at once.
fn surplus_of_a_panic_is_given_back<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let values = 10 * idle::<R, B>();
    let give = |id| if id < values { block(id) } else { resume_unwind(Box::new(())) };
    ledger.during(|| catch_unwind(|| stack.push_all((0..=values).map(give))).unwrap_err());
    ledger.assert_bound::<R, B>(0);
    ledger.nothing_after(stack);
}

/// After each pop the depot has as many nodes as its limit says at most, and in the end exactly so many: then others, who
/// keep theirs in other slots, stay within the bound. The rest is what one slot holds back.
fn depot_keeps_its_limit<R: Engine, B: Backoff>() {
    let (ledger, limit, slot) = (ledger(), signed(R::BURST), signed(slot::<R, B>()));
    let stack = Stack::<Block, R, B>::custom();
    let values = 3 * signed(idle::<R, B>());
    ledger.during(|| {
        let mut handle = stack.handle();
        (0..values.unsigned_abs()).for_each(|id| handle.push(block(id)));
        for left in (0..values).rev() {
            drop(handle.pop().unwrap());
            let idle = signed(ledger.nodes()) - left;
            // Its slot has scanned before it had all that it may retire.
            assert!(idle < limit + slot, "{idle} idle nodes after a pop, {left} values left");
        }
    });
    assert!(signed(ledger.nodes()) >= limit, "{} nodes in the end", ledger.nodes());
    ledger.nothing_after(stack);
}

/// The surplus beyond a reservation goes back, the reserved nodes stay.
fn surplus_with_reservation<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let reserved = 3 * idle::<R, B>();
    ledger.during(|| {
        (0..10_000).for_each(|id| stack.push(block(id)));
        stack.reserve(reserved).unwrap();
        while stack.try_pop().unwrap().is_some() {}
        stack.push(block(1));
        assert_eq!(stack.pop(), Some(block(1)));
    });
    ledger.assert_bound::<R, B>(reserved);
    assert!(ledger.nodes() >= reserved, "{} nodes, but {reserved} are reserved", ledger.nodes());
    ledger.during(|| stack.reclaim());
    assert_eq!(ledger.nodes(), 0);
    ledger.nothing_after(stack);
}

/// Nodes stay as long as they are reserved, and no longer.
fn reservation_lasts_until_reclaim<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let reserved = 3 * idle::<R, B>();
    ledger.during(|| {
        stack.reserve(reserved).unwrap();
        for id in 0..10 {
            stack.push(block(id));
            assert_eq!(stack.pop(), Some(block(id)));
        }
    });
    assert_eq!(ledger.nodes(), reserved);
    ledger.during(|| {
        assert_eq!(stack.reclaim(), reserved);
        (0..reserved).for_each(|id| stack.push(block(id)));
        while stack.pop().is_some() {}
    });
    ledger.assert_bound::<R, B>(0);
    ledger.nothing_after(stack);
}

/// A handle that has pushed what it had of nodes, and now rests, keeps others from giving back the last of them, and no other.
fn idle_handles_protect_one_node<R: Engine, B: Backoff>() {
    const MANY: usize = 64;
    for others in [0, MANY] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        // A slot takes a batch of nodes out of the depot, and a batch is as many as it retires before it scans.
        let batch = R::RETIRED;
        ledger.during(|| {
            stack.reserve(4 * batch).unwrap();
            let others: Vec<_> = (0..others).map(|_| stack.handle()).collect();
            let mut handle = stack.handle();
            (0..batch).for_each(|id| handle.push(block(id)));
            stack.take_all().for_each(drop);
            assert_eq!(stack.reclaim(), 4 * batch - 1);
            drop((handle, others));
            assert_eq!(stack.reclaim(), 1);
        });
        ledger.nothing_after(stack);
    }
}

/// After `reserve(n)`, as long as no more than `n - IDLE_NODES` values live.
fn reserve_keeps_its_promise<R: Engine, B: Backoff>() {
    for most in [1, 5, 100, 1000] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.during(|| {
            // Reservations add up.
            stack.reserve_for(most - most / 2).unwrap();
            stack.reserve(most / 2).unwrap();
        });
        // One handle, and the stack's own calls in the other slots, if there are.
        let mut handle = (R::SLOTS > 1).then(|| ledger.during(|| stack.handle()));
        ledger.no_calls("a system that keeps to its reservation", || {
            let mut random = Random::new(most);
            let mut live = 0;
            for id in 0..scaled(100_000) {
                let through_handle = handle.as_mut().filter(|_| random.below(2) == 0);
                let up = random.below(100) < if id / 3000 % 2 == 0 { 60 } else { 40 };
                if up && live < most {
                    match (through_handle, random.below(3)) {
                        (None, 0) => stack.push(block(id)),
                        (None, 1) => stack.try_push(block(id)).unwrap(),
                        (None, _) => stack.push_spare(block(id)).expect("enough is reserved"),
                        (Some(handle), 0) => handle.push(block(id)),
                        (Some(handle), 1) => handle.try_push(block(id)).unwrap(),
                        (Some(handle), _) => handle.push_spare(block(id)).expect("enough is reserved"),
                    }
                    live += 1;
                } else if !up && live > 0 {
                    let popped = match (through_handle, random.below(2)) {
                        (None, 0) => stack.pop(),
                        (Some(handle), 0) => handle.pop(),
                        _ => stack.try_pop().unwrap(),
                    };
                    assert!(popped.is_some());
                    live -= 1;
                } else if random.below(100) == 0 {
                    stack.push_all((live..most).map(block));
                    stack.take_all().for_each(drop);
                    live = 0;
                }
            }
        });
        drop(handle);
        ledger.nothing_after(stack);
    }
}

/// The same with `N` contexts at once: half with handles, and everything at its limit.
fn reserve_with_as_many_contexts_as_slots<R: Engine, B: Backoff>() {
    const MOST_EACH: usize = 10;
    for with_handles in [false, true] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        ledger.during(|| stack.reserve(idle::<R, B>() + R::SLOTS * MOST_EACH).unwrap());
        // The last slot is never a handle's, or the stack would make another for others.
        let through = |context| ledger.during(|| Through::new(&stack, with_handles && context > 0));
        let contexts: Vec<_> = (0..R::SLOTS).map(through).collect();
        let before = ledger.calls();
        let start = Barrier::new(R::SLOTS);
        thread::scope(|scope| {
            for (context, mut through) in contexts.into_iter().enumerate() {
                let (ledger, start) = (&ledger, &start);
                scope.spawn(move || {
                    start.wait();
                    ledger.during(|| {
                        let mut random = Random::new(context);
                        for round in 0..scaled(40_000) / R::SLOTS {
                            let count = 1 + random.below(MOST_EACH);
                            for id in 0..count {
                                if random.below(2) == 0 {
                                    through.push(block(id));
                                } else {
                                    through.push_spare(block(id)).expect("enough is reserved");
                                }
                            }
                            for _ in 0..count {
                                let popped = match &through {
                                    Through::Stack(stack) if round % 2 == 0 => stack.try_pop().expect("enough slots"),
                                    _ => through.pop(),
                                };
                                drop(popped.expect("a value was lost"));
                            }
                        }
                    });
                });
            }
        });
        assert_eq!(ledger.calls(), before, "with handles: {with_handles}");
        ledger.nothing_after(stack);
    }
}

/// `N` contexts that come and go all the time always find a slot: none is added, and `try_pop` never says that there
/// is none.
fn as_many_contexts_as_slots_are_enough<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let start = Barrier::new(R::SLOTS);
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..R::SLOTS {
            scope.spawn(|| {
                start.wait();
                ledger.during(|| {
                    for id in 0..scaled(400_000) / R::SLOTS {
                        stack.push(block(id));
                        if stack.try_pop().is_err() {
                            refused.fetch_add(1, Relaxed);
                        }
                    }
                });
            });
        }
    });
    assert_eq!((ledger.slots(), refused.into_inner()), (0, 0), "(further slots, refused by try_pop)");
    ledger.nothing_after(stack);
}

/// A stack may have values, and idle nodes, before it is told to reserve.
fn reserve_with_values_from_before<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let most = 2 * idle::<R, B>();
    ledger.during(|| {
        (0..most).for_each(|id| stack.push(block(id)));
        stack.reserve(most + idle::<R, B>()).unwrap();
    });
    let before = ledger.calls().0;
    ledger.during(|| {
        for _ in 0..10 {
            (0..most).for_each(|_| drop(stack.pop().unwrap()));
            (0..most).for_each(|id| stack.push_spare(block(id)).expect("enough is reserved"));
            (0..most).for_each(|_| drop(stack.try_pop().unwrap().unwrap()));
            (0..most).for_each(|id| stack.push(block(id)));
        }
    });
    assert_eq!(ledger.calls().0, before, "allocated although enough is reserved");
    ledger.assert_bound::<R, B>(2 * most + idle::<R, B>());
    ledger.nothing_after(stack);
}

/// `try_push_all` pushes as many values as there is memory for, in order, and gives the others back.
fn try_push_all_without_memory<R: Engine, B: Backoff>() {
    for through_handle in [false, true] {
        let ledger = ledger();
        let stack = Stack::<Block, R, B>::custom();
        // What an engine and a handle need once.
        let mut handle = through_handle.then(|| ledger.during(|| stack.handle()));
        ledger.during(|| {
            stack.push(block(0));
            drop(stack.pop());
            stack.reclaim();
        });
        let spare = ledger.nodes();
        for memory in [0, 1, 2, 30, 100] {
            ledger.fail(memory, usize::MAX);
            let refused = ledger.during(|| match &mut handle {
                Some(handle) => handle.try_push_all((0..200).map(block)),
                None => stack.try_push_all((0..200).map(block)),
            });
            let refused = refused.unwrap_err();
            assert_eq!(refused.kind(), PushErrorKind::OutOfMemory);
            ledger.fail(usize::MAX, 0);
            let left: Vec<_> = refused.into_value().collect();
            let pushed = 200 - left.len();
            assert!((memory..=memory + spare).contains(&pushed), "{pushed} with memory for {memory} and {spare} spare");
            assert!(left.into_iter().eq((pushed..200).map(block)));
            ledger.during(|| assert!(stack.take_all().eq((0..pushed).rev().map(block))));
            ledger.during(|| stack.reclaim());
        }
        ledger.during(|| stack.try_push_all((0..200).map(block)).map_err(PushErrorKind::from)).unwrap();
        drop(handle);
        ledger.nothing_after(stack);
    }
}

/// Without any memory the stack works on with the nodes that it has.
fn without_any_memory<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    let values = 3 * idle::<R, B>();
    ledger.during(|| (0..values).for_each(|id| stack.push(block(id))));
    ledger.fail(0, usize::MAX);
    ledger.during(|| {
        for _ in 0..20 {
            for id in (0..values).rev() {
                assert_eq!(stack.pop(), Some(block(id)));
            }
            // `pop` may have given nodes back. Those that there still are can be pushed, but for idle ones in other slots.
            let (mut pushed, nodes) = (0, ledger.nodes());
            while pushed < values && stack.try_push(block(pushed)).is_ok() {
                pushed += 1;
            }
            assert!(pushed + R::SLOTS * slot::<R, B>() >= nodes.min(values), "{pushed} of {nodes} nodes");
            assert!(stack.take_all().map(|value| value.0).eq((0..pushed).rev()));
            assert_eq!(stack.pop(), None);
            ledger.fail(usize::MAX, 0);
            (0..values).for_each(|id| stack.push(block(id)));
            ledger.fail(0, usize::MAX);
        }
    });
    ledger.nothing_after(stack);
}

/// A sequence of calls that reach the allocator in all ways. Returns how many of its allocations failed.
fn script<R: Engine, B: Backoff>(ledger: &Ledger) -> usize {
    let stack = Stack::<Block, R, B>::custom();
    let mut model = Vec::new();
    let pushed = |model: &mut Vec<usize>, id: usize, result: Result<(), PushError<Block>>| match result {
        Ok(()) => model.push(id),
        Err(error) => {
            assert_ne!(error.kind(), PushErrorKind::NoSpareNode);
            assert_eq!(error.into_value(), block(id));
        }
    };
    {
        let mut handles = Vec::new();
        for id in 0..R::SLOTS + 3 {
            pushed(&mut model, id, ledger.during(|| stack.try_push(block(id))));
            match ledger.during(|| stack.try_handle()) {
                Ok(handle) => handles.push(handle),
                // `N` handles there can be in any case.
                Err(NoSlot { .. }) => assert!(handles.len() >= R::SLOTS),
            }
            for (at, handle) in handles.iter_mut().enumerate() {
                let id = 100 * at + id;
                pushed(&mut model, id, ledger.during(|| handle.try_push(block(id))));
            }
            let reserved = ledger.nodes();
            if ledger.during(|| stack.reserve(5)).is_err() {
                assert_eq!(ledger.nodes(), reserved, "reserve left nodes behind");
            }
            match ledger.during(|| stack.push_spare(block(id))) {
                Ok(()) => model.push(id),
                Err(error) => assert_eq!(error.into_value(), block(id)),
            }
            match ledger.during(|| stack.try_pop()) {
                Ok(popped) => assert_eq!(popped.map(|value| value.0), model.pop()),
                Err(NoSlot { .. }) => assert!(handles.len() >= R::SLOTS),
            }
            for handle in &mut handles {
                assert_eq!(ledger.during(|| handle.pop()).map(|value| value.0), model.pop());
            }
        }
    }
    let refused = ledger.refused();
    for id in (0..model.len() / 2).map(|_| model.pop()) {
        assert_eq!(ledger.during(|| stack.pop()).map(|value| value.0), id);
    }
    let all = ledger.during(|| stack.take_all());
    assert!(ledger.during(|| all.map(|value| value.0).eq(model.iter().rev().copied())));
    ledger.nothing_after(stack);
    refused
}

/// Fails from the `k`-th allocation on, for every `k`.
fn memory_ends_at_each_call<R: Engine, B: Backoff>() {
    for successes in 0.. {
        let ledger = ledger();
        ledger.fail(successes, usize::MAX);
        if script::<R, B>(&ledger) == 0 {
            assert!(successes > 10);
            break;
        }
    }
}

/// Fails at the `k`-th allocation alone, for every `k`.
fn one_call_fails<R: Engine, B: Backoff>() {
    for successes in 0.. {
        let ledger = ledger();
        ledger.fail(successes, 1);
        match script::<R, B>(&ledger) {
            0 => break,
            refused => assert_eq!(refused, 1),
        }
    }
}

fn handles_without_memory<R: Engine, B: Backoff>() {
    let ledger = ledger();
    let stack = Stack::<Block, R, B>::custom();
    ledger.during(|| stack.push_all((0..10).map(block)));
    ledger.fail(0, usize::MAX);
    let mut handles: Vec<_> = (0..R::SLOTS).map(|_| ledger.during(|| stack.try_handle()).unwrap()).collect();
    // All slots are claimed, and there is no memory for another.
    ledger.during(|| {
        assert!(stack.try_handle().is_err());
        let error = stack.try_push(block(1)).unwrap_err();
        assert_eq!((error.kind(), error.into_value()), (PushErrorKind::NoSlot, block(1)));
        let error = stack.push_spare(block(2)).unwrap_err();
        assert_eq!((error.kind(), error.into_value()), (PushErrorKind::NoSlot, block(2)));
        let error = stack.try_push_all([block(3), block(4)]).unwrap_err();
        assert_eq!(error.kind(), PushErrorKind::NoSlot);
        assert!(error.into_value().eq([block(3), block(4)]));
        assert!(stack.try_pop().is_err());
        assert_eq!((stack.reserve(5), stack.reserve_for(usize::MAX)), (Err(OutOfMemory), Err(OutOfMemory)));
        // All nodes belong to slots that are claimed, or to values.
        assert_eq!(stack.reclaim(), 0);
        assert!(!stack.is_empty());
        // The handles have theirs.
        assert_eq!(handles[0].pop(), Some(block(9)));
    });
    ledger.during(|| handles.pop());
    assert_eq!(ledger.during(|| stack.try_pop()), Ok(Some(block(8))));
    drop(handles);
    assert_eq!(ledger.bytes(), signed(10 * ledger.node.size()));
    // Memory for nodes, but not for a slot.
    handles = (0..R::SLOTS).map(|_| ledger.during(|| stack.try_handle()).unwrap()).collect();
    ledger.fail(5, usize::MAX);
    assert_eq!(ledger.during(|| stack.reserve(5)), Err(OutOfMemory));
    drop(handles);
    assert_eq!(ledger.bytes(), signed(10 * ledger.node.size()));
    // Those that failed do not count: for one handle less there are slots enough, with one for others.
    ledger.end_failures();
    handles = (1..R::SLOTS).map(|_| ledger.during(|| stack.try_handle()).unwrap()).collect();
    assert_eq!(ledger.bytes(), signed(10 * ledger.node.size()));
    drop(handles);
    ledger.nothing_after(stack);
}
