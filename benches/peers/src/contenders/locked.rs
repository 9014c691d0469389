//! A mutex around a `Vec`: of `std`, of `parking_lot`, and of `spin`.

use crate::contender::{Access, Contender, Value};
use std::mem;

macro_rules! locked {
    ($name:ident, $mutex:ty, $lock:ident => $guard:expr) => {
        pub struct $name<T>($mutex);

        impl<T: Value> Contender<T> for $name<T> {
            type Access<'a> = &'a Self;

            fn new() -> Self {
                Self(<$mutex>::new(Vec::new()))
            }

            fn access(&self) -> &Self {
                self
            }
        }

        impl<T: Value> Access<T> for &$name<T> {
            #[inline]
            fn push(&mut self, value: T) {
                let $lock = &self.0;
                $guard.push(value);
            }

            #[inline]
            fn pop(&mut self) -> Option<T> {
                let $lock = &self.0;
                $guard.pop()
            }

            fn push_all(&mut self, values: impl Iterator<Item = T>) {
                let $lock = &self.0;
                $guard.extend(values);
            }

            fn take_all(&mut self, each: impl FnMut(T)) {
                let $lock = &self.0;
                let values = mem::take(&mut *$guard);
                values.into_iter().rev().for_each(each);
            }
        }
    };
}

locked!(Std, std::sync::Mutex<Vec<T>>, lock => lock.lock().expect("nobody panics"));
locked!(ParkingLot, parking_lot::Mutex<Vec<T>>, lock => lock.lock());
locked!(Spin, spin::Mutex<Vec<T>>, lock => lock.lock());
