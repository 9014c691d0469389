//! The pool of `examples/pool.rs`: each object has one user at a time, there are no more than users, none is lost in a panic.

mod common;
#[path = "common/expected.rs"]
mod expected;
#[path = "common/ledger.rs"]
mod ledger;
#[allow(dead_code, reason = "its `main` is the example's")]
#[path = "../examples/pool.rs"]
mod pool;

use common::{scaled, with_watchdog};
use expected::{panic_expected, panics};
use ledger::ledger;
use pool::{Guard, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// How many objects were made, are alive, and were at once.
#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    alive: AtomicUsize,
    most_alive: AtomicUsize,
}

impl Counts {
    fn make(self: &Arc<Self>) -> Object {
        self.most_alive.fetch_max(self.alive.fetch_add(1, Relaxed) + 1, Relaxed);
        let id = self.made.fetch_add(1, Relaxed) + 1;
        Object { counts: self.clone(), id, is_used: AtomicBool::new(false), drop_panics: false }
    }

    fn alive(&self) -> usize {
        self.alive.load(Relaxed)
    }
}

struct Object {
    counts: Arc<Counts>,
    /// The first one is 1.
    id: usize,
    is_used: AtomicBool,
    drop_panics: bool,
}

impl Object {
    fn use_alone(&self) {
        assert!(!self.is_used.swap(true, Relaxed), "two users at once");
        thread::yield_now();
        self.is_used.store(false, Relaxed);
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.counts.alive.fetch_sub(1, Relaxed);
        if self.drop_panics && !thread::panicking() {
            panic_expected();
        }
    }
}

const CAP: usize = 4;

type Objects = Pool<Object, Box<dyn Fn() -> Object + Sync>>;

/// Runs `test` with an empty pool, and checks that all objects are dropped with it, and that it knew how many there were.
fn with_pool(test: impl FnOnce(&Objects, &Counts)) {
    let counts = Arc::new(Counts::default());
    let pool = {
        let counts = counts.clone();
        Objects::new(CAP, Box::new(move || counts.make()))
    };
    test(&pool, &counts);
    assert_eq!(pool.objects(), counts.alive(), "as the pool counts");
    drop(pool);
    assert_eq!(counts.alive(), 0, "not dropped with the pool");
}

#[test]
fn an_object_is_used_again() {
    with_pool(|pool, counts| {
        for _ in 0..10 {
            assert_eq!(pool.get().id, 1);
        }
        let (first, second) = (pool.get(), pool.get());
        assert_eq!((first.id, second.id), (1, 2), "a second user at once needs a second object");
        drop(first);
        drop(second);
        assert_eq!(pool.get().id, 2, "the one that was put back last");
        assert_eq!(counts.made.load(Relaxed), 2);
    });
}

#[test]
fn what_a_user_leaves_the_next_one_finds() {
    static POOL: Pool<Vec<u8>> = Pool::new(CAP, Vec::new);
    POOL.get().push(7);
    assert_eq!(*POOL.get(), [7]);
}

#[test]
fn more_users_than_the_cap_leave_no_more_objects() {
    with_pool(|pool, counts| {
        let users: Vec<_> = (0..10).map(|_| pool.get()).collect();
        assert_eq!(pool.objects(), 10);
        drop(users);
        assert_eq!((pool.objects(), counts.alive()), (CAP, CAP));
    });
}

#[test]
fn a_limit_gives_nothing_while_all_are_in_use() {
    with_pool(|pool, _| {
        let mut users: Vec<_> = (0..CAP).map(|_| pool.try_get().unwrap()).collect();
        assert!(pool.try_get().is_none());
        users.pop();
        assert!(pool.try_get().is_some());
    });
}

#[test]
fn threads_share_no_object_and_need_one_each() {
    with_watchdog(|| {
        const THREADS: usize = 8;
        with_pool(|pool, counts| {
            let work = || (0..scaled(20_000)).for_each(|_| pool.get().use_alone());
            thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
            let most = counts.most_alive.load(Relaxed);
            assert!(most <= THREADS, "{most} objects for {THREADS} users");
            assert!(counts.alive() <= CAP);
        });
    });
}

