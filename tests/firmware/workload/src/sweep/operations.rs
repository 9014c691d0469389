//! The operations that are interrupted, and the types of stack.

use super::history::{Done, Log};
use super::interrupts::Interrupted;
use super::{Stepping, Sweep};
use crate::hart;
use core::any;
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use elimination_stack::{Backoff, Elimination, Engine, Fixed, NoBackoff, NoSlot, PushErrorKind, Reclaim, Slots, Stack};

/// Nodes that are reserved, for an engine that has an allocator: in these slots more than two batches.
pub const RESERVED: usize = 28;

/// The most values that one operation pushes.
pub const PUSHED_AT_ONCE: usize = 3;

/// What the main loop pushes while it is interrupted.
const VALUES: [u16; PUSHED_AT_ONCE] = [1000, 1001, 1002];
const VALUE: u16 = VALUES[0];

impl<M: Stepping> Sweep<M> {
    /// Sweeps over each type of stack: for how many contexts it has slots, how it comes to its nodes, and its operations.
    pub(super) fn all(&mut self) {
        self.list::<Slots<2>, NoBackoff>(2);
        self.list::<Slots<2>, Elimination<2>>(2);
        self.list::<Slots<3>, NoBackoff>(3);
        self.stack::<Fixed<16, 2>, NoBackoff>(2, 0, Some(16), |_| {}, &[&of_every_engine()]);
        self.stack::<Fixed<16, 3>, NoBackoff>(3, 0, Some(16), |_| {}, &[&of_every_engine()]);
        #[cfg(feature = "critical-section")]
        self.stack::<elimination_stack::Masked<16>, NoBackoff>(3, 0, Some(16), |_| {}, &[&of_every_engine()]);
    }

    /// On an engine with an allocator.
    fn list<R: Reclaim, B: Backoff>(&mut self, contexts: usize) {
        self.stack::<R, B>(
            contexts,
            Stack::<u16, R, B>::IDLE_NODES,
            None,
            reserve,
            &[&of_every_engine(), &with_allocator()],
        );
    }

    fn stack<R: Engine, B: Backoff>(
        &mut self,
        contexts: usize,
        idle_nodes: usize,
        room: Option<usize>,
        prepare: fn(&Stack<u16, R, B>),
        operations: &[&[Operation<R, B, M>]],
    ) {
        for operation in operations.iter().copied().flatten() {
            self.operation(&Subject {
                engine: any::type_name::<R>(),
                backoff: any::type_name::<B>(),
                operation: operation.name,
                contexts,
                idle_nodes,
                room,
                with_new: &|run| {
                    let stack = Stack::custom();
                    prepare(&stack);
                    run(&stack, &|caller| (operation.call)(&stack, caller));
                },
            });
        }
    }
}

/// Nodes for an engine with an allocator.
fn reserve<R: Reclaim, B: Backoff>(stack: &Stack<u16, R, B>) {
    stack.reserve(RESERVED).expect("the heap is large enough");
}

/// One operation on one type of stack.
pub struct Subject<'a, M> {
    engine: &'a str,
    backoff: &'a str,
    operation: &'a str,
    /// For how many contexts there are slots.
    pub contexts: usize,
    /// [`Stack::IDLE_NODES`].
    pub idle_nodes: usize,
    /// How many values there always is room for, if not as many as at first.
    pub room: Option<usize>,
    /// Makes a new stack and has something done with that, and with what calls the operation on it.
    pub with_new: &'a dyn Fn(&mut dyn FnMut(&dyn Interrupted, &dyn Fn(&Caller<'_, M>))),
}

impl<M> fmt::Display for Subject<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [engine, backoff] = [self.engine, self.backoff].map(|path| path.rsplit("::").next().unwrap_or(path));
        write!(f, "{} on {engine}, {backoff}", self.operation)
    }
}

/// What an operation needs to be called in a run, and to note its result.
pub struct Caller<'a, M> {
    log: &'a Log,
    /// Instructions to the interrupt.
    k: u32,
    /// Instructions of the operation, if none came.
    length: Cell<u32>,
    board: PhantomData<M>,
}

impl<'a, M: Stepping> Caller<'a, M> {
    /// With an interrupt after so many instructions, and a log for the result.
    pub fn new(k: u32, log: &'a Log) -> Self {
        Self { log, k, length: Cell::new(0), board: PhantomData }
    }

