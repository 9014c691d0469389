//! A static stack, and a model of something else.

use elimination_stack::Stack;

/// A static needs a constant, which loom's atomics have not.
pub static LOG: Stack<&'static str> = Stack::new();

/// Outside of a model, where loom's atomics would panic.
#[test]
fn the_stack_is_an_ordinary_one() {
    LOG.push("hello");
    assert_eq!(LOG.pop(), Some("hello"));
}

#[cfg(loom)]
#[test]
fn the_models_are_the_users() {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};

    loom::model(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let other = flag.clone();
        let setter = loom::thread::spawn(move || other.store(true, Ordering::Release));
        setter.join().unwrap();
        assert!(flag.load(Ordering::Acquire));
    });
}
