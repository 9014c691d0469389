"""Whether the tool works: on a small source whose changes are known, and on two changes whose results are."""

import sys

from changes import Change, changes
from results import KILLED, SURVIVED
from rust import BUILDS, Source

_SMALL = """
use a::{Acquire, Release};

/// Not a fence(SeqCst) at all.
pub fn claim(word: &AtomicPtr<u8>) -> bool {
    publish_barrier();
    // Unchecked: for the
    // sake of it.
    word.compare_exchange(a, b, Acquire, Relaxed).is_ok()
}

#[cfg(all(loom, not(unix)))]
fn elsewhere() {
    word.store(a, Release);
}
"""

_EXPECTED = [
    "small.rs claim: step: publish_barrier() -> nothing",
    "small.rs claim: result: claim -> false",
    "small.rs claim: result: claim -> true",
    "small.rs claim: ordering of compare_exchange: Acquire -> Relaxed",
    "small.rs claim: exchange: compare_exchange fails -> as if it had not",
]


def run(trial, real, stages):
    source = Source("small.rs", _SMALL)
    small = changes([source], everything=False)
    check(sorted(change.name for change in small) == sorted(_EXPECTED), "finds the changes of a small source")
    explained = [change.explanation for change in small]
    check(explained == [None] + ["for the sake of it."] * 4, "finds the reason that the source gives")

    barrier = next(change for change in real if "scan_barrier: step: fence" in change.name)
    for build in BUILDS:
        trial.measure(build)
    result = trial.run(barrier, next(iter(stages)))
    check(result.verdict == KILLED and result.how.startswith("loom:"), f"sees that {barrier.name} is noticed")
    for stage in stages:
        result = trial.run(without_effect(barrier.source), stage)
        check(result.verdict == SURVIVED, f"sees that a change without effect is not noticed: {stage}")


def without_effect(source):
    """A change of the text that is none of the program."""
    start = source.code.index("fence(", source.code.index("fn scan_barrier"))
    return Change(source, start, start, "let () = ", "self-test", "fence", "fence")


def check(holds, what):
    print(f"{'ok' if holds else 'FAILED'}: {what}", flush=True)
    if not holds:
        sys.exit(1)