    /// Instructions of the operation, if no interrupt came.
    pub fn length(&self) -> u32 {
        self.length.get()
    }

    /// Calls the operation, while the timer runs.
    pub fn interrupted<O>(&self, operation: impl FnOnce() -> O) -> O {
        let (mut operation, mut result) = (Some(operation), None);
        self.call(&mut || result = operation.take().map(|operation| operation()));
        result.expect("it was called")
    }

    /// Not inlined: so what is interrupted beside the operation is the same number of instructions for each.
    #[inline(never)]
    fn call(&self, operation: &mut dyn FnMut()) {
        M::arm(self.k);
        let start = M::read();
        hart::operation(operation);
        let end = M::read();
        M::disarm();
        self.length.set(M::between(start, end));
    }

    fn note_push(&self, pushed: bool) {
        self.log.note(if pushed { Done::Pushed(VALUE) } else { Done::Refused(VALUE) });
    }

    fn note_pop(&self, value: Option<u16>) {
        self.log.note(value.map_or(Done::FoundNothing, Done::Popped));
    }
}

/// An operation of the main loop.
struct Operation<R: Engine, B: Backoff, M> {
    name: &'static str,
    call: fn(&Stack<u16, R, B>, &Caller<'_, M>),
}

/// The operations that every engine has.
fn of_every_engine<R: Engine, B: Backoff, M: Stepping>() -> [Operation<R, B, M>; 5] {
    [
        Operation {
            name: "try_pop",
            call: |stack, caller| {
                caller.note_pop(caller.interrupted(|| stack.try_pop()).expect("there is a slot for the main loop"));
            },
        },
        Operation { name: "pop", call: |stack, caller| caller.note_pop(caller.interrupted(|| stack.pop())) },
        Operation {
            name: "push_spare",
            call: |stack, caller| caller.note_push(caller.interrupted(|| stack.push_spare(VALUE)).is_ok()),
        },
        Operation {
            name: "try_push",
            call: |stack, caller| caller.note_push(caller.interrupted(|| stack.try_push(VALUE)).is_ok()),
        },
        Operation {
            name: "take_all",
            call: |stack, caller| {
                caller.interrupted(|| stack.take_all().for_each(|value| caller.note_pop(Some(value))));
                caller.note_pop(None);
            },
        },
    ]
}

/// Those that only an engine with an allocator has, and those of a handle.
fn with_allocator<R: Reclaim, B: Backoff, M: Stepping>() -> [Operation<R, B, M>; 5] {
    [
        Operation {
            name: "push",
            call: |stack, caller| {
                caller.interrupted(|| stack.push(VALUE));
                caller.note_push(true);
            },
        },
        Operation {
            name: "push_all",
            call: |stack, caller| {
                caller.interrupted(|| stack.push_all(VALUES));
                VALUES.iter().for_each(|value| caller.log.note(Done::Pushed(*value)));
            },
        },
        Operation {
            name: "Handle::push",
            call: |stack, caller| {
                let mut handle = stack.handle();
                caller.interrupted(|| handle.push(VALUE));
                caller.note_push(true);
            },
        },
        Operation {
            name: "Handle::push_spare",
            call: |stack, caller| {
                let mut handle = stack.handle();
                caller.note_push(caller.interrupted(|| handle.push_spare(VALUE)).is_ok());
            },
        },
        Operation {
            name: "Handle::pop",
            call: |stack, caller| {
                let mut handle = stack.handle();
                caller.note_pop(caller.interrupted(|| handle.pop()));
            },
        },
    ]
}

impl<R: Engine, B: Backoff> Interrupted for Stack<u16, R, B> {
    fn push_spare(&self, value: u16) -> Done {
        match Stack::push_spare(self, value) {
            Ok(()) => Done::Pushed(value),
            Err(error) if error.kind() == PushErrorKind::NoSlot => Done::NoSlot,
            Err(error) => Done::Refused(error.into_value()),
        }
    }

    fn try_pop(&self) -> Done {
        match Stack::try_pop(self) {
            Ok(value) => value.map_or(Done::FoundNothing, Done::Popped),
            Err(NoSlot) => Done::NoSlot,
        }
    }
}
