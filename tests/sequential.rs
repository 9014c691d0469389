//! One thread: every method against a `Vec` as the model, and what the traits of collections promise.

#![cfg(not(loom))]

#[macro_use]
mod common;

use common::*;
use elimination_stack::TakeAll;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::error::Error;
use std::rc::Rc;

for_each_stack! {
    model, order_of_push_all, order_of_collections, extend_exclusive, default_and_debug, handle_keeps_its_stack,
    take_all_while_others_push, many_handles, push_spare_takes_from_everywhere, reclaim_counts,
    not_send_values, forgotten_handle,
}

/// One step of a test run, on one of several stacks.
#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    TryPush(u32),
    PushSpare(u32),
    Pop,
    TryPop,
    PushAll(Vec<u32>),
    Extend(Vec<u32>),
    /// Opens a handle.
    Open,
    /// The following go to the handle with this index, modulo how many there are.
    Close(usize),
    HandlePush(usize, u32),
    HandleTryPush(usize, u32),
    HandlePushSpare(usize, u32),
    HandlePop(usize),
    HandlePushAll(usize, Vec<u32>),
    HandleExtend(usize, Vec<u32>),
    /// Detaches everything; the iterator lives on.
    TakeAll,
    /// Asks the iterator with this index for some values.
    TakeNext(usize, usize),
    TakeDrop(usize),
    /// More than the idle nodes by so many.
    Reserve(usize),
    Reclaim,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let value = any::<u32>;
    let values = || vec(any::<u32>(), 0..40);
    let index = || 0..16_usize;
    let step = prop_oneof![
        8 => value().prop_map(Step::Push),
        4 => value().prop_map(Step::TryPush),
        6 => value().prop_map(Step::PushSpare),
        12 => Just(Step::Pop),
        8 => Just(Step::TryPop),
        3 => values().prop_map(Step::PushAll),
        1 => values().prop_map(Step::Extend),
        3 => Just(Step::Open),
        2 => index().prop_map(Step::Close),
        6 => (index(), value()).prop_map(|(at, value)| Step::HandlePush(at, value)),
        3 => (index(), value()).prop_map(|(at, value)| Step::HandleTryPush(at, value)),
        4 => (index(), value()).prop_map(|(at, value)| Step::HandlePushSpare(at, value)),
        12 => index().prop_map(Step::HandlePop),
        2 => (index(), values()).prop_map(|(at, values)| Step::HandlePushAll(at, values)),
        1 => (index(), values()).prop_map(|(at, values)| Step::HandleExtend(at, values)),
        2 => Just(Step::TakeAll),
        4 => (index(), 0..30_usize).prop_map(|(at, count)| Step::TakeNext(at, count)),
        1 => index().prop_map(Step::TakeDrop),
        1 => (0..60_usize).prop_map(Step::Reserve),
        1 => Just(Step::Reclaim),
    ];
    vec((0..2_usize, step), 0..400)
}

