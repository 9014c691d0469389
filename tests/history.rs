//! The checker of histories itself: it finds what is wrong, and finds nothing else.

#[macro_use]
mod common;
#[path = "common/history.rs"]
#[allow(dead_code, reason = "each suite uses a part of this")]
mod history;

use common::*;
use history::Effect::{Popped, Pushed, Refused, SawEmpty, Took};
use history::{Call, Effect, History};

fn call(context: usize, began: u64, ended: u64, effect: Effect) -> Call {
    Call { context, method: "call", began, ended, effect }
}

/// Fails unless the history is linearizable and the order that shows it is one.
#[track_caller]
fn assert_right(calls: Vec<Call>) {
    let history = History::new(calls);
    let order = history.linearize().unwrap_or_else(|error| panic!("{error}"));
    assert!(is_an_order(&history, &order), "{order:?} of\n{history}");
}

/// Fails unless the history is not linearizable, and can be reduced to `calls` calls.
#[track_caller]
fn assert_wrong(calls: Vec<Call>, reduced: usize) {
    let history = History::new(calls);
    let Err(error) = history.linearize() else { panic!("taken for linearizable:\n{history}") };
    let shortest = history.shortest();
    assert!(shortest.linearize().is_err(), "reduced to one that is linearizable:\n{shortest}");
    assert_eq!(shortest.calls().len(), reduced, "{error}");
}

/// Whether all calls are in `order`, none before one that had ended when it began, and a stack does the same.
fn is_an_order(history: &History, order: &[usize]) -> bool {
    let calls = history.calls();
    let mut places = order.to_vec();
    places.sort_unstable();
    let mut stack = Vec::new();
    places.into_iter().eq(0..calls.len())
        && order.iter().enumerate().all(|(place, &at)| {
            order[..place].iter().all(|&earlier| calls[at].ended >= calls[earlier].began)
                && calls[at].effect.apply(&mut stack)
        })
}

/// The same by brute force: tries all orders.
fn some_order(history: &History, order: &mut Vec<usize>) -> bool {
    let count = history.calls().len();
    if order.len() == count {
        return is_an_order(history, order);
    }
    (0..count).any(|at| {
        if order.contains(&at) {
            return false;
        }
        order.push(at);
        let found = some_order(history, order);
        order.pop();
        found
    })
}

#[test]
fn right_histories() {
    assert_right(vec![]);
    // One after the other.
    assert_right(vec![
        call(0, 1, 2, SawEmpty(true)),
        call(0, 3, 4, Pushed(vec![1, 2])),
        call(0, 5, 6, SawEmpty(false)),
        call(1, 7, 8, Popped(Some(2))),
        call(0, 9, 10, Pushed(vec![3])),
        call(1, 11, 12, Took(vec![3, 1])),
        call(1, 13, 14, Took(vec![])),
        call(1, 15, 16, Popped(None)),
        call(0, 17, 18, Refused),
    ]);
    // A pop may find nothing, or the value, while the push is under way.
    assert_right(vec![call(0, 1, 4, Pushed(vec![1])), call(1, 2, 3, Popped(None)), call(1, 5, 6, Popped(Some(1)))]);
    assert_right(vec![call(0, 1, 4, Pushed(vec![1])), call(1, 2, 3, Popped(Some(1))), call(1, 5, 6, Popped(None))]);
    // What is popped in the order of the pushes must have been popped while they were under way.
    assert_right(vec![
        call(0, 1, 5, Pushed(vec![1])),
        call(1, 2, 6, Pushed(vec![2])),
        call(2, 3, 7, Popped(Some(1))),
        call(0, 8, 9, Popped(Some(2))),
    ]);
    // The last to begin comes first.
    assert_right(vec![
        call(0, 1, 8, Popped(Some(3))),
        call(1, 2, 7, Pushed(vec![3])),
        call(2, 3, 6, Took(vec![1])),
        call(3, 4, 5, Pushed(vec![1])),
    ]);
    // At the same moment is not before.
    assert_right(vec![call(0, 1, 2, Popped(Some(1))), call(1, 2, 3, Pushed(vec![1]))]);
}

#[test]
fn lost_value() {
    assert_wrong(vec![call(0, 1, 2, Pushed(vec![1])), call(1, 3, 4, Popped(None))], 2);
    assert_wrong(
        vec![
            call(0, 1, 6, Pushed(vec![1])),
            call(1, 2, 5, Pushed(vec![2])),
            call(2, 3, 4, Popped(Some(2))),
            call(0, 7, 8, SawEmpty(false)),
            call(2, 9, 10, Took(vec![])),
        ],
        2,
    );
}

#[test]
fn duplicated_value() {
    assert_wrong(
        vec![call(0, 1, 4, Pushed(vec![1])), call(1, 2, 5, Popped(Some(1))), call(2, 3, 6, Popped(Some(1)))],
        3,
    );
    assert_wrong(
        vec![
            call(0, 1, 2, Pushed(vec![1, 2, 3])),
            call(1, 3, 6, Popped(Some(3))),
            call(2, 4, 5, Took(vec![3, 2, 1])),
            call(2, 7, 8, Popped(None)),
        ],
        3,
    );
}

#[test]
fn first_in_first_out() {
    assert_wrong(
        vec![
            call(0, 1, 2, Pushed(vec![1])),
            call(0, 3, 4, Pushed(vec![2])),
            call(1, 5, 6, Popped(Some(1))),
            call(1, 7, 8, Popped(Some(2))),
        ],
        4,
    );
}

