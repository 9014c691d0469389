//! Random programs of one context against a `Vec`. What fails is made shorter by `proptest`.

use super::*;
use elimination_stack::TakeAll;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

for_each_stack_in_place! { random_programs }

/// One call. A number says how many values are pushed or taken, modulo what is possible, or which iterator is meant.
#[derive(Clone, Copy, Debug)]
enum Step {
    TryPush,
    PushSpare,
    ThroughHandle,
    TryPushAll(usize),
    Pop,
    TryPop,
    TakeAll,
    TakeNext(usize),
    TakeDrop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_usize..1000;
    prop_oneof![
        6 => Just(Step::TryPush),
        4 => Just(Step::PushSpare),
        2 => Just(Step::ThroughHandle),
        3 => number.clone().prop_map(Step::TryPushAll),
        5 => Just(Step::Pop),
        4 => Just(Step::TryPop),
        2 => Just(Step::TakeAll),
        4 => number.clone().prop_map(Step::TakeNext),
        1 => number.prop_map(Step::TakeDrop),
    ]
}

fn random_programs<R: InPlace, B: Backoff>() {
    let cases = u32::try_from(scaled(400)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(step(), 0..400), |steps| {
        let census = Census::new(400 * (R::ROOM + 3));
        census.during(|| play::<R, B>(&census, &steps));
        census.assert_all_dropped();
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

fn play<R: InPlace, B: Backoff>(census: &Census, steps: &[Step]) {
    let stack = Stack::<Word, R, B>::custom();
    // The ids in the stack, the topmost last, and those that iterators have yet to give, the next one last.
    let mut model: Vec<usize> = Vec::new();
    let mut taken: Vec<(TakeAll<'_, Word, R, B>, Vec<usize>)> = Vec::new();
    let mut next_id = 0;
    for step in steps {
        let held: usize = taken.iter().map(|(_, model)| model.len()).sum();
        let room = R::ROOM - held - model.len();
        let id = next_id;
        match *step {
            Step::TryPush | Step::PushSpare | Step::ThroughHandle => {
                next_id += 1;
                let pushed = match step {
                    Step::TryPush => stack.try_push(Word::new(id)),
                    Step::PushSpare => stack.push_spare(Word::new(id)),
                    _ => stack.try_handle().unwrap().try_push(Word::new(id)),
                };
                match pushed {
                    Ok(()) => model.push(id),
                    Err(refused) => {
                        assert_eq!((refused.kind(), refused.into_value().id()), (PushErrorKind::NoSpareNode, id));
                    }
                }
                assert_eq!(model.last() == Some(&id), room > 0);
            }
            Step::TryPushAll(count) => {
                let count = count % (R::ROOM + 3);
                next_id += count;
                let refused = stack.try_push_all((id..next_id).map(Word::new)).err();
                let pushed = id + count.min(room);
                model.extend(id..pushed);
                assert_eq!(refused.is_some(), pushed < next_id);
                let refused = refused.into_iter().flat_map(PushError::into_value);
                assert!(refused.map(|value| value.id()).eq(pushed..next_id));
            }
            Step::Pop => assert_eq!(stack.pop().map(|value| value.id()), model.pop()),
            Step::TryPop => assert_eq!(stack.try_pop().unwrap().map(|value| value.id()), model.pop()),
            Step::TakeAll => taken.push((stack.take_all(), std::mem::take(&mut model))),
            Step::TakeNext(number) => {
                let at = number % taken.len().max(1);
                if let Some((iterator, model)) = taken.get_mut(at) {
                    for _ in 0..=number % 7 {
                        assert_eq!(iterator.next().map(|value| value.id()), model.pop());
                    }
                }
            }
            Step::TakeDrop(number) if !taken.is_empty() => drop(taken.swap_remove(number % taken.len())),
            Step::TakeDrop(_) => {}
        }
        assert_eq!(stack.is_empty(), model.is_empty());
        let alive = model.len() + taken.iter().map(|(_, model)| model.len()).sum::<usize>();
        assert_eq!(census.alive(), i64::try_from(alive).unwrap(), "dropped too early or too late");
    }
    drop(taken);
    let mut rest = stack.into_iter();
    for _ in 0..model.len() / 2 {
        assert_eq!(rest.next().map(|value| value.id()), model.pop());
    }
}
