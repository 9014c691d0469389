//! Programs: arbitrary calls on a few stacks, in one thread, with a `Vec` beside each that says what has to come out.
//!
//! A program is read out of bytes, so that a fuzzer can write some, and a file can keep one. It knows all methods, takes
//! and drops and loses handles, keeps iterators of detached values, lets allocations fail and values panic when they are
//! dropped, and moves values from stack to stack. After each step it asks for what the documentation promises: what
//! comes out and what is dropped, which calls keep off the allocator, what may be refused and why, and how many nodes
//! there are at most.
//!
//! Who includes this file includes `common`, `ledger` and `expected` beside it.

mod other;
mod push;
mod step;
mod tested;
mod value;

use crate::common::*;
use crate::expected::silence;
use crate::ledger::Ledger;
use std::array;
use std::fmt;
use step::{Count, STACKS, Step, decode};
use tested::Tested;
use value::{Value, Values};

/// A program as bytes, any bytes.
pub struct Program(pub Vec<u8>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, which means", self.0)?;
        decode(&self.0).into_iter().try_for_each(|(at, step)| writeln!(f, "  stack {at}: {step:?}"))
    }
}

/// Plays a program on one type of stack, and fails if anything is not as it should be.
pub fn play<R: Engine, B: Backoff>(program: &Program) {
    // Allocates, and not for a stack.
    silence();
    let values = Values::default();
    let mut steps = decode(&program.0).into_iter();
    while steps.len() > 0 {
        play_until_end::<R, B>(&values, &mut steps);
        assert_eq!(values.alive(), 0, "values outlive their stacks");
    }
}

/// The life of a few stacks.
fn play_until_end<R: Engine, B: Backoff>(values: &Values, steps: &mut impl Iterator<Item = (usize, Step)>) {
    let ledgers: [_; STACKS] = array::from_fn(|_| Ledger::new::<Value>());
    let stacks = [const { Stack::<Value, R, B>::custom() }; STACKS];
    let mut tested: [_; STACKS] = array::from_fn(|at| Tested::new(&stacks[at], &ledgers[at], values));
    let mut take_apart = 0;
    for (at, step) in steps {
        match step {
            Step::End(Count(count)) => {
                take_apart = count;
                break;
            }
            Step::Move(through) => {
                if let Some(value) = tested[at].pop(through) {
                    tested[(at + 1) % STACKS].push(through, value);
                }
            }
            step => tested[at].apply(step),
        }
        tested.iter_mut().for_each(Tested::check);
        assert_eq!(values.alive(), tested.iter().map(Tested::len).sum(), "dropped too early or too late");
    }
    let models = tested.map(Tested::close);
    for ((stack, ledger), model) in stacks.into_iter().zip(&ledgers).zip(models) {
        end(stack, ledger, values, model, take_apart);
    }
}

/// Takes some values out of a stack that nobody else uses, and drops it with the others.
fn end<'v, R: Engine, B: Backoff>(
    stack: Stack<Value<'v>, R, B>,
    ledger: &Ledger,
    values: &'v Values,
    mut model: Vec<usize>,
    take_apart: usize,
) {
    let mut rest = stack.into_iter();
    for _ in 0..take_apart.min(model.len() + 1) {
        let value = ledger.during(|| rest.next());
        assert_eq!(value.as_ref().map(|value| value.id), model.pop());
        value.into_iter().for_each(Value::discard);
    }
    ledger.during(|| values.dropping(&model, || drop(rest)));
    ledger.assert_nothing_left();
}
