//! The queue of heapless for many producers and consumers.

#![no_std]
#![no_main]
// It is compared with because it is in use.
#![expect(deprecated, reason = "a context that is interrupted in it may hold up the others")]

use heapless::mpmc::Queue;

static QUEUE: Queue<u16, 64> = Queue::new();

planner::image!(
    16,
    || {},
    |value| QUEUE.enqueue(value).is_ok(),
    || QUEUE.dequeue(),
    [size_of::<Queue<u16, 64>>(), size_of::<Queue<u32, 64>>()]
);
