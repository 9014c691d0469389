//! Calls that cannot say that there is no memory end as `Box::new` does: the process prints what it could not allocate,
//! and aborts. It aborts, too, when a step of waiting panics. So each runs in a process of its own: this very test again, told
//! by a variable in the environment what to do.

use crate::common::*;
use crate::ledger::*;
use crate::process::this_test_again;
use std::alloc::Layout;
use std::env;
use std::io::Write;
use std::mem;
use std::os::unix::process::ExitStatusExt;
use std::process;
use std::thread;

/// Which call, and how many of its allocations succeed: "NAME COUNT"; or which back-off.
const ORDER: &str = "ELIMINATION_STACK_FAULT";

/// Before the size of what was refused, in a line of its own.
const REFUSED: &str = "refused: ";

/// What a process does that makes a call and lives on.
const SURVIVED: i32 = 3;

type Call<R, B> = fn(&Stack<Block, R, B>);

/// The calls, and how many allocations each makes for nodes; `None` if it is for slots.
fn calls<R: Engine, B: Backoff>() -> [(&'static str, Call<R, B>, Option<usize>); 7] {
    [
        ("push", |stack| stack.push(block(0)), Some(1)),
        ("push_all", |stack| stack.push_all((0..3).map(block)), Some(3)),
        ("extend", |mut stack| stack.extend((0..3).map(block)), Some(3)),
        ("collect", |_| drop((0..3).map(block).collect::<Stack<_, R, B>>()), Some(3)),
        ("Handle::push", |stack| stack.handle().push(block(0)), Some(1)),
        ("Handle::push_all", |stack| stack.handle().push_all((0..3).map(block)), Some(3)),
        ("handle", |stack| (0..=R::SLOTS).for_each(|_| mem::forget(stack.handle())), None),
    ]
}

pub fn check<R: Engine, B: Backoff>() {
    if let Ok(order) = env::var(ORDER) {
        obey::<R, B>(&order);
    }
    let node = Layout::new::<(usize, Block)>().size();
    for (name, _, nodes) in calls::<R, B>() {
        for successes in 0..nodes.unwrap_or(1) {
            let printed = assert_aborts(&format!("{name} {successes}"), "memory allocation of ");
            // What is reported is a node, or the slot that was asked for last.
            let (before, reported) = printed.split_once("memory allocation of ").unwrap();
            let refused = before.lines().filter_map(|line| line.strip_prefix(REFUSED)).next_back().unwrap();
            let expected = nodes.map_or_else(|| refused.to_owned(), |_| node.to_string());
            assert!(reported.starts_with(&format!("{expected} bytes")), "{name}: {printed}");
        }
    }
}

/// A step of waiting that panics.
enum Panics {}

impl elimination_stack::RelaxStrategy for Panics {
    fn relax() {
        panic!("a step of waiting");
    }
}

pub fn check_waits() {
    let waits: [(&str, fn()); 2] =
        [("Elimination", lose_a_race::<Elimination<1, Panics>>), ("Exponential", lose_a_race::<Exponential<Panics>>)];
    if let Ok(order) = env::var(ORDER) {
        let (_, lose_a_race) = waits.into_iter().find(|wait| wait.0 == order).unwrap();
        try_to_survive(lose_a_race);
    }
    for (name, _) in waits {
        assert_aborts(name, "a step of waiting");
    }
}

/// Returns, or panics, if a thread that waits panics, and that is all.
fn lose_a_race<B: Backoff + 'static>() {
    let stack: &Stack<_, Slots<8>, B> = Box::leak(Box::new(Stack::custom()));
    let pair = || {
        stack.push(0);
        stack.pop();
    };
    let other = thread::spawn(move || {
        loop {
            pair();
        }
    });
    while !other.is_finished() {
        pair();
    }
}

/// Runs the test again with `order`; fails unless that process aborts and says `message`. Returns all that it says.
fn assert_aborts(order: &str, message: &str) -> String {
    let output = this_test_again().env(ORDER, order).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{order}: {}, {printed}", output.status);
    assert!(printed.contains(message), "{order}: {printed}");
    printed
}

/// Says so without the allocator.
fn say_what_was_refused(layout: Layout) {
    let mut line = [0; 40];
    let mut rest = &mut line[..];
    writeln!(rest, "{REFUSED}{}", layout.size()).unwrap();
    let left = rest.len();
    let line = &line[..line.len() - left];
    // SAFETY: the bytes are there.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// Makes the call, after which this process should not live.
fn obey<R: Engine, B: Backoff>(order: &str) -> ! {
    let (name, successes) = order.split_once(' ').unwrap();
    let (_, call, _) = calls::<R, B>().into_iter().find(|call| call.0 == name).unwrap();
    let (ledger, stack) = (ledger(), Stack::custom());
    ledger.fail(successes.parse().unwrap(), usize::MAX);
    on_refusals(say_what_was_refused);
    try_to_survive(|| ledger.during(|| call(&stack)));
}

fn try_to_survive(action: impl FnOnce()) -> ! {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is initialised. No core files.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    action();
    process::exit(SURVIVED);
}