#[test]
fn an_object_counts_while_it_is_made() {
    static POOL: Pool<bool> = Pool::new(1, || POOL.try_get().is_none());
    assert!(*POOL.try_get().unwrap(), "a second one was made meanwhile");
}

/// Threads make the only object in turn, as each takes it out of the pool.
#[test]
fn threads_never_pass_a_limit() {
    with_watchdog(|| {
        let pool = Pool::new(1, || ());
        let most = AtomicUsize::new(0);
        let work = || {
            for _ in 0..scaled(1_000_000) {
                if let Some(object) = pool.try_get() {
                    most.fetch_max(pool.objects(), Relaxed);
                    Guard::take(object);
                }
            }
        };
        thread::scope(|scope| [(); 4].map(|()| drop(scope.spawn(work))));
        assert_eq!(most.into_inner(), 1);
    });
}

#[test]
fn shrinking_drops_what_nobody_uses() {
    with_pool(|pool, counts| {
        let mut users: Vec<_> = (0..CAP).map(|_| pool.get()).collect();
        users.truncate(1);
        pool.shrink_to(3);
        assert_eq!(counts.alive(), 3);
        pool.shrink_to(3);
        assert_eq!(counts.alive(), 3, "there is nothing to do");
        pool.shrink_to(0);
        assert_eq!(counts.alive(), 1, "the one in use is left");
        users.clear();
        assert_eq!(pool.get().id, 1, "and goes back");
    });
}

#[test]
fn shrinking_gives_memory_back() {
    let (pool, ledger) = (Pool::new(100, || [0_u64; 100]), ledger());
    ledger.during(|| drop((0..100).map(|_| pool.get()).collect::<Vec<_>>()));
    assert!(ledger.bytes() > 0, "objects need memory");
    ledger.during(|| pool.shrink_to(0));
    assert_eq!(ledger.bytes(), 0);
}

#[test]
fn an_object_that_is_taken_is_not_the_pools() {
    with_pool(|pool, counts| {
        let object = Guard::take(pool.get());
        assert_eq!((pool.objects(), counts.alive()), (0, 1));
        assert_eq!(pool.get().id, 2);
        drop(object);
    });
}

#[test]
fn a_guard_may_go_to_another_thread() {
    with_pool(|pool, _| {
        let guard = pool.get();
        thread::scope(|scope| drop(scope.spawn(move || drop(guard))));
        assert_eq!(pool.get().id, 1);
    });
}

#[test]
fn a_user_that_panics_leaves_nothing_behind() {
    with_pool(|pool, counts| {
        panics(|| {
            let _object = pool.get();
            panic_expected();
        });
        assert_eq!((pool.objects(), counts.alive()), (0, 0));
        assert_eq!(pool.get().id, 2);
    });
}

#[test]
fn an_object_that_cannot_be_made_is_not_counted() {
    let fails = AtomicBool::new(true);
    let pool = Pool::new(1, || if fails.load(Relaxed) { panic_expected() } else { 1 });
    panics(|| *pool.get());
    panics(|| pool.try_get().map(|object| *object));
    assert_eq!(pool.objects(), 0);
    fails.store(false, Relaxed);
    assert_eq!(pool.try_get().as_deref(), Some(&1));
}

#[test]
fn an_object_whose_drop_panics_is_gone() {
    with_pool(|pool, counts| {
        let mut users: Vec<_> = (0..=CAP).map(|_| pool.get()).collect();
        users[CAP].drop_panics = true;
        panics(|| drop(users.pop()));
        assert_eq!((pool.objects(), counts.alive()), (CAP, CAP));
        users[0].drop_panics = true;
        users.truncate(1);
        users.clear();
        panics(|| pool.shrink_to(0));
        assert_eq!((pool.objects(), counts.alive()), (CAP - 1, CAP - 1));
        pool.shrink_to(0);
        assert_eq!(pool.objects(), 0);
    });
}

#[test]
fn an_object_for_which_there_is_no_memory_is_gone() {
    with_pool(|pool, counts| {
        let object = pool.get();
        let ledger = ledger();
        ledger.fail(0, usize::MAX);
        ledger.during(|| drop(object));
        assert_eq!((pool.objects(), counts.alive()), (0, 0));
        assert_eq!(pool.get().id, 2);
    });
}
