//! Real threads and tasks. That no wake-up is lost is for the models to show; here what would make a program hang does so in a
//! few thousand rounds.

use atomic_waker::AtomicWaker;
use event_listener::Event;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use work_stack::{Bell, Listen, WorkStack};

/// How long to wait for what takes a moment.
const LATE: Duration = Duration::from_secs(20);

/// A static one needs a constant.
static JOBS: WorkStack<u32, Event> = WorkStack::new(Event::new());

#[test]
fn jobs_that_make_jobs_are_all_done_before_the_end() {
    let outstanding = AtomicUsize::new(1);
    JOBS.push(14);
    let work = || {
        let mut done = 0;
        while let Some(level) = JOBS.pop() {
            done += 1;
            if level > 0 {
                outstanding.fetch_add(2, Relaxed);
                (0..2).for_each(|_| JOBS.push(level - 1));
            }
            if outstanding.fetch_sub(1, Relaxed) == 1 {
                JOBS.close();
            }
        }
        done
    };
    let done = thread::scope(|scope| {
        let workers = [(); 4].map(|()| scope.spawn(work));
        workers.map(|worker| worker.join().unwrap())
    });
    assert_eq!(done.iter().sum::<u32>(), (1 << 15) - 1);
    assert_eq!(JOBS.pop(), None, "it stays closed");
}

/// Pushes one job after the other, each when the last one has come out, so that `pop` finds nothing each time; then closes.
fn each_push_wakes_the_worker<B: Bell + Send + Sync + 'static>(bell: B, pop: fn(&WorkStack<u32, B>) -> Option<u32>) {
    let stack = Arc::new(WorkStack::new(bell));
    let (sender, receiver) = mpsc::channel();
    let worker = stack.clone();
    thread::spawn(move || {
        while let Some(job) = pop(&worker) {
            sender.send(job).unwrap();
        }
    });
    for job in 0..5000 {
        stack.push(job);
        assert_eq!(receiver.recv_timeout(LATE), Ok(job));
    }
    stack.close();
    assert_eq!(receiver.recv_timeout(LATE), Err(mpsc::RecvTimeoutError::Disconnected), "the worker has ended");
}

#[test]
fn each_push_wakes_a_thread() {
    each_push_wakes_the_worker(Event::new(), WorkStack::pop);
}

#[test]
fn each_push_wakes_a_task() {
    each_push_wakes_the_worker(AtomicWaker::new(), |stack| pollster::block_on(stack.pop_async()));
}

/// Counts how often it is rung.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Bell for Counted {
    fn ring(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn ring_all(&self) {
        self.ring();
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// A bell whose count others can see.
struct Shared(Arc<Counted>);

impl Bell for Shared {
    fn ring(&self) {
        self.0.ring();
    }

    fn ring_all(&self) {
        self.0.ring_all();
    }
}

impl Listen for Shared {
    type Listener<'a> = ();

    fn listen(&self) {}

    fn wait(&self, (): ()) {
        panic!("there is something to do");
    }
}

#[test]
fn nobody_waits_and_nobody_rings() {
    let rung = Arc::new(Counted::default());
    let stack = WorkStack::new(Shared(rung.clone()));
    (1..=2).for_each(|job| stack.push(job));
    assert_eq!((stack.pop(), stack.pop()), (Some(2), Some(1)));
    stack.push(3);
    stack.close();
    assert_eq!((stack.pop(), stack.pop()), (Some(3), None));
    assert_eq!(rung.0.load(Relaxed), 0);
}

#[test]
fn who_no_longer_waits_is_not_woken() {
    let woken = Arc::new(Counted::default());
    let waker = Waker::from(woken.clone());
    let stack = WorkStack::new(AtomicWaker::new());
    {
        let mut pop = pin!(stack.pop_async());
        assert_eq!(pop.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        stack.push(1);
        assert_eq!(woken.0.load(Relaxed), 1);
        assert_eq!(pop.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Some(1)));
    }
    assert_eq!(pin!(stack.pop_async()).poll(&mut Context::from_waker(&waker)), Poll::Pending);
    // That one was dropped.
    stack.push(2);
    assert_eq!(woken.0.load(Relaxed), 1);
}
