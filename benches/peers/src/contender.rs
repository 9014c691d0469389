//! What a stack has to offer to take part.

use std::hint::black_box;

/// A stack of `T`.
pub trait Contender<T>: Sync {
    /// What a thread keeps: a handle, an attached thread, a hazard pointer, or just a reference.
    type Access<'a>: Access<T>
    where
        Self: 'a;

    fn new() -> Self;

    fn access(&self) -> Self::Access<'_>;

    /// Makes ahead what it would else make once so many threads are inside at the same moment; where calls of the
    /// allocator are counted.
    #[cfg(feature = "count")]
    fn prepare(&self, _threads: usize) {}

    /// What the stack says of itself, if it counts.
    #[cfg(feature = "count")]
    fn stats(&self) -> Option<elimination_stack::Stats> {
        None
    }
}

/// One thread's way to a stack. The defaults are for stacks without such a method.
pub trait Access<T> {
    fn push(&mut self, value: T);

    fn pop(&mut self) -> Option<T>;

    fn push_all(&mut self, values: impl Iterator<Item = T>) {
        values.for_each(|value| self.push(value));
    }

    fn take_all(&mut self, mut each: impl FnMut(T)) {
        while let Some(value) = self.pop() {
            each(value);
        }
    }
}

/// A value: of one word, or large.
pub trait Value: Send + Sync + 'static {
    fn new(id: u64) -> Self;

    fn id(&self) -> u64;
}

impl Value for u64 {
    fn new(id: u64) -> Self {
        id
    }

    fn id(&self) -> u64 {
        *self
    }
}

/// 256 bytes.
pub type Large = [u64; 32];

impl Value for Large {
    fn new(id: u64) -> Self {
        [id; 32]
    }

    /// All of it is looked at, as far as the compiler knows: else it would not move what nobody reads.
    fn id(&self) -> u64 {
        black_box(self)[0]
    }
}
