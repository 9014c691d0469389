//! The counting, and the meeting.

use elimination_stack::{Elimination, Handle, RelaxStrategy, Slots, Stack};
use std::arch::asm;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};

/// Whose instructions are executed at the moment.
const NOBODY: usize = 0;
const FIRST: usize = 1;
const SECOND: usize = 2;

static NOW: AtomicUsize = AtomicUsize::new(NOBODY);
static COUNTS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// Compare-exchanges until the attempt on the head, which shall fail; 0 if none shall.
static UNTIL_ATTEMPT: AtomicUsize = AtomicUsize::new(0);
/// Steps that the first operation has waited.
static WAITED: AtomicU32 = AtomicU32::new(0);
static SUBJECT: AtomicPtr<Subject> = AtomicPtr::new(ptr::null_mut());

/// The default types, but for the step of waiting, and with one exchanger, so that they meet.
type Meeting = Stack<usize, Slots<8>, Elimination<1, PartnerComes>>;
type Access = Handle<'static, usize, Slots<8>, Elimination<1, PartnerComes>>;

/// Each of the three has a slot of its own, as a thread of its own would.
struct Subject {
    stack: &'static Meeting,
    handle: *mut Access,
    intruder: *mut Access,
    second: Operation,
}

/// One operation, and how many compare-exchanges it makes up to its attempt on the head.
#[derive(Clone, Copy)]
struct Operation {
    perform: fn(&Subject) -> Option<usize>,
    compare_exchanges: usize,
}

/// What is pushed by the operations that meet.
const VALUE: usize = 7;

// Through `Stack`, the first compare-exchange claims the slot.
const STACK_PUSH: Operation = Operation {
    perform: |subject| {
        subject.stack.push(VALUE);
        None
    },
    compare_exchanges: 2,
};
const STACK_POP: Operation = Operation { perform: |subject| subject.stack.pop(), compare_exchanges: 2 };
const HANDLE_PUSH: Operation = Operation {
    perform: |subject| {
        // SAFETY: of two operations that meet, one uses the handle.
        unsafe { (*subject.handle).push(VALUE) };
        None
    },
    compare_exchanges: 1,
};
const HANDLE_POP: Operation = Operation {
    perform: |subject| {
        // SAFETY: as above.
        unsafe { (*subject.handle).pop() }
    },
    // The first one is on the node that the handle keeps, and is in vain: the intruder has pushed above it.
    compare_exchanges: 2,
};
/// What the harness executes.
const NOTHING: Operation = Operation { perform: |_| None, compare_exchanges: 0 };

pub fn main() {
    instructions::on_one_page(meet_each_way);
}

fn meet_each_way() {
    trap_after_each_step();
    for (first, second, names) in [
        (STACK_PUSH, HANDLE_POP, ["stack waiting_push", "handle answering_pop"]),
        (STACK_POP, HANDLE_PUSH, ["stack waiting_pop", "handle answering_push"]),
        (HANDLE_PUSH, STACK_POP, ["handle waiting_push", "stack answering_pop"]),
        (HANDLE_POP, STACK_PUSH, ["handle waiting_pop", "stack answering_push"]),
    ] {
        let (first_count, second_count) = meet(new_stack(), first, second);
        println!("{} {first_count}\n{} {second_count}", names[0], names[1]);
    }
    let subject = Subject { stack: new_stack(), handle: ptr::null_mut(), intruder: ptr::null_mut(), second: NOTHING };
    set_trap_flag();
    counted(&subject, NOTHING, FIRST);
    clear_trap_flag();
    for scenario in ["waiting_push", "waiting_pop", "answering_push", "answering_pop"] {
        println!("nothing {scenario} {}", COUNTS[FIRST].load(Relaxed));
    }
}

/// With a batch for each of the three, and then some.
fn new_stack() -> &'static Meeting {
    let stack = Box::leak(Box::new(Stack::custom()));
    stack.reserve(4 * Slots::<8>::BATCH).expect("memory");
    stack
}

