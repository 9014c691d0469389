//! Histories of real threads, small ones by the thousand: each is linearizable.
//!
//! Two to four threads meet at a gate and make three to five calls each, at random; a clock that all share numbers the
//! beginning and the end of each call. What is left is taken out at the end, which is the history's last call. The
//! checker is `common/history.rs`, its own test `history.rs`.

#[macro_use]
mod common;
#[macro_use]
#[path = "common/in_place.rs"]
mod engines;
#[path = "common/history.rs"]
mod history;
#[path = "common/race.rs"]
mod race;

#[path = "linearizability/in_place.rs"]
mod in_place;

use common::*;
use history::Effect::{Popped, Pushed};
use history::{Call, Effect, Value};
use race::{Calls, Race, race};

for_each_stack! { histories_of_threads }

/// How many methods there are in `call_stack` and `call_handle`, and `try_push_all`.
const METHODS: usize = 8 + 5 + 1;

fn histories_of_threads<R: Engine, B: Backoff>() {
    let stack = Stack::<Value, R, B>::custom();
    // For `push_spare`.
    stack.reserve(64).unwrap();
    race(&stack, &Calls { on_stack: call_stack, on_handle: call_handle, methods: METHODS });
}

fn call_stack<R: Engine, B: Backoff>(
    race: &Race<'_, R, B>,
    context: usize,
    random: &mut Random,
    values: &mut dyn Iterator<Item = Value>,
) -> Call {
    let (stack, value) = (race.stack, values.next().unwrap());
    match random.below(14) {
        0..2 => race.call(context, "push", || stack.push(value), |()| Pushed(vec![value])),
        2 => race.call(context, "try_push", || stack.try_push(value).unwrap(), |()| Pushed(vec![value])),
        5..7 => push_all(race, context, &values.take(random.below(4)).collect::<Vec<_>>()),
        roll => race.call_on_any(context, roll, value),
    }
}

fn call_handle<'s, R: Engine, B: Backoff>(
    race: &Race<'s, R, B>,
    context: usize,
    handle: &mut Handle<'s, Value, R, B>,
    random: &mut Random,
    values: &mut dyn Iterator<Item = Value>,
) -> Call {
    let value = values.next().unwrap();
    match random.below(10) {
        0..2 => race.call(context, "handle.push", || handle.push(value), |()| Pushed(vec![value])),
        2 => race.call(context, "handle.try_push", || handle.try_push(value).unwrap(), |()| Pushed(vec![value])),
        3 => race.call(
            context,
            "handle.push_spare",
            || handle.push_spare(value),
            |result| Effect::of_push(value, &result),
        ),
        4..6 => {
            let values: Vec<_> = values.take(random.below(4)).collect();
            race.call(
                context,
                "handle.push_all",
                || handle.push_all(values.iter().copied()),
                |()| Pushed(values.clone()),
            )
        }
        _ => race.call(context, "handle.pop", || handle.pop(), Popped),
    }
}

fn push_all<R: Engine, B: Backoff>(race: &Race<'_, R, B>, context: usize, values: &[Value]) -> Call {
    race.call(context, "push_all", || race.stack.push_all(values.iter().copied()), |()| Pushed(values.to_vec()))
}
