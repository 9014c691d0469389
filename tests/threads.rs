//! Many threads: every value comes out exactly once and is dropped exactly once, whatever its type and however the
//! calls are mixed.

#[macro_use]
mod common;

use common::*;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

for_each_stack! {
    words, zero_sized, bytes, pages, over_aligned, boxed_trait_objects, borrowed,
    producers_and_consumers, batches_stay_in_order, handles_move_between_threads, several_stacks,
}

for_each_slots_stack! { calls_for_interrupts_alone }

const THREADS: [usize; 5] = [1, 2, 4, 8, 32];

/// No room for an id.
impl Counted for () {
    fn id(&self) -> usize {
        0
    }
}

/// Room for the low bits of an id.
impl Counted for u8 {
    fn id(&self) -> usize {
        (*self).into()
    }
}

/// 4 KiB, each word of which has to arrive.
impl Counted for [usize; 512] {
    fn id(&self) -> usize {
        assert!(self.iter().all(|&word| word == self[0]), "torn");
        self[0]
    }
}

#[repr(align(128))]
struct Aligned(usize);

impl Counted for Aligned {
    fn id(&self) -> usize {
        assert_eq!((&raw const *self).addr() % 128, 0);
        self.0
    }
}

/// Not `'static`.
impl Counted for &usize {
    fn id(&self) -> usize {
        **self
    }
}

trait Job: Send {
    fn number(&self) -> usize;
}

impl Job for Word {
    fn number(&self) -> usize {
        self.id()
    }
}

/// Something else behind the same trait.
struct Pair(Word, #[expect(dead_code, reason = "of another size")] [usize; 3]);

impl Job for Pair {
    fn number(&self) -> usize {
        self.0.id()
    }
}

impl Counted for Box<dyn Job + '_> {
    fn id(&self) -> usize {
        self.number()
    }
}

fn words<R: Engine, B: Backoff>() {
    mixed_calls::<_, R, B>(60_000, Word::new);
}

fn zero_sized<R: Engine, B: Backoff>() {
    mixed_calls::<_, R, B>(30_000, |_| Tracked::new(()));
}

fn bytes<R: Engine, B: Backoff>() {
    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    mixed_calls::<_, R, B>(30_000, |id| Tracked::new(id as u8));
}

fn pages<R: Engine, B: Backoff>() {
    mixed_calls::<_, R, B>(8_000, |id| Tracked::new([id; 512]));
}

fn over_aligned<R: Engine, B: Backoff>() {
    mixed_calls::<_, R, B>(20_000, |id| Tracked::new(Aligned(id)));
}

fn boxed_trait_objects<R: Engine, B: Backoff>() {
    mixed_calls::<Box<dyn Job>, R, B>(20_000, |id| match id % 2 {
        0 => Box::new(Word::new(id)),
        _ => Box::new(Pair(Word::new(id), [id; 3])),
    });
}

fn borrowed<R: Engine, B: Backoff>() {
    let ids: Vec<usize> = (0..most_values(20_000)).collect();
    mixed_calls::<_, R, B>(20_000, |id| Tracked::new(&ids[id]));
}

/// An upper limit for the values that `mixed_calls` makes, and so for their ids.
fn most_values(calls: usize) -> usize {
    // A call pushes 8 values at most.
    8 * (scaled(calls) + THREADS[4])
}

/// Threads make about `calls` calls of all kinds in total; once they are done, the stack is emptied by its methods or
/// dropped.
fn mixed_calls<T: Counted, R: Engine, B: Backoff>(calls: usize, make: impl Fn(usize) -> T + Sync) {
    for threads in THREADS {
        for drop_full in [false, true] {
            let census = Census::new(most_values(calls));
            let (ids, start) = (AtomicUsize::new(0), Barrier::new(threads));
            let stack = Stack::<T, R, B>::custom();
            let make = || make(ids.fetch_add(1, Relaxed));
            thread::scope(|scope| {
                for thread in 0..threads {
                    let (census, start, stack, make) = (&census, &start, &stack, &make);
                    scope.spawn(move || {
                        census.during(|| {
                            start.wait();
                            // Each thread inside, with a handle or without, and nobody can be in the way of both.
                            let enough_slots = 2 * threads <= R::SLOTS;
                            call_at_random(stack, scaled(calls) / threads + 1, thread, make, enough_slots);
                        });
                    });
                }
            });
            census.during(|| {
                if !drop_full {
                    out(stack.pop());
                    out(stack.try_pop().unwrap());
                    stack.take_all().take(100).for_each(out_too);
                    assert!(stack.is_empty());
                }
                drop(stack);
            });
            census.assert_all_dropped();
        }
    }
}

