//! What is counted: runs of operations, and the function in which callgrind counts them.
//!
//! A figure is the difference of two counts: of a scenario's operations, and of as many calls of a function that does
//! nothing, made by the same machine code. So it is what the operation itself executes, without call and return.

use elimination_stack::{Handle, Slots, Stack};
use std::arch::asm;
use std::hint::black_box;
use std::mem;

/// Operations of each kind: through `Stack`, through `Handle`, or none.
#[derive(Clone, Copy, Debug)]
pub struct Through {
    push: Operation,
    pop: Operation,
    /// So many at once.
    push_all: fn(&mut Subject, usize),
}

type Operation = fn(&mut Subject);

/// The stacks that the operations use. A handle would be in the other operations' way, so it has a stack to itself.
pub struct Subject {
    handle: Handle<'static, usize>,
    stack: &'static Stack<usize>,
}

/// So many pushes, then so many pops.
#[derive(Clone, Copy, Debug)]
pub struct Run(pub usize, pub usize);

/// Whether the pushes of a run are one `push_all`, which pushes no node again without a scan.
pub type AtOnce = bool;

/// What is done before, uncounted, and what is counted, so many times, beside so many handles that rest.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub resting: usize,
    pub at_once: AtOnce,
    pub before: Run,
    pub counted: Run,
    pub times: usize,
}

pub const STACK: Through = Through {
    push: |subject| subject.stack.push(1),
    pop: |subject| sink(subject.stack.pop()),
    push_all: |subject, count| subject.stack.push_all(0..count),
};

pub const HANDLE: Through = Through {
    push: |subject| subject.handle.push(1),
    pop: |subject| sink(subject.handle.pop()),
    push_all: |subject, count| subject.handle.push_all(0..count),
};

/// What the harness itself executes.
pub const NOTHING: Through = Through { push: nothing, pop: nothing, push_all: |subject, _| nothing(subject) };

fn nothing(_: &mut Subject) {
    sink(Some(0));
}

/// Uses a value, in no instruction.
fn sink(value: Option<usize>) {
    if let Some(value) = value {
        // SAFETY: no instruction at all.
        unsafe { asm!("/* {} */", in(reg) value, options(nomem, nostack, preserves_flags)) };
    }
}

/// More nodes than a scenario needs, so that what it counts is not the allocator; whole batches, so that no slot has
/// retired nodes to begin with.
const NODES: usize = 256 * Slots::<8>::BATCH;

impl Subject {
    /// Stacks with spare nodes, all of them in the depot, but for a batch in each handle that rests, as far as they go. One of
    /// its nodes it has pushed, and it was popped since.
    fn new(resting: usize) -> Self {
        let stacks = [(); 2].map(|()| {
            let stack: &'static Stack<usize> = Box::leak(Box::default());
            stack.reserve(NODES).expect("memory");
            stack
        });
        let mut subject = Self { handle: stacks[0].handle(), stack: stacks[1] };
        for stack in stacks {
            for _ in 0..resting {
                let mut handle = stack.handle();
                handle.push(0);
                // It is there to the end.
                mem::forget(handle);
            }
        }
        while subject.handle.pop().is_some() {}
        while subject.stack.pop().is_some() {}
        subject
    }
}

/// Starts a page of the thread's stack. Without a handle, an operation chooses its slot by the page that it finds itself
/// on, and that must neither change within a scenario nor depend on the length of a path or of an environment.
#[repr(align(4096))]
struct Page([u8; 4096]);

/// Does what is to be done before, and then [`counted`].
///
/// # Panics
///
/// Without memory.
#[must_use]
pub fn perform(through: Through, scenario: Scenario) -> Subject {
    let Scenario { resting, at_once, before, counted: run, times } = scenario;
    let mut subject = Subject::new(resting);
    on_one_page(|| {
        repeat(&mut subject, through, before, at_once, 1);
        counted(&mut subject, through, run, at_once, times);
    });
    subject
}

/// Has the operations in `action` find themselves on one page of the thread's stack.
#[inline(never)]
pub fn on_one_page(action: impl FnOnce()) {
    let page = Page([0; 4096]);
    black_box(&page.0);
    below(action);
    black_box(&page.0);
}

/// Has locals of its own: in line, they might be above the page, and those of what it calls below.
#[inline(never)]
fn below(action: impl FnOnce()) {
    action();
}

/// callgrind counts in here.
#[inline(never)]
fn counted(subject: &mut Subject, through: Through, run: Run, at_once: AtOnce, times: usize) {
    repeat(subject, through, run, at_once, times);
}

#[inline(never)]
fn repeat(subject: &mut Subject, through: Through, Run(pushes, pops): Run, at_once: AtOnce, times: usize) {
    for _ in 0..times {
        if at_once {
            (through.push_all)(subject, pushes);
        } else {
            for _ in 0..pushes {
                (through.push)(subject);
            }
        }
        for _ in 0..pops {
            (through.pop)(subject);
        }
    }
}