/// A value that shows by the count of an `Rc` whether it was dropped, once.
struct Item(u32, #[expect(dead_code, reason = "counts by existing")] Rc<()>);

/// A stack under test, with what it should hold.
struct Tested<'s, R: Engine, B: Backoff> {
    stack: &'s Stack<Item, R, B>,
    model: Vec<u32>,
    handles: Vec<Handle<'s, Item, R, B>>,
    detached: Vec<(TakeAll<'s, Item, R, B>, Vec<u32>)>,
    reserved: usize,
    alive: Rc<()>,
}

impl<R: Engine, B: Backoff> Tested<'_, R, B> {
    fn item(&self, value: u32) -> Item {
        Item(value, Rc::clone(&self.alive))
    }

    fn items(&self, values: &[u32]) -> Vec<Item> {
        values.iter().map(|&value| self.item(value)).collect()
    }

    /// How many values the stack and its iterators should hold.
    fn len(&self) -> usize {
        self.model.len() + self.detached.iter().map(|(_, model)| model.len()).sum::<usize>()
    }

    /// Whether `push_spare` of one more value is promised to succeed, with `contexts` inside.
    fn spare_is_promised(&self, contexts: usize) -> bool {
        contexts <= R::SLOTS && self.len() + 1 + Stack::<Item, R, B>::IDLE_NODES <= self.reserved
    }

    fn after_push_spare(&mut self, result: Result<(), PushError<Item>>, value: u32, contexts: usize) {
        match result {
            Ok(()) => self.model.push(value),
            Err(error) => {
                assert!(!self.spare_is_promised(contexts), "refused although enough is reserved");
                // There is always a slot: a handle leaves one free, or makes one.
                assert_eq!(error.kind(), PushErrorKind::NoSpareNode);
                assert_eq!(error.into_value().0, value);
            }
        }
    }

    fn apply(&mut self, step: &Step) {
        let opened = self.handles.len();
        match *step {
            Step::Push(value) => {
                self.stack.push(self.item(value));
                self.model.push(value);
            }
            Step::TryPush(value) => {
                self.stack.try_push(self.item(value)).unwrap();
                self.model.push(value);
            }
            Step::PushSpare(value) => {
                let result = self.stack.push_spare(self.item(value));
                self.after_push_spare(result, value, opened + 1);
            }
            Step::Pop => assert_eq!(self.stack.pop().map(|item| item.0), self.model.pop()),
            Step::TryPop => assert_eq!(self.stack.try_pop().unwrap().map(|item| item.0), self.model.pop()),
            Step::PushAll(ref values) => {
                self.stack.push_all(self.items(values));
                self.model.extend(values);
            }
            Step::Extend(ref values) => {
                let mut stack = self.stack;
                stack.extend(self.items(values));
                self.model.extend(values);
            }
            // More than the slots of some, few enough to stay quick.
            Step::Open if opened < 10 => self.handles.push(self.stack.handle()),
            Step::Close(at) if opened > 0 => drop(self.handles.swap_remove(at % opened)),
            Step::HandlePush(at, value) if opened > 0 => {
                let item = self.item(value);
                self.handles[at % opened].push(item);
                self.model.push(value);
            }
            Step::HandleTryPush(at, value) if opened > 0 => {
                let item = self.item(value);
                self.handles[at % opened].try_push(item).unwrap();
                self.model.push(value);
            }
            Step::HandlePushSpare(at, value) if opened > 0 => {
                let item = self.item(value);
                let result = self.handles[at % opened].push_spare(item);
                self.after_push_spare(result, value, opened);
            }
            Step::HandlePop(at) if opened > 0 => {
                assert_eq!(self.handles[at % opened].pop().map(|item| item.0), self.model.pop());
            }
            Step::HandlePushAll(at, ref values) if opened > 0 => {
                let items = self.items(values);
                self.handles[at % opened].push_all(items);
                self.model.extend(values);
            }
            Step::HandleExtend(at, ref values) if opened > 0 => {
                let items = self.items(values);
                self.handles[at % opened].extend(items);
                self.model.extend(values);
            }
            Step::TakeAll => {
                self.detached.push((self.stack.take_all(), std::mem::take(&mut self.model)));
            }
            Step::TakeNext(at, count) if !self.detached.is_empty() => {
                let at = at % self.detached.len();
                let (iterator, model) = &mut self.detached[at];
                for _ in 0..count {
                    let expected = model.pop();
                    let hint = iterator.size_hint();
                    assert!(hint.0 <= model.len() + usize::from(expected.is_some()));
                    assert!(hint.1.is_none_or(|most| expected.is_none() && most == 0));
                    assert_eq!(iterator.next().map(|item| item.0), expected);
                }
            }
            Step::TakeDrop(at) if !self.detached.is_empty() => {
                drop(self.detached.swap_remove(at % self.detached.len()));
            }
            Step::Reserve(more) => {
                let nodes = Stack::<Item, R, B>::IDLE_NODES.min(2_000) + more;
                self.stack.reserve(nodes).unwrap();
                self.reserved += nodes;
            }
            Step::Reclaim => {
                self.stack.reclaim();
                self.reserved = 0;
            }
            // A handle or an iterator is needed and there is none, or there are enough.
            _ => {}
        }
        assert_eq!(self.stack.is_empty(), self.model.is_empty());
        assert_eq!(Rc::strong_count(&self.alive) - 2, self.len(), "dropped too early, too late or twice");
    }
}