/// Counts a value that came out.
fn out<T: Counted>(value: Option<T>) -> bool {
    value.inspect(|value| Census::out(value.id())).is_some()
}

fn out_too<T: Counted>(value: T) {
    out(Some(value));
}

fn call_at_random<T: Counted, R: Engine, B: Backoff>(
    stack: &Stack<T, R, B>,
    calls: usize,
    seed: usize,
    make: &impl Fn() -> T,
    enough_slots: bool,
) {
    let mut random = Random::new(seed);
    let mut handle = stack.handle();
    let refused = |error: PushError<T>| {
        assert!(error.kind() == PushErrorKind::NoSpareNode || !enough_slots, "{error}");
        drop(error.into_value());
    };
    for _ in 0..calls {
        match random.below(32) {
            0..4 => stack.push(make()),
            4..6 => stack.try_push(make()).unwrap_or_else(|_| panic!("there is memory")),
            6..9 => handle.push(make()),
            9 => handle.try_push(make()).unwrap_or_else(|_| panic!("there is memory")),
            10..12 => stack.push_spare(make()).unwrap_or_else(refused),
            12 => handle.push_spare(make()).unwrap_or_else(refused),
            13 => stack.push_all((0..random.below(9)).map(|_| make())),
            14 => handle.push_all((0..random.below(9)).map(|_| make())),
            15..20 => _ = out(stack.pop()),
            20..25 => _ = out(handle.pop()),
            25..28 => match stack.try_pop() {
                Ok(value) => _ = out(value),
                Err(NoSlot { .. }) => assert!(!enough_slots),
            },
            28 => {
                let some = random.below(20);
                stack.take_all().take(some).for_each(out_too);
            }
            29 => {
                drop(handle);
                handle = stack.handle();
            }
            30 => _ = black_box(stack.is_empty()),
            _ => match random.below(16) {
                0 => _ = black_box(stack.reclaim()),
                1 => stack.reserve(random.below(4)).unwrap(),
                _ => thread::yield_now(),
            },
        }
    }
}

/// Some only push, some only pop; all values come out while the threads run, and each once.
fn producers_and_consumers<R: Engine, B: Backoff>() {
    for threads in [2, 4, 8, 32] {
        for with_handles in [false, true] {
            let producers = threads / 2;
            let each = scaled(100_000) / producers + 1;
            let total = producers * each;
            let census = Census::new(total);
            let stack = Stack::<Word, R, B>::custom();
            let (left, start) = (AtomicUsize::new(total), Barrier::new(threads));
            thread::scope(|scope| {
                for thread in 0..threads {
                    let (census, stack, left, start) = (&census, &stack, &left, &start);
                    let produce = move || {
                        let ids = thread / 2 * each..(thread / 2 + 1) * each;
                        start.wait();
                        let mut through = Through::new(stack, with_handles);
                        ids.for_each(|id| through.push(Word::new(id)));
                    };
                    let consume = move || {
                        let mut through = Through::new(stack, with_handles);
                        start.wait();
                        while left.load(Relaxed) > 0 {
                            if out(through.pop()) {
                                left.fetch_sub(1, Relaxed);
                            } else {
                                thread::yield_now();
                            }
                        }
                    };
                    scope.spawn(move || census.during(|| if thread % 2 == 0 { produce() } else { consume() }));
                }
            });
            assert!(stack.is_empty());
            census.assert_all_out();
            census.assert_all_dropped();
        }
    }
}

