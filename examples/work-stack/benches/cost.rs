//! What it costs that workers can sleep: `cargo bench -p work-stack`.
//!
//! Nanoseconds of a push and a pop on one thread, median of 15 rounds that take turns: of the stack alone; of a `WorkStack`
//! nobody waits for; and if each push rang at once, without a look whether anybody waits. Then of a push and the wake-up of
//! a thread that sleeps, until it has the job.

use atomic_waker::AtomicWaker;
use elimination_stack::Stack;
use event_listener::Event;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use std::{array, thread};
use work_stack::WorkStack;

const ROUNDS: usize = 15;
const PAIRS: u32 = 200_000;
const WAKE_UPS: u32 = 2_000;

/// Nanoseconds of one of `times` calls.
fn time(times: u32, mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    (0..times).for_each(|_| call());
    began.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn median(mut times: [f64; ROUNDS]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn main() {
    let (stack, event, waker) = (Stack::new(), Event::new(), AtomicWaker::new());
    let threads = WorkStack::new(Event::new());
    let task = WorkStack::new(AtomicWaker::new());
    let pairs: [(&str, &dyn Fn() -> Option<u32>); 5] = [
        ("Stack", &|| {
            stack.push(1);
            stack.pop()
        }),
        ("WorkStack, Event", &|| {
            threads.push(1);
            threads.pop()
        }),
        ("WorkStack, AtomicWaker", &|| {
            task.push(1);
            let poll = pin!(task.pop_async()).poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(job) = poll { job } else { None }
        }),
        ("Stack, and Event::notify each time", &|| {
            stack.push(1);
            event.notify_additional(1);
            stack.pop()
        }),
        ("Stack, and AtomicWaker::wake each time", &|| {
            stack.push(1);
            waker.wake();
            stack.pop()
        }),
    ];
    let mut times = pairs.map(|_| [0.0; ROUNDS]);
    for round in 0..ROUNDS {
        for ((_, pair), times) in pairs.iter().zip(&mut times) {
            times[round] = time(PAIRS, || {
                black_box(pair());
            });
        }
    }
    for ((name, _), times) in pairs.iter().zip(times) {
        println!("{name:<40}{:>8.1} ns a pair", median(times));
    }
    println!("{:<40}{:>8.0} ns a wake-up", "WorkStack, Event, a thread sleeps", median(array::from_fn(|_| wake_up())));
}

/// Nanoseconds until a job has come back from a worker that sleeps, with one that has to wake up for it here: half of that.
fn wake_up() -> f64 {
    let (there, back) = (WorkStack::new(Event::new()), WorkStack::new(Event::new()));
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(job) = there.pop() {
                back.push(job);
            }
        });
        let both = time(WAKE_UPS, || {
            there.push(1);
            back.pop();
        });
        there.close();
        both / 2.0
    })
}
