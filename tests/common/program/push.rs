//! The steps that push.

use super::step::{Count, Memory, Through};
use super::tested::Tested;
use super::value::{Value, Values};
use crate::common::*;
use crate::expected::{catch, panic_expected};
use crate::ledger::Ledger;

impl<'v, R: Engine, B: Backoff> Tested<'_, 'v, R, B> {
    pub fn push(&mut self, through: Through, value: Value<'v>) {
        let (ledger, id) = (self.ledger, value.id);
        // Slots beyond the first ones may hold back nodes that the reservation does not count with.
        let reserved = R::FOR_HANDLERS && ledger.slots() == 0 && self.is_reserved(through);
        let caller = self.caller(through);
        let push = || caller.push(value);
        if reserved {
            ledger.no_allocation("push on a reservation", push);
        } else {
            ledger.during(push);
        }
        self.model.push(id);
        self.gave_surplus_back();
    }

    pub fn try_push(&mut self, through: Through, memory: Memory) {
        let (ledger, value) = (self.ledger, self.values.make());
        let id = value.id;
        let caller = self.caller(through);
        match memory.during(ledger, || caller.try_push(value)) {
            Ok(()) => {
                self.model.push(id);
                self.gave_surplus_back();
            }
            Err(error) => {
                assert!(ledger.refused() > 0, "{error}, although there is memory");
                assert_eq!(error.kind(), self.refusal(through, PushErrorKind::OutOfMemory));
                take_back(id, error);
            }
        }
    }

    pub fn push_spare(&mut self, through: Through) {
        let (ledger, value) = (self.ledger, self.values.make());
        let (id, reserved) = (value.id, self.is_reserved(through));
        let caller = self.caller(through);
        match Self::without_allocator(ledger, "push_spare", || caller.push_spare(value)) {
            Ok(()) => self.model.push(id),
            Err(error) => {
                assert!(!reserved, "{error}, although enough is reserved");
                assert_eq!(error.kind(), self.refusal(through, PushErrorKind::NoSpareNode));
                take_back(id, error);
            }
        }
    }

    /// By `push_all` or by `extend`, which is the same.
    pub fn push_all(&mut self, through: Through, Count(count): Count, extends: bool) {
        let (ledger, values) = (self.ledger, self.values);
        let mut ids = Vec::new();
        let chain = (0..count).map(|_| Ledger::paused(|| make(values, &mut ids)));
        let caller = self.caller(through);
        ledger.during(|| if extends { caller.extend(chain) } else { caller.push_all(chain) });
        self.pushed_all(&ids);
    }

    /// What the iterator gives is not visible before its end.
    pub fn push_all_while_others(&mut self, through: Through, Count(count): Count) {
        self.free_a_slot();
        let (stack, ledger, values) = (self.stack, self.ledger, self.values);
        let (mut ids, mut model) = (Vec::new(), std::mem::take(&mut self.model));
        let chain = (0..count).map(|round| {
            if round % 2 == 0 {
                let value = Ledger::paused(|| make(values, &mut model));
                stack.push(value);
            } else {
                let value = stack.pop();
                Ledger::paused(|| {
                    assert_eq!(value.as_ref().map(|value| value.id), model.pop());
                    value.into_iter().for_each(Value::discard);
                });
            }
            Ledger::paused(|| make(values, &mut ids))
        });
        let caller = self.caller(through);
        ledger.during(|| caller.push_all(chain));
        self.model = model;
        self.pushed_all(&ids);
    }

    /// If the iterator panics, nothing is pushed, and what it has given is dropped.
    pub fn push_all_panics(&mut self, through: Through, Count(count): Count) {
        let (ledger, values) = (self.ledger, self.values);
        let chain = (0..=count).map(|round| {
            if round == count {
                panic_expected();
            }
            Ledger::paused(|| values.make_sturdy())
        });
        let caller = self.caller(through);
        let result = ledger.during(|| catch(|| caller.push_all(chain)));
        assert!(result.is_err(), "a panic in the iterator got lost");
        self.left_surplus(count);
    }

    /// Why a push was refused: there is still no slot for it, or else for this reason.
    fn refusal(&mut self, through: Through, otherwise: PushErrorKind) -> PushErrorKind {
        let needs_slot = !self.caller(through).is_handle();
        if needs_slot && self.free_slots() == 0 { PushErrorKind::NoSlot } else { otherwise }
    }

    fn pushed_all(&mut self, ids: &[usize]) {
        self.model.extend(ids);
        if !ids.is_empty() {
            self.gave_surplus_back();
        }
    }
}

/// Makes a value and notes its number.
fn make<'v>(values: &'v Values, ids: &mut Vec<usize>) -> Value<'v> {
    let value = values.make();
    ids.push(value.id);
    value
}

/// The value that was refused is the one that was given.
fn take_back(id: usize, error: PushError<Value>) {
    let value = error.into_value();
    assert_eq!(value.id, id, "another value came back");
    value.discard();
}