/// `push_all` puts its values on the stack as one piece: who takes everything finds them together and in order.
fn batches_stay_in_order<R: Engine, B: Backoff>() {
    const BATCH: usize = 5;
    for producers in [1, 4] {
        let batches = scaled(10_000) / producers + 1;
        let total = producers * batches * BATCH;
        let stack = Stack::<usize, R, B>::custom();
        let (producing, start) = (AtomicUsize::new(producers), Barrier::new(producers + 1));
        let mut seen = vec![false; total];
        thread::scope(|scope| {
            for producer in 0..producers {
                let (stack, producing, start) = (&stack, &producing, &start);
                scope.spawn(move || {
                    let mut handle = stack.handle();
                    start.wait();
                    for batch in 0..batches {
                        let first = (producer * batches + batch) * BATCH;
                        match batch % 2 {
                            0 => handle.push_all(first..first + BATCH),
                            _ => stack.push_all(first..first + BATCH),
                        }
                    }
                    producing.fetch_sub(1, Relaxed);
                });
            }
            start.wait();
            loop {
                let last_look = producing.load(Relaxed) == 0;
                let mut taken = stack.take_all();
                let mut got_any = false;
                while let Some(top) = taken.next() {
                    got_any = true;
                    assert_eq!(top % BATCH, BATCH - 1, "the last one is on top");
                    assert!(taken.by_ref().take(BATCH - 1).eq((top + 1 - BATCH..top).rev()), "torn apart");
                    for seen in &mut seen[top + 1 - BATCH..=top] {
                        assert!(!std::mem::replace(seen, true), "a value came twice, below {top}");
                    }
                }
                if last_look && !got_any {
                    break;
                }
            }
        });
        assert!(seen.into_iter().all(|seen| seen));
    }
}

/// A handle, with the nodes in its slot, goes from thread to thread while others work.
fn handles_move_between_threads<R: Engine, B: Backoff>() {
    let census = Census::new(scaled(1_000) * 20);
    let stack = Stack::<Word, R, B>::custom();
    let stop = AtomicBool::new(false);
    census.during(|| {
        thread::scope(|scope| {
            scope.spawn(|| {
                census.during(|| {
                    while !stop.load(Relaxed) {
                        out(stack.pop());
                        thread::yield_now();
                    }
                });
            });
            let mut handle = stack.handle();
            for round in 0..scaled(1_000) {
                let census = &census;
                let worker = scope.spawn(move || {
                    census.during(move || {
                        (0..20).for_each(|i| handle.push(Word::new(round * 20 + i)));
                        for _ in 0..10 {
                            out(handle.pop());
                        }
                        handle
                    })
                });
                handle = worker.join().unwrap();
            }
            stop.store(true, Relaxed);
        });
        while out(stack.pop()) {}
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

/// Values wander from stack to stack.
fn several_stacks<R: Engine, B: Backoff>() {
    const VALUES: usize = 100;
    let census = Census::new(VALUES);
    let stacks = [const { Stack::<Word, R, B>::custom() }; 3];
    census.during(|| stacks[0].push_all((0..VALUES).map(Word::new)));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (census, stacks) = (&census, &stacks);
            scope.spawn(move || {
                census.during(|| {
                    let mut random = Random::new(thread);
                    for _ in 0..scaled(30_000) {
                        if let Some(value) = stacks[random.below(3)].pop() {
                            stacks[random.below(3)].push(value);
                        }
                    }
                });
            });
        }
    });
    census.during(|| {
        for stack in stacks {
            stack.into_iter().for_each(out_too);
        }
    });
    census.assert_all_out();
    census.assert_all_dropped();
}

/// Only `push_spare` and `try_pop`, on nodes reserved before.
fn calls_for_interrupts_alone<R: Engine, B: Backoff>() {
    for threads in THREADS {
        let each = scaled(50_000) / threads + 1;
        let census = Census::new(threads * each);
        let stack = Stack::<Word, R, B>::custom();
        stack.reserve(Stack::<Word, R, B>::IDLE_NODES + threads).unwrap();
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            for thread in 0..threads {
                let (census, stack, start) = (&census, &stack, &start);
                scope.spawn(move || {
                    census.during(|| {
                        start.wait();
                        for id in thread * each..(thread + 1) * each {
                            let mut value = Word::new(id);
                            while let Err(error) = stack.push_spare(value) {
                                assert!(threads > R::SLOTS, "{error}, although enough is reserved");
                                value = error.into_value();
                                thread::yield_now();
                            }
                            while stack.try_pop().map(out).is_err() {
                                assert!(threads > R::SLOTS, "no slot, although there are enough");
                                thread::yield_now();
                            }
                        }
                    });
                });
            }
        });
        census.during(|| while out(stack.try_pop().unwrap()) {});
        census.assert_all_out();
        census.assert_all_dropped();
    }
}