fn model<R: Engine, B: Backoff>() {
    let cases = u32::try_from(scaled(400)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let stacks = [const { Stack::<Item, R, B>::custom() }; 2];
            let alive = [Rc::new(()), Rc::new(())];
            let mut tested = [0, 1].map(|at| Tested {
                stack: &stacks[at],
                model: Vec::new(),
                handles: Vec::new(),
                detached: Vec::new(),
                reserved: 0,
                alive: Rc::clone(&alive[at]),
            });
            for (at, step) in &steps {
                tested[*at].apply(step);
            }
            let models = tested.map(|tested| tested.model);
            let [first, second] = stacks;
            // One is taken apart, one is dropped with its values.
            assert!(first.into_iter().map(|item| item.0).eq(models[0].iter().rev().copied()));
            drop(second);
            assert_eq!(alive.map(|alive| Rc::strong_count(&alive)), [1, 1]);
            Ok(())
        })
        .unwrap();
}

fn order_of_push_all<R: Engine, B: Backoff>() {
    let stack = Stack::<u32, R, B>::custom();
    stack.push(0);
    stack.push_all([1, 2, 3]);
    stack.push_all([]);
    stack.push_all(std::iter::once(4));
    stack.handle().push_all(5..8);
    assert!(stack.take_all().eq([7, 6, 5, 4, 3, 2, 1, 0]));
    assert!(stack.is_empty());
    assert_eq!(stack.take_all().next(), None);
    // An iterator that pushes and pops itself: what it gives is not visible before its end.
    stack.push(1);
    stack.push_all((10..13).inspect(|&value| {
        stack.push(100 + value);
        assert_eq!(stack.pop(), Some(100 + value));
        assert_eq!(stack.pop(), Some(1));
        stack.push(1);
    }));
    assert!(stack.take_all().eq([12, 11, 10, 1]));
}

fn order_of_collections<R: Engine, B: Backoff>() {
    let stack: Stack<u32, R, B> = (0..100).collect();
    assert!(stack.into_iter().eq((0..100).rev()));

    let mut stack: Stack<u32, R, B> = (0..3).collect();
    stack.extend(3..6);
    let mut shared = &stack;
    shared.extend(6..9);
    stack.handle().extend(9..12);
    assert_eq!(stack.pop(), Some(11));
    let mut rest = stack.into_iter();
    assert_eq!(rest.next(), Some(10));
    assert!(rest.by_ref().take(3).eq([9, 8, 7]));
    assert!(format!("{rest:?}").starts_with("IntoIter"));
    assert!(rest.by_ref().eq((0..7).rev()));
    // Fused.
    assert_eq!(rest.next(), None);
    assert_eq!(rest.next(), None);

    let empty: Stack<u32, R, B> = std::iter::empty().collect();
    assert!(empty.is_empty());
    assert_eq!(empty.into_iter().next(), None);
}

fn extend_exclusive<R: Engine, B: Backoff>() {
    let alive = Rc::new(());
    let mut stack = Stack::<Item, R, B>::custom();
    for round in 0..50 {
        stack.extend((0..round).map(|value| Item(value, Rc::clone(&alive))));
        assert_eq!(stack.pop().map(|item| item.0), round.checked_sub(1));
    }
    let left = (0..50_usize).map(|round| round.saturating_sub(1)).sum::<usize>();
    assert_eq!(Rc::strong_count(&alive) - 1, left);
    let mut iterator = stack.into_iter();
    assert_eq!(iterator.by_ref().take(5).count(), 5);
    assert_eq!(Rc::strong_count(&alive) - 1, left - 5);
    drop(iterator);
    assert_eq!(Rc::strong_count(&alive), 1);
}

