"""Whether the tool works: on a small source whose changes are known, and on some changes whose results are."""

import sys

from changes import Change, apart, applied, changes
from results import KILLED, NOTICED, REFUTED, SURVIVED, UNEXPLAINED, Result, Summary, judgement, judges_digest
from rust import BUILDS, CHEAPER, UNTESTED, Explanation, Source
from suites import STRESS

_SMALL = """
use a::{Acquire, Release};

/// Not a fence(SeqCst) at all.
pub fn claim(word: &AtomicPtr<u8>) -> bool {
    publish_barrier(); // UNTESTED: no reason.
    // CHEAPER: for the
    // sake of it.
    // SAFETY: of no
    // interest.
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
    untested, cheaper = Explanation(UNTESTED, "no reason."), Explanation(CHEAPER, "for the sake of it.")
    # Not of a weaker ordering, which is not what costs less.
    check(explained == [untested, cheaper, cheaper, None, cheaper], "finds the reason that the source gives")
    check_judgement(small[0], small[1])
    check_groups(source, small)
    check_digest()

    barrier = one(real, "scan_barrier: step: fence")
    for build in BUILDS:
        trial.measure(build)
    result = trial.run(next(iter(stages)), barrier)
    check(result.verdict == KILLED and result.how.startswith("loom:"), f"sees that {barrier.name} is noticed")
    kept = one(real, "seat.rs push: step: R::unprotect")
    check(trial.run(STRESS, kept).verdict == KILLED, f"sees that {kept.name} is noticed by the stress")
    check(trial.run(STRESS, without_effect(barrier.source), kept).verdict == KILLED, "sees it beside another change")
    for stage in stages:
        result = trial.run(stage, without_effect(barrier.source))
        check(result.verdict == SURVIVED, f"sees that a change without effect is not noticed: {stage}")


def check_judgement(untested, cheaper):
    """Two changes that are explained, each in another way; and one that is not."""
    nothing = Source("nothing.rs", "fn nothing() {}")
    unexplained = Change(nothing, 14, 14, "", "", "", "")
    passed, noticed, crashed = Result(SURVIVED), Result(KILLED, "loom a_model", ""), Result(KILLED, STRESS, "signal 11")
    judged = [judgement(change, result) for result in (passed, noticed, crashed) for change in (untested, cheaper, unexplained)]
    expected = [UNTESTED, CHEAPER, UNEXPLAINED] + [NOTICED] * 3 + [NOTICED, REFUTED, NOTICED]
    check(judged == expected, "does not believe that a change only costs time if the stress fails with it")
    disproved = [len(Summary([(untested, result), (cheaper, result)]).disproved) for result in (noticed, passed)]
    check(disproved == [2, 0], "does not believe what the source explains if each such change is noticed")


def check_digest():
    before = judges_digest("code", "hosted", {"threads": "1"})
    others = [{"threads": "2"}, {"threads": "1", "lib": ""}, {}]
    check(
        before not in [judges_digest("code", "hosted", suites) for suites in others],
        "asks again when a suite has changed, or is new, or gone",
    )


def check_groups(source, small):
    """All changes of the small source are of one function."""
    other = Change(Source("other.rs", "fn other() {}"), 12, 12, "return;", "", "", "")
    groups = [len(group) for group in apart([*small, other], 8, lambda _: None)]
    check(groups == [2, 1, 1, 1, 1], "tries changes of different functions together")
    last = Change(source, len(_SMALL), len(_SMALL), "// End.", "", "", "")
    text = applied(source, [small[0], last])
    check(text == _SMALL.replace("publish_barrier()", "()") + "// End.", "makes several changes of a file")


def one(changes, name):
    found = next((change for change in changes if name in change.name), None)
    check(found is not None, f"there is a change {name}")
    return found


def without_effect(source):
    """A change of the text that is none of the program."""
    start = source.code.index("fence(", source.code.index("fn scan_barrier"))
    return Change(source, start, start, "let () = ", "self-test", "fence", "fence")


def check(holds, what):
    print(f"{'ok' if holds else 'FAILED'}: {what}", flush=True)
    if not holds:
        sys.exit(1)