/// Has the second operation come while the first one waits. The instructions of both.
fn meet(stack: &'static Meeting, first: Operation, second: Operation) -> (u64, u64) {
    // The slots in place, of which this thread chooses one, stay free for the operations through `Stack`.
    let in_place = [(); 8].map(|()| stack.handle());
    let (mut handle, mut intruder) = (stack.handle(), stack.handle());
    drop(in_place);
    let mut subject = Subject { stack, handle: &raw mut handle, intruder: &raw mut intruder, second };
    prepare(&subject);
    WAITED.store(0, Relaxed);
    SUBJECT.store(&raw mut subject, Relaxed);
    set_trap_flag();
    counted(&subject, first, FIRST);
    clear_trap_flag();
    assert_eq!(WAITED.load(Relaxed), 1, "the first one's offer is answered at once");
    let take = |who: usize| COUNTS[who].swap(0, Relaxed);
    (take(FIRST), take(SECOND))
}

/// One value by each of the three. So each has spare nodes then, and none is near its next scan. Before, the two that meet have
/// so many pairs to themselves that they go away after the first race that they lose.
fn prepare(subject: &Subject) {
    const PAIRS: usize = 16;
    // SAFETY: nobody else uses the handles at the moment.
    let (handle, intruder) = unsafe { (&mut *subject.handle, &mut *subject.intruder) };
    for _ in 0..PAIRS {
        subject.stack.push(0);
        subject.stack.pop();
        handle.push(0);
        handle.pop();
    }
    subject.stack.push(0);
    handle.push(0);
    intruder.push(0);
}

/// Performs an operation, whose race is lost, and counts its instructions.
#[inline(never)]
fn counted(subject: &Subject, operation: Operation, who: usize) -> Option<usize> {
    UNTIL_ATTEMPT.store(operation.compare_exchanges, Relaxed);
    NOW.store(who, Relaxed);
    let popped = (operation.perform)(subject);
    NOW.store(NOBODY, Relaxed);
    popped
}

/// The step that the first operation waits with.
struct PartnerComes;

impl RelaxStrategy for PartnerComes {
    fn relax() {
        NOW.store(NOBODY, Relaxed);
        if WAITED.fetch_add(1, Relaxed) == 0 {
            // SAFETY: `meet` has set it.
            let subject = unsafe { &*SUBJECT.load(Relaxed) };
            let popped = counted(subject, subject.second, SECOND);
            assert!(popped.is_none_or(|value| value == VALUE), "it takes the value that was offered");
        }
        NOW.store(FIRST, Relaxed);
    }
}

/// Has the processor trap after each instruction while the trap flag is set.
fn trap_after_each_step() {
    // SAFETY: the handler has the form that the flag asks for; zero is valid for what is not set.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = step as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(libc::SIGTRAP, &raw const action, ptr::null_mut()), 0);
    }
}

/// An instruction was executed. In here there are no traps.
extern "C" fn step(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    let now = NOW.load(Relaxed);
    COUNTS[now].fetch_add(1, Relaxed);
    // SAFETY: the system gives the context. After the next instruction there is more code of this program.
    let next = unsafe { *((*context).uc_mcontext.gregs[libc::REG_RIP as usize] as *const [u8; 4]) };
    // `lock cmpxchg` of eight bytes.
    let compare_exchange = next[0] == 0xF0 && next[1] & 0xF8 == 0x48 && next[2..] == [0x0F, 0xB1];
    if now == NOBODY || !compare_exchange {
        return;
    }
    let until = UNTIL_ATTEMPT.load(Relaxed);
    UNTIL_ATTEMPT.store(until.saturating_sub(1), Relaxed);
    if until == 1 {
        // SAFETY: `meet` has set the subject, and nobody but this handler uses the intruder meanwhile.
        unsafe { (*(*SUBJECT.load(Relaxed)).intruder).push(0) };
    }
}

fn set_trap_flag() {
    // SAFETY: the handler is there.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

fn clear_trap_flag() {
    // SAFETY: nothing but the flag changes.
    unsafe { asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq") };
}