fn default_and_debug<R: Engine, B: Backoff>() {
    /// Neither `Debug` nor `Clone` nor `Default`.
    struct Opaque;

    let stack = Stack::<Opaque, R, B>::default();
    assert!(stack.is_empty());
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: true, .. }");
    stack.push(Opaque);
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: false, .. }");
    let handle = stack.handle();
    assert_eq!(format!("{handle:?}"), "Handle { stack: Stack { is_empty: false, .. }, .. }");
    drop(handle);
    let mut all = stack.take_all();
    assert_eq!(format!("{all:?}"), "TakeAll { is_empty: false, .. }");
    assert_eq!(all.size_hint(), (1, None));
    assert!(all.next().is_some());
    assert_eq!(format!("{all:?}"), "TakeAll { is_empty: true, .. }");
    assert_eq!(all.size_hint(), (0, Some(0)));
    assert!(all.next().is_none() && all.next().is_none());
}

fn handle_keeps_its_stack<R: Engine, B: Backoff>() {
    let (left, right) = (Stack::<u32, R, B>::custom(), Stack::<u32, R, B>::custom());
    let (mut left_handle, mut right_handle) = (left.handle(), right.handle());
    for value in 0..1000 {
        left_handle.push(value);
        right_handle.push(1000 + value);
        right.push(2000 + value);
    }
    for value in (0..1000).rev() {
        assert_eq!(right_handle.pop(), Some(2000 + value));
        assert_eq!(right.pop(), Some(1000 + value));
        assert_eq!(left.pop(), Some(value));
    }
    assert_eq!((left_handle.pop(), right_handle.pop()), (None, None));
    assert!(left.is_empty() && right.is_empty());
}

fn take_all_while_others_push<R: Engine, B: Backoff>() {
    let stack: Stack<u32, R, B> = (0..100).collect();
    let mut first = stack.take_all();
    assert!(stack.is_empty());
    assert!(first.by_ref().take(10).eq((90..100).rev()));
    stack.push_all(200..250);
    let second = stack.take_all();
    // What goes through meanwhile uses the nodes that the first has let go.
    for value in 0..200 {
        stack.push(value);
        assert_eq!(stack.pop(), Some(value));
    }
    assert!(first.eq((0..90).rev()));
    assert!(second.eq((200..250).rev()));
    assert!(stack.is_empty());
}

fn many_handles<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let count = if R::SLOTS < 100 { 3 * R::SLOTS + 5 } else { 20 };
    for _ in 0..2 {
        let mut handles: Vec<_> = (0..count).map(|_| stack.handle()).collect();
        for (value, handle) in handles.iter_mut().enumerate() {
            handle.push(value);
        }
        // All slots are taken by handles, and yet the stack's own calls have one.
        stack.push(count);
        assert_eq!(stack.try_pop(), Ok(Some(count)));
        for (value, handle) in handles.iter_mut().enumerate().rev() {
            assert_eq!(handle.pop(), Some(value));
        }
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.try_pop(), Ok(None));
    }
}

fn push_spare_takes_from_everywhere<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    let error = stack.push_spare(7).unwrap_err();
    assert_eq!((error.kind(), error.into_value()), (PushErrorKind::NoSpareNode, 7));
    if !R::FOR_HANDLERS {
        return;
    }
    // One node, popped through a handle that is then dropped: it is found in that handle's slot.
    let mut handles: Vec<_> = (0..R::SLOTS).map(|_| stack.handle()).collect();
    let last = handles.last_mut().unwrap();
    last.push(1);
    assert_eq!(last.pop(), Some(1));
    last.push_spare(2).unwrap();
    assert_eq!(stack.try_pop(), Ok(Some(2)));
    drop(handles);
    stack.push_spare(3).unwrap();
    assert_eq!(stack.push_spare(4).unwrap_err().kind(), PushErrorKind::NoSpareNode);
    assert_eq!(stack.try_pop(), Ok(Some(3)));
    // Through a handle of another slot, too.
    let mut handle = stack.handle();
    handle.push_spare(5).unwrap();
    assert_eq!(handle.pop(), Some(5));
}

