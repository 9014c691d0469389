//! The steps that pop, and those that deal with slots and nodes.

use super::step::{Count, Memory, Through};
use super::tested::{Caller, Taken, Tested};
use super::value::Value;
use crate::common::*;
use std::mem;

/// More than the slots of some stacks, few enough to stay quick.
const MOST_HANDLES: usize = 10;

impl<'v, R: Engine, B: Backoff> Tested<'_, 'v, R, B> {
    pub fn pop(&mut self, through: Through) -> Option<Value<'v>> {
        self.free_a_slot();
        let (ledger, caller) = (self.ledger, self.caller(through));
        let popped = Self::without_allocation(ledger, "pop", || caller.pop());
        assert_eq!(popped.as_ref().map(|value| value.id), self.model.pop());
        if popped.is_some() {
            self.gave_surplus_back();
        }
        popped
    }

    pub fn try_pop(&mut self) {
        match Self::without_allocator(self.ledger, "try_pop", || self.stack.try_pop()) {
            Ok(popped) => {
                assert_eq!(popped.as_ref().map(|value| value.id), self.model.pop());
                popped.into_iter().for_each(Value::discard);
            }
            Err(NoSlot { .. }) => assert!(self.free_slots() == 0 && !self.model.is_empty(), "no slot, they say"),
        }
    }

    pub fn take_all(&mut self) {
        let taken = Self::without_allocator(self.ledger, "take_all", || self.stack.take_all());
        self.taken.push(Taken { iterator: taken, model: mem::take(&mut self.model), given: 0 });
    }

    pub fn take_next(&mut self, at: usize, Count(count): Count) {
        self.free_a_slot();
        let (ledger, iterators) = (self.ledger, self.taken.len());
        for _ in 0..count {
            let Some(taken) = self.taken.get_mut(at % iterators.max(1)) else { return };
            let (least, most) = taken.iterator.size_hint();
            assert!(least <= taken.model.len() && most.is_none_or(|most| taken.model.len() <= most), "a wrong hint");
            let value = Self::without_allocation(ledger, "the iterator of take_all", || taken.iterator.next());
            assert_eq!(value.as_ref().map(|value| value.id), taken.model.pop());
            let Some(value) = value else { return };
            taken.given += 1;
            let gave_back = taken.emptied() == 0;
            value.discard();
            if gave_back {
                self.gave_surplus_back();
            }
        }
    }

    pub fn take_drop(&mut self, at: usize) {
        self.free_a_slot();
        if !self.taken.is_empty() {
            let Taken { iterator, model, .. } = self.taken.swap_remove(at % self.taken.len());
            let drop_all = || self.values.dropping(&model, || drop(iterator));
            // A panic allocates.
            self.ledger.during(drop_all);
            if !model.is_empty() {
                self.gave_surplus_back();
            }
        }
    }

    pub fn open(&mut self) {
        if self.handles.len() < MOST_HANDLES {
            self.handles.push(self.ledger.during(|| Caller::new(self.stack, true)));
            assert!(self.free_slots() > 0, "a handle has taken the last slot");
        }
    }

    pub fn try_open(&mut self, memory: Memory) {
        let free_slots = self.free_slots();
        if self.handles.len() < MOST_HANDLES {
            match memory.during(self.ledger, || self.stack.try_handle()) {
                Ok(handle) => {
                    self.handles.push(Caller::Handle(handle));
                    assert!(self.free_slots() > 0 || self.ledger.refused() > 0, "a handle has taken the last slot");
                }
                Err(NoSlot { .. }) => assert!(free_slots == 0 && self.ledger.refused() > 0, "no slot, they say"),
            }
        }
    }

    pub fn close_handle(&mut self, at: usize) {
        if !self.handles.is_empty() {
            let handle = self.handles.swap_remove(at % self.handles.len());
            self.ledger.during(|| drop(handle));
        }
    }

    pub fn forget(&mut self, at: usize) {
        if !self.handles.is_empty() && self.forgotten < MOST_HANDLES {
            mem::forget(self.handles.swap_remove(at % self.handles.len()));
            self.forgotten += 1;
        }
    }

    pub fn reserve(&mut self, Count(nodes): Count, memory: Memory) {
        let before = self.ledger.nodes();
        if memory.during(self.ledger, || self.stack.reserve(nodes)).is_ok() {
            self.reserved += nodes;
        } else {
            assert!(self.ledger.refused() > 0, "out of memory, they say");
            assert_eq!(self.ledger.nodes(), before, "reserve left nodes behind");
        }
    }

    pub fn reserve_idle(&mut self, Count(more): Count) {
        if let Some(missing) = (Self::IDLE_NODES + more).checked_sub(self.reserved) {
            self.reserve(Count(missing), Memory::ENOUGH);
        }
    }

    pub fn reclaim(&mut self) {
        let before = self.ledger.nodes();
        let freed = Self::without_allocation(self.ledger, "reclaim", || self.stack.reclaim());
        assert_eq!(before - self.ledger.nodes(), freed, "reclaim does not say how many nodes it gave back");
        // What belongs to claimed slots, and if all are, what is shared, it leaves alone.
        let reserved = mem::take(&mut self.reserved);
        self.left_surplus(reserved);
        if self.handles.is_empty() && self.forgotten == 0 {
            assert_eq!(self.ledger.nodes(), self.len() + self.emptied(), "reclaim left nodes that nobody needs");
        }
    }
}
