//! The calls that there are on the engines whose nodes lie in the stack.

use crate::common::*;
use crate::engines::*;
use crate::history::Effect::{Popped, Refused};
use crate::history::{Call, Effect, Value};
use crate::race::{Calls, Race, race};
use elimination_stack::Engine;

for_each_stack_in_place! { histories_of_threads }

/// How many methods there are in `call_stack` and `call_handle`.
const METHODS: usize = 7 + 4;

fn histories_of_threads<R: InPlace, B: Backoff>() {
    let stack = Stack::<Value, R, B>::custom();
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
        0..3 => race.call(context, "try_push", || stack.try_push(value), |result| Effect::of_push(value, &result)),
        5..7 => race.try_push_all(context, values.take(random.below(4)).collect()),
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
    match random.below(8) {
        0..3 => {
            race.call(context, "handle.try_push", || handle.try_push(value), |result| Effect::of_push(value, &result))
        }
        3 => race.call(
            context,
            "handle.push_spare",
            || handle.push_spare(value),
            |result| Effect::of_push(value, &result),
        ),
        4 => race.call(context, "handle.try_pop", || handle.try_pop(), |result| result.map_or(Refused, Popped)),
        _ => race.call(context, "handle.pop", || handle.pop(), Popped),
    }
}