fn reclaim_counts<R: Engine, B: Backoff>() {
    let stack = Stack::<usize, R, B>::custom();
    assert_eq!(stack.reclaim(), 0);
    for count in [1, 2, 3, 5, 64, 1000] {
        stack.reserve(count).unwrap();
        assert_eq!(stack.reclaim(), count);
        assert_eq!(stack.push_spare(1).unwrap_err().kind(), PushErrorKind::NoSpareNode, "reclaim left a node");
        stack.reserve(count).unwrap();
        stack.push_spare(1).unwrap();
        assert_eq!(stack.reclaim(), count - 1);
        assert_eq!(stack.try_pop(), Ok(Some(1)));
        assert_eq!(stack.reclaim(), 1);
    }
    // What a handle holds is left alone, until the handle is gone.
    let mut handle = stack.handle();
    handle.push(1);
    assert_eq!(handle.pop(), Some(1));
    let meanwhile = stack.reclaim();
    assert!(meanwhile == 0 || !R::FOR_HANDLERS);
    drop(handle);
    assert_eq!(meanwhile + stack.reclaim(), 1);
}

fn not_send_values<R: Engine, B: Backoff>() {
    let shared = Rc::new(5);
    let stack = Stack::<Rc<i32>, R, B>::custom();
    stack.push(Rc::clone(&shared));
    stack.handle().push(Rc::clone(&shared));
    assert_eq!(Rc::strong_count(&shared), 3);
    assert_eq!(stack.pop().as_deref(), Some(&5));
    assert_eq!(Rc::strong_count(&shared), 2);
    drop(stack);
    assert_eq!(Rc::strong_count(&shared), 1);
}

fn forgotten_handle<R: Engine, B: Backoff>() {
    let alive = Rc::new(());
    let stack = Stack::<Item, R, B>::custom();
    for value in 0..20 {
        let mut handle = stack.handle();
        handle.push(Item(value, Rc::clone(&alive)));
        handle.push(Item(value, Rc::clone(&alive)));
        assert_eq!(handle.pop().map(|item| item.0), Some(value));
        std::mem::forget(handle);
    }
    // The slots are lost, the stack is not.
    assert_eq!(stack.pop().map(|item| item.0), Some(19));
    assert_eq!(stack.take_all().count(), 19);
    stack.push(Item(0, Rc::clone(&alive)));
    drop(stack);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn errors() {
    /// Not `Debug`.
    struct Opaque(u8);

    let stack = Stack::new();
    let error = stack.push_spare(Opaque(1)).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::NoSpareNode);
    assert_eq!(error.to_string(), "value not pushed: no spare node");
    assert_eq!(format!("{error:?}"), "PushError { kind: NoSpareNode, .. }");
    assert!((&error as &dyn Error).source().is_none());
    assert_eq!(error.into_value().0, 1);

    let texts =
        [PushErrorKind::OutOfMemory, PushErrorKind::NoSpareNode, PushErrorKind::NoSlot].map(|kind| kind.to_string());
    assert_eq!(texts, ["out of memory for a node", "no spare node", "all slots are claimed"]);

    // That they come when they should is for the suite `allocator`, without memory.
}

/// The counters, against what was done.
#[cfg(feature = "stats")]
mod stats {
    use super::*;

    for_each_stack! { counts }

    fn counts<R: Engine, B: Backoff>() {
        let stack = Stack::<u32, R, B>::custom();
        assert_eq!(stack.stats(), elimination_stack::Stats::default());
        for value in 0..100 {
            stack.push(value);
        }
        stack.push_all(0..50);
        let mut handle = stack.handle();
        for _ in 0..30 {
            assert!(handle.pop().is_some());
        }
        drop(handle);
        assert!(stack.try_pop().unwrap().is_some());
        assert!(stack.pop().is_some());
        assert_eq!(stack.take_all().take(10).count(), 10);
        // The rest of the iterator was dropped, which pops too.
        let stats = stack.stats();
        assert_eq!((stats.pushes, stats.pops), (150, 150));
        assert_eq!((stats.lost_races, stats.eliminated_pushes, stats.eliminated_pops, stats.withdrawals), (0, 0, 0, 0));
        assert!(stats.retired <= stats.retired_peak && stats.retired_peak > 0);
        assert!(stats.allocator_calls >= 150);
        assert_eq!(stack.pop(), None);
        assert_eq!(stack.stats().pops, 150);
    }
}
