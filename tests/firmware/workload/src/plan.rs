//! What an uncontended push and pop take, of anything that holds values: instructions, counted as in [`count`](crate::count).

extern crate alloc;

use crate::{Counter, console::println, heap};
use alloc::boxed::Box;
use core::hint::black_box;

/// Pushes counted, after as many that were not; and as many pops.
const SAMPLES: usize = 256;

/// Not inlined, so that no other computation is moved between the two readings, and that a trace shows where it begins.
#[inline(never)]
fn count_call<C: Counter, A, R>(call: fn(A) -> R, argument: A) -> (u32, R) {
    let call = black_box(call);
    let start = C::read();
    let result = black_box(call(argument));
    (C::between(start, C::read()), result)
}

/// The median and the highest.
fn typical_and_most(samples: &mut [u32; SAMPLES]) -> (u32, u32) {
    samples.sort_unstable();
    (samples[SAMPLES / 2], samples[SAMPLES - 1])
}

/// Prints typical and highest counts of a push, a pop and both together, and the bytes. `WAVE` values go in before they come out.
pub fn run<C: Counter, const WAVE: usize>(
    start: fn(),
    push: fn(u16) -> bool,
    pop: fn(()) -> Option<u16>,
    bytes: [usize; 2],
) {
    heap::init();
    // All images have an allocator, as one of them needs it.
    drop(black_box(Box::new(black_box(7_u32))));
    start();
    let nothing = (count_call::<C, _, _>(|_: u16| true, 7).0, count_call::<C, _, _>(|()| Some(7_u16), ()).0);
    let mut pushes = [0; SAMPLES];
    let mut pops = [0; SAMPLES];
    for _ in 0..2 {
        for (pushes, pops) in pushes.chunks_mut(WAVE).zip(pops.chunks_mut(WAVE)) {
            for sample in pushes {
                let (count, pushed) = count_call::<C, _, _>(push, 7);
                assert!(pushed, "there is room for 64");
                *sample = count - nothing.0;
            }
            for sample in pops.iter_mut().rev() {
                let (count, value) = count_call::<C, _, _>(pop, ());
                assert!(value.is_some(), "there is a value");
                *sample = count - nothing.1;
            }
        }
    }
    let mut pairs = core::array::from_fn(|index| pushes[index] + pops[index]);
    let (push, most_push) = typical_and_most(&mut pushes);
    let (pop, most_pop) = typical_and_most(&mut pops);
    let (pair, most_pair) = typical_and_most(&mut pairs);
    println!("{push} {most_push} {pop} {most_pop} {pair} {most_pair} {} {}", bytes[0], bytes[1]);
}
