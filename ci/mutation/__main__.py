"""See `ci/mutants --help`."""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import queue
import re
import sys
import threading

import selftest
from changes import apart, changes
from results import INVALID, KILLED, REFUTED, SURVIVED, UNKNOWN, Memory, Result, Summary, judgement
from rust import BUILDS, Source
from suites import LONG, PATIENCE, SHORTEST_LIMIT, UNIT_TEST_FILES, Test, Tree, suites_of

REPORTS = pathlib.Path("ci/results")

# The models are quicker to compile and see more, so they come first; but for those few that take long. What all of them and
# the hosted suites miss has to survive the stress.
QUICK, HOSTED, LONG_ONES, STRESS = "quick models", "hosted", "long models", "stress"
STAGES = {QUICK: "loom", HOSTED: "hosted", LONG_ONES: "loom", STRESS: "stress"}

# What the source explains is expected to survive, so many are tried at once, first by the hosted suites, which notice the most; if
# something is noticed, the test that has noticed it is asked about each alone.
TOGETHER = {HOSTED: 8, QUICK: 8, LONG_ONES: 12, STRESS: 12}

# How many nodes there are, and where: models know little of that, and less with their small limits.
BOUNDS = re.compile(r"LIMIT|BATCH|SURPLUS|exce|reserve|surplus|nodes|is_due|free")


class Trial:
    """Tries changes in private copies, several at once."""

    def __init__(self, root, work, memory, jobs):
        self.memory = memory
        self.jobs = jobs
        self.work = work
        self.trees = queue.SimpleQueue()
        for number in range(1, jobs + 1):
            self.trees.put(Tree(root, work / str(number)))
        # How long each test takes without a change.
        self.seconds = {}
        # The stress wants all cores for itself, or its threads would seldom work at the same time.
        self.alone = threading.Lock()

    @contextlib.contextmanager
    def _tree(self):
        tree = self.trees.get()
        try:
            yield tree
        finally:
            self.trees.put(tree)

    def measure(self, build):
        """Learns how long each test takes without a change; all of them have to pass."""
        file = self.work / f"{build}.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        if known.get("for") != self.memory.builds[build]:
            note(f"trying all tests without a change: {build}")
            with self._tree() as tree:
                known = {"for": self.memory.builds[build], "seconds": self._seconds(tree, build)}
            file.write_text(json.dumps(known))
        self.seconds |= {Test.named(build, name): seconds for name, seconds in known["seconds"].items()}

    def _seconds(self, tree, build):
        tree.make()
        suites = suites_of(tree.path, build)
        if None in [tree.executable(build, suite) for suite in suites]:
            sys.exit("mutants: the sources do not compile")
        tests = [test for suite in suites for test in tree.tests(build, suite)]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            outcomes = list(pool.map(lambda test: tree.run(test, 3600), tests))
        for test, outcome in zip(tests, outcomes):
            if not outcome.passed:
                sys.exit(f"mutants: {test} fails without a change: {outcome.how}")
        return {str(test): outcome.seconds for test, outcome in zip(tests, outcomes)}

    def run(self, stage, *changes, only=None):
        """Tries these changes together, by all tests or by one."""
        with self._tree() as tree:
            tree.make(*changes)
            for test in self._tests(changes, stage):
                if only not in (None, str(test)):
                    continue
                if tree.executable(test.build, test.suite) is None:
                    return Result(INVALID)
                with self.alone if stage == STRESS else contextlib.nullcontext():
                    outcome = tree.run(test, max(SHORTEST_LIMIT, PATIENCE * self.seconds[test]))
                if not outcome.passed:
                    return Result(KILLED, str(test), outcome.how)
        return Result(SURVIVED)

    def _reaching(self, path, stage):
        """The tests of a stage that may execute code of this file."""
        return [test for test in self.seconds if self._stage(test) == stage and test.reaches(path)]

    def _tests(self, changes, stage):
        """First what noticed a change last, then what is named after a file, then the shortest."""
        killers = set().union(*map(self.memory.last_killers, changes))
        paths = [change.source.path for change in changes]
        stems = [pathlib.Path(path).stem for path in paths]
        tests = {test for path in paths for test in self._reaching(path, stage)}

        def rank(test):
            return str(test) not in killers, not any(stem in str(test) for stem in stems), self.seconds[test]

        return sorted(tests, key=rank)

    def _stage(self, test):
        if test.build in (HOSTED, STRESS):
            return test.build
        return LONG_ONES if self.seconds[test] > LONG else QUICK

    def run_all(self, wanted, stages):
        def is_open(change, stage):
            known = self.memory.result(change) or self.memory.in_stage(change, stage)
            return known is None and STAGES[stage] in change.builds

        # What is found by other stages comes after those, or a comment would be blamed for what it does not mean.
        early = [stage for stage in stages if stage != STRESS]

        for build in BUILDS:
            if any(STAGES[stage] == build and is_open(change, stage) for stage in stages for change in wanted):
                self.measure(build)
        # What a test has noticed before needs that test alone.
        for stage in early:
            noticed = {str(test) for test in self.seconds if self._stage(test) == stage}
            again = [change for change in wanted if noticed & self.memory.last_killers(change)]
            self._run_all([change for change in again if is_open(change, stage)], stage)
        if HOSTED in stages:
            bounds = [change for change in wanted if BOUNDS.search(change.name.split(" ", 1)[1])]
            self._run_all([change for change in bounds if is_open(change, HOSTED)], HOSTED)
        for stage in stages:
            self._run_all([change for change in wanted if not change.explanation and is_open(change, stage)], stage)
        # What the source explains is expected to survive all tests, which takes longest: last.
        for stage in [stage for stage in TOGETHER if stage in stages]:
            for together in dict.fromkeys([TOGETHER[stage], 1]):
                self._run_all([change for change in wanted if is_open(change, stage)], stage, together)

    def _run_all(self, new, stage, together=1):
        """Tries all of these, so many at once."""
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            groups = apart(new, together, lambda change: self._reaching(change.source.path, stage))
            trials = [pool.submit(self._judge, stage, group) for group in groups]
            try:
                for done, trial in enumerate(concurrent.futures.as_completed(trials), 1):
                    for change, result in trial.result():
                        self.memory.remember(change, stage, result)
                        say(f"{stage} {done}/{len(trials)}:", change, result)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _judge(self, stage, group):
        """What becomes of each of these changes; some may be left open."""
        judged = []
        while len(group) > 1:
            result = self.run(stage, *group)
            if result.verdict == SURVIVED:
                result.how = f"with {len(group) - 1} others"
                return [*judged, *((change, result) for change in group)]
            # The test that has noticed something says which of them it was.
            alone = [(change, self.run(stage, change, only=result.by)) for change in group if result.by]
            noticed = [(change, result) for change, result in alone if result.verdict != SURVIVED]
            if not noticed:
                return judged
            judged += noticed
            group = [change for change, result in alone if result.verdict == SURVIVED]
        return [*judged, *((change, self.run(stage, change)) for change in group)]


