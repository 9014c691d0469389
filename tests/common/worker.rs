//! A thread that calls a stack at random, and keeps account of what it put in and took out.

#![allow(dead_code, reason = "each suite uses a part of this")]

use crate::common::{Backoff, Engine, PushError, Random, Stack, Through};
use crate::ledger::{Block, block};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

/// What one worker did. It alone writes here; others read it while the worker stands still.
#[derive(Debug, Default)]
pub struct Account {
    /// Values that it put in, less those that it took out; those in the hands of a call are in.
    live: AtomicIsize,
    /// The most that this ever was.
    most: AtomicIsize,
    /// The sum of the same values, wrapping.
    sum: AtomicUsize,
    /// Nodes that it has reserved now, and the most that this ever was.
    reserved: AtomicUsize,
    most_reserved: AtomicUsize,
    pub calls: AtomicUsize,
    /// Set during each call.
    pub inside: AtomicBool,
}

/// What all accounts of a stack add up to.
#[derive(Debug, Clone, Copy)]
pub struct Total {
    /// Values in the stack.
    pub live: usize,
    /// There never were more.
    pub most: usize,
    /// Their sum, wrapping.
    pub sum: usize,
    /// No more nodes are reserved; there may be fewer, since a `reclaim` ends the reservations of all.
    pub reserved: usize,
    /// Nor ever were.
    pub most_reserved: usize,
}

impl Account {
    pub fn total<'a>(accounts: impl IntoIterator<Item = &'a Self>) -> Total {
        let (mut live, mut most, mut sum, mut reserved, mut most_reserved) = (0, 0, 0_usize, 0, 0);
        for account in accounts {
            live += account.live.load(SeqCst);
            most += account.most.load(SeqCst);
            sum = sum.wrapping_add(account.sum.load(SeqCst));
            reserved += account.reserved.load(SeqCst);
            most_reserved += account.most_reserved.load(SeqCst);
        }
        let (live, most) = (usize::try_from(live).unwrap(), usize::try_from(most).unwrap());
        Total { live, most, sum, reserved, most_reserved }
    }

    fn count(&self, values: isize, sum: usize) {
        let live = self.live.load(Relaxed) + values;
        self.live.store(live, SeqCst);
        self.most.store(self.most.load(Relaxed).max(live), SeqCst);
        self.sum.store(self.sum.load(Relaxed).wrapping_add(sum), SeqCst);
    }

    /// A value that is about to go in.
    fn value(&self, random: &mut Random) -> Block {
        let value = block(random.below(1 << 30));
        self.count(1, value.0);
        value
    }

    /// A value that came out, or did not go in.
    fn out(&self, value: Option<Block>) {
        if let Some(value) = value {
            self.count(-1, value.0.wrapping_neg());
        }
    }

    fn call<O>(&self, call: impl FnOnce() -> O) -> O {
        self.calls.store(self.calls.load(Relaxed) + 1, Relaxed);
        self.inside.store(true, SeqCst);
        let result = call();
        self.inside.store(false, SeqCst);
        result
    }
}

/// How a thread uses the stack. Who has a handle uses nothing else, or would be two contexts.
#[derive(Debug)]
pub struct Worker<'a, R: Engine, B: Backoff> {
    pub stack: &'a Stack<Block, R, B>,
    pub account: &'a Account,
    pub through: Through<'a, Block, R, B>,
    pub random: Random,
}

impl<R: Engine, B: Backoff> Worker<'_, R, B> {
    /// Some calls of one kind, which push `percent` of the time, and at most until as many values are `live`.
    pub fn step(&mut self, percent: usize, live: isize) {
        let times = 1 + self.random.below(8);
        let push = self.random.below(100) < percent && self.account.live.load(Relaxed) < live;
        let kind = self.random.below(16);
        for _ in 0..times {
            if push { self.push(kind) } else { self.pop(kind) }
        }
    }

    /// An ordinary push and an ordinary pop.
    pub fn push_and_pop(&mut self) {
        self.push(usize::MAX);
        self.pop(usize::MAX);
    }

    /// Reserves nodes, at most a few more than a batch, and gives all back.
    pub fn keep_house(&mut self) {
        let Self { stack, account, random, .. } = self;
        let nodes = 1 + random.below(5 * R::SLOTS);
        account.reserved.store(nodes, SeqCst);
        account.most_reserved.store(account.most_reserved.load(Relaxed).max(nodes), SeqCst);
        account.call(|| stack.reserve(nodes)).expect("memory");
        account.call(|| stack.reclaim());
        account.reserved.store(0, SeqCst);
    }

    fn push(&mut self, kind: usize) {
        let Self { account, through, random, .. } = self;
        match kind {
            0 => {
                let values: [_; 5] = std::array::from_fn(|_| account.value(random));
                account.call(|| through.push_all(values));
            }
            1 => {
                let value = account.value(random);
                account.out(account.call(|| through.push_spare(value).err().map(PushError::into_value)));
            }
            _ => {
                let value = account.value(random);
                account.call(|| through.push(value));
            }
        }
    }

    fn pop(&mut self, kind: usize) {
        let Self { stack, account, through, .. } = self;
        match kind {
            0 if !through.is_handle() => {
                let mut all = account.call(|| stack.take_all());
                while let Some(value) = account.call(|| all.next()) {
                    account.out(Some(value));
                }
            }
            1 if !through.is_handle() => account.out(account.call(|| stack.try_pop()).unwrap_or(None)),
            _ => account.out(account.call(|| through.pop())),
        }
    }
}