/// It found nothing after another call had seen something, and nobody had taken it.
#[test]
fn stale_nothing() {
    assert_wrong(
        vec![
            call(0, 1, 8, Pushed(vec![1])),
            call(1, 2, 3, SawEmpty(false)),
            call(2, 4, 5, Popped(None)),
            call(2, 9, 10, Popped(Some(1))),
        ],
        4,
    );
    assert_wrong(
        vec![
            call(0, 1, 2, Pushed(vec![1])),
            call(1, 3, 5, Pushed(vec![2])),
            call(2, 4, 7, Popped(Some(2))),
            call(1, 6, 8, SawEmpty(true)),
            call(0, 9, 10, Popped(Some(1))),
        ],
        3,
    );
}

#[test]
fn torn_push_all() {
    // Something came in between,
    assert_wrong(
        vec![
            call(0, 1, 4, Pushed(vec![1, 2])),
            call(1, 2, 3, Pushed(vec![9])),
            call(1, 5, 6, Popped(Some(2))),
            call(1, 7, 8, Popped(Some(9))),
            call(1, 9, 10, Popped(Some(1))),
        ],
        5,
    );
    // was seen in between,
    assert_wrong(
        vec![call(0, 1, 8, Pushed(vec![1, 2])), call(1, 2, 3, Popped(Some(1))), call(1, 4, 5, Popped(Some(2)))],
        3,
    );
    // or the order is wrong.
    assert_wrong(vec![call(0, 1, 2, Pushed(vec![1, 2])), call(1, 3, 4, Popped(Some(1)))], 2);
}

#[test]
fn take_all_that_is_not() {
    // It missed the lower one,
    assert_wrong(
        vec![call(0, 1, 2, Pushed(vec![1, 2])), call(1, 3, 4, Took(vec![2])), call(0, 5, 6, Popped(Some(1)))],
        3,
    );
    // went from the bottom up,
    assert_wrong(vec![call(0, 1, 2, Pushed(vec![1, 2])), call(1, 3, 4, Took(vec![1, 2]))], 2);
    // or took what had come after it.
    assert_wrong(vec![call(1, 1, 2, Took(vec![1])), call(0, 3, 4, Pushed(vec![1]))], 2);
}

#[test]
fn value_from_nowhere() {
    assert_wrong(vec![call(0, 1, 2, Popped(Some(1)))], 1);
    assert_wrong(vec![call(0, 1, 2, Popped(Some(1))), call(1, 3, 4, Pushed(vec![1]))], 2);
}

/// On random histories, right ones and wrong ones, the search and brute force agree.
#[test]
fn agrees_with_brute_force() {
    const CALLS: usize = 6;
    let mut right = 0;
    let histories = scaled(5_000);
    for seed in 0..histories {
        let mut random = Random::new(seed);
        let mut moments: Vec<u64> = (0..).take(2 * CALLS).collect();
        let calls = (0..CALLS).map(|context| {
            // Near the first moment that is left, or nearly every call overlaps every other.
            let began = moments.remove(0);
            let ended = moments.remove(random.below(moments.len().min(3)));
            call(context, began, ended, random_effect(&mut random, u32::try_from(context).unwrap()))
        });
        let history = History::new(calls.collect());
        let found = history.linearize();
        right += usize::from(found.is_ok());
        match found {
            Ok(order) => assert!(is_an_order(&history, &order), "{order:?} of\n{history}"),
            Err(error) => {
                assert!(!some_order(&history, &mut Vec::new()), "{error}");
                let shortest = history.shortest();
                assert!(!some_order(&shortest, &mut Vec::new()), "reduced too much:\n{history}to\n{shortest}");
            }
        }
    }
    assert!((histories / 50..histories).contains(&right), "{right} of {histories} are linearizable");
}

/// What the call with this number may have done.
fn random_effect(random: &mut Random, number: u32) -> Effect {
    let pushed = |random: &mut Random| u32::try_from(random.below(6)).unwrap();
    match random.below(8) {
        0..3 => Pushed(vec![number]),
        3 => Pushed(vec![number, 10 + number]),
        4..6 => Popped(Some(pushed(random))),
        6 => [Popped(None), SawEmpty(true), SawEmpty(false), Refused][random.below(4)].clone(),
        _ => Took((0..random.below(3)).map(|_| pushed(random)).collect()),
    }
}

#[test]
fn overlaps() {
    let [first, second] = [call(0, 2, 5, Pushed(vec![1])), call(1, 1, 3, Popped(Some(1)))];
    let third = call(1, 6, 7, SawEmpty(true));
    let history = History::new(vec![first.clone(), second, third.clone()]);
    assert_eq!((history.overlaps(), history.is_legal_as_begun()), (1, false));
    let history = History::new(vec![first, third]);
    assert_eq!((history.overlaps(), history.is_legal_as_begun()), (0, false));
    let history =
        History::new(vec![call(0, 1, 9, Pushed(vec![1])), call(1, 2, 3, Popped(Some(1))), call(2, 3, 4, Refused)]);
    assert_eq!((history.overlaps(), history.is_legal_as_begun()), (3, true));
}

/// What a failed test shows.
#[test]
fn display() {
    let history = History::new(vec![
        Call { context: 1, method: "pop", began: 30, ended: 50, effect: Popped(None) },
        Call { context: 0, method: "push_all", began: 10, ended: 20, effect: Pushed(vec![1, 2]) },
        Call { context: 2, method: "is_empty", began: 40, ended: 60, effect: SawEmpty(false) },
    ]);
    let expected = "not linearizable, 3 calls:
  context 0  []      push_all: pushed [1, 2]
  context 1    [-]   pop: found nothing
  context 2     [-]  is_empty: said no
this much of it could be put in order:
  context 0  push_all: pushed [1, 2]
  context 2  is_empty: said no
and without what does not matter it is this:
  context 0  []    push_all: pushed [2]
  context 1    []  pop: found nothing
";
    assert_eq!(history.linearize().unwrap_err().to_string(), expected);
}