def say(place, change, result):
    verdict = result.verdict
    if result.verdict == KILLED:
        verdict = f"noticed by {result.by} ({result.how})"
    if result.verdict == SURVIVED and result.how:
        verdict += f" {result.how}"
    if result.verdict == SURVIVED or judgement(change, result) == REFUTED:
        verdict += f" ({change.explanation})" if change.explanation else " (the source does not say why)"
    print(f"{place} line {change.line} of {change.name}: {verdict}", flush=True)


def note(message):
    print(f"mutants: {message}", file=sys.stderr, flush=True)


def read_sources(root):
    files = [file for file in sorted(root.glob("src/**/*.rs")) if file.name not in UNIT_TEST_FILES]
    return [Source(str(file.relative_to(root)), file.read_text()) for file in files]


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.exit(f"mutants: {message}")


def at_least_one(text):
    if not re.fullmatch("[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return int(text)


def expression(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text} is no regular expression: {error}") from None


def arguments():
    parser = Parser(prog="ci/mutants", add_help=False)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", type=expression, default=re.compile(""), metavar="REGEX")
    parser.add_argument("--jobs", type=at_least_one, default=1, metavar="N")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    root = options.root
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    sources = read_sources(root)
    wanted = [change for change in changes(sources, options.all) if options.only.search(change.name)]
    if not wanted:
        sys.exit("mutants: there is no such change")
    if options.report and options.only.pattern:
        sys.exit("mutants: a report is of all changes, so --only does not go with --report")
    if options.list:
        for change in wanted:
            print(change.line, change.name)
        return
    memory = Memory(root, root / REPORTS / "mutants.jsonl", work / "results.jsonl", sources, STAGES)
    if options.self_test:
        selftest.run(Trial(root, work, memory, 1), wanted, STAGES)
        return
    if not options.report:
        stages = [stage for stage, build in STAGES.items() if build == "loom" or not options.models]
        Trial(root, work, memory, options.jobs).run_all(wanted, stages)
    summary = Summary([(change, memory.result(change)) for change in wanted])
    if options.report:
        write_reports(root / REPORTS, summary, "ci/mutants --all" if options.all else "ci/mutants")
        memory.write(wanted)
    for change, result in summary.failures:
        say("failure:", change, result)
    # Another change may survive of what explains these.
    disproved = [] if options.only.pattern else summary.disproved
    for place, explanation in disproved:
        print(f"failure: {place}: each change that this explains is noticed: {explanation}")
    print(summary.in_words())
    sys.exit(1 if summary.failures or disproved or summary.count(UNKNOWN) else 0)


def write_reports(folder, summary, command):
    """All of it, and what ci/tables puts into the READMEs."""
    (folder / "mutants.md").write_text(summary.report(command, os.environ["SOURCES_HASH"]))
    (folder / "mutants-counts.md").write_text(summary.counts(command))
    (folder / "mutants-untested.md").write_text(summary.untested(command))


main()
