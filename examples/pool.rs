//! A pool of objects that are dear to make, as regular-expression engines and web servers have one: scratch space, buffers,
//! connections. Users get an idle one, or a new one if there is none, and a guard puts it back.
//!
//! `cargo run --example pool`. What stands before `main` is what to copy; `tests/pool.rs` tests it, and `ci/bench --pool`
//! measures it beside a mutex around a `Vec`, and several of them.

use elimination_stack::Stack;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Objects for whoever needs one at the moment. There are never more than there were users at once, of which `shrink_to` is one.
pub struct Pool<T, F = fn() -> T> {
    /// What was put back last comes first: it may still be in the cache. If objects are large, let `T` be a `Box`.
    idle: Stack<T>,
    make: F,
    cap: usize,
    /// How many there are, idle and in use. Who gets one and puts it back only reads this, so users do not contend for it.
    /// `Relaxed` is enough for a number that stands for itself: the objects go through the stack.
    objects: AtomicUsize,
}

impl<T, F: Fn() -> T> Pool<T, F> {
    /// An empty pool that keeps `cap` objects at most. More exist only while there are more users.
    pub const fn new(cap: usize, make: F) -> Self {
        Self { idle: Stack::new(), make, cap, objects: AtomicUsize::new(0) }
    }

    /// An idle object, as its last user has left it, or else a new one.
    pub fn get(&self) -> Guard<'_, T, F> {
        self.get_of(usize::MAX).unwrap_or_else(|| unreachable!("there is no limit"))
    }

    /// The same with a limit: nothing, if `cap` objects are in use.
    pub fn try_get(&self) -> Option<Guard<'_, T, F>> {
        self.get_of(self.cap)
    }

    /// How many objects there are, idle and in use.
    pub fn objects(&self) -> usize {
        self.objects.load(Relaxed)
    }

    /// Drops idle objects until there are no more than `keep`, or the others are in use; and gives memory back.
    pub fn shrink_to(&self, keep: usize) {
        while let Some(object) = self.idle.pop() {
            if !self.count_out(keep) {
                self.idle.push(object);
                break;
            }
        }
        self.idle.reclaim();
    }

    fn get_of(&self, most: usize) -> Option<Guard<'_, T, F>> {
        if let Some(object) = self.idle.pop() {
            return Some(Guard { object: Some(object), pool: self });
        }
        self.objects.fetch_update(Relaxed, Relaxed, |objects| (objects < most).then(|| objects + 1)).ok()?;
        // It is counted before it is made, so that there are never too many. Should `make` panic, the guard counts it out.
        let mut guard = Guard { object: None, pool: self };
        guard.object = Some((self.make)());
        Some(guard)
    }

    /// Counts one out, if there are more than `keep`.
    fn count_out(&self, keep: usize) -> bool {
        self.objects.fetch_update(Relaxed, Relaxed, |objects| (objects > keep).then(|| objects - 1)).is_ok()
    }
}

/// An object in use. It goes back to the pool, unless that has enough, or its user panics: what it was used for is half done.
pub struct Guard<'a, T, F: Fn() -> T = fn() -> T> {
    object: Option<T>,
    pool: &'a Pool<T, F>,
}

impl<T, F: Fn() -> T> Guard<'_, T, F> {
    /// Takes the object out of the pool: it is the user's, or broken.
    pub fn take(mut guard: Self) -> T {
        guard.object.take().unwrap_or_else(|| unreachable!("only while it is made it has none"))
    }
}

impl<T, F: Fn() -> T> Drop for Guard<'_, T, F> {
    fn drop(&mut self) {
        let object = self.object.take();
        let keep = if object.is_none() || thread::panicking() { 0 } else { self.pool.cap };
        // If there is no memory to keep it in, it goes as well, and the program goes on.
        if !self.pool.count_out(keep) && object.is_some_and(|object| self.pool.idle.try_push(object).is_err()) {
            self.pool.count_out(0);
        }
    }
}

impl<T, F: Fn() -> T> Deref for Guard<'_, T, F> {
    type Target = T;
    fn deref(&self) -> &T {
        self.object.as_ref().expect("only while it is made it has none")
    }
}

impl<T, F: Fn() -> T> DerefMut for Guard<'_, T, F> {
    fn deref_mut(&mut self) -> &mut T {
        self.object.as_mut().expect("only while it is made it has none")
    }
}

fn main() {
    let pages = Pool::new(4, || Vec::with_capacity(4096));
    let serve = |request: usize| {
        let mut page = pages.get();
        page.clear();
        page.extend_from_slice(format!("page {request}").as_bytes());
    };
    thread::scope(|scope| [(); 8].map(|()| drop(scope.spawn(|| (0..10_000).for_each(serve)))));
    println!("80000 pages; buffers kept: {}", pages.objects());
    assert!(pages.objects() <= 4, "more than the cap");
}
