"""See `ci/mutants --help`."""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import re
import shutil
import sys
import tempfile
import threading

import selftest
from changes import changes
from results import INVALID, KILLED, SURVIVED, Memory, Result, in_words, is_unexplained, summary, table
from rust import BUILDS, Source
from suites import PATIENCE, SHORTEST_LIMIT, Tree

REPORT = pathlib.Path("ci/results/mutants.md")


class Trial:
    """Tries changes in private copies, several at once."""

    def __init__(self, root, work, memory, jobs):
        self.memory = memory
        self.jobs = jobs
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        for left_behind in work.glob("run-*"):
            shutil.rmtree(left_behind)
        self.tree = Tree(root, work)
        # One change is compiled at a time; others are tested meanwhile.
        self.compiling = threading.Lock()
        self.seconds = {}

    def measure(self, build):
        """Learns how long each test takes without a change; all of them have to pass."""
        file = self.work / f"{build}.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        if known.get("for") != self.memory.builds[build]:
            note(f"trying all tests without a change: {build}")
            known = {"for": self.memory.builds[build]} | self._seconds(build)
            file.write_text(json.dumps(known))
        self.seconds |= known

    def _seconds(self, build):
        known = {}
        with self._built(None, build) as executables:
            if executables is None:
                sys.exit("mutants: the sources do not compile")
            for test in self.tree.tests(build, executables):
                outcome = self.tree.run(test, executables[test.suite], 3600)
                if not outcome.passed:
                    sys.exit(f"mutants: {test} fails without a change: {outcome.how}")
                known[str(test)] = outcome.seconds
        return known

    @contextlib.contextmanager
    def _built(self, change, build):
        with tempfile.TemporaryDirectory(dir=self.work, prefix="run-") as folder:
            with self.compiling:
                executables = self.tree.build_apart(change, build, folder)
            yield executables

    def run(self, change, build):
        with self._built(change, build) as executables:
            return Result(INVALID) if executables is None else self._verdict(change, build, executables)

    def _verdict(self, change, build, executables):
        for test in sorted(self.tree.tests(build, executables), key=lambda test: self._telling(test, change)):
            limit = max(SHORTEST_LIMIT, PATIENCE * self.seconds[str(test)])
            outcome = self.tree.run(test, executables[test.suite], limit)
            if not outcome.passed:
                return Result(KILLED, str(test), outcome.how)
        return Result(SURVIVED)

    def _telling(self, test, change):
        """Sorts the tests: first what noticed the change last, then what is named after the file, then the shortest."""
        last = str(test) == self.memory.last_killer(change, test.build)
        named = pathlib.Path(change.source.path).stem in str(test)
        return (not last, not named, self.seconds[str(test)])

    def run_all(self, wanted, builds):
        """The models first, which are quicker; then the hosted suites, against what is left."""
        for build in builds:
            new = [change for change in wanted if build in change.builds and self.memory.result(change) is None]
            new = [change for change in new if self.memory.in_build(change, build) is None]
            if new:
                self.measure(build)
                self._run_all(new, build)

    def _run_all(self, new, build):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            trials = {pool.submit(self.run, change, build): change for change in new}
            try:
                for done, trial in enumerate(concurrent.futures.as_completed(trials), 1):
                    change, result = trials[trial], trial.result()
                    self.memory.remember(change, build, result)
                    say(f"{build} {done}/{len(new)}:", change, result)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def say(place, change, result):
    verdict = result.verdict
    if result.verdict == KILLED:
        verdict = f"noticed by {result.by} ({result.how})"
    elif result.verdict == SURVIVED:
        verdict += f" (unchecked: {change.explanation})" if change.explanation else ""
    print(f"{place} line {change.line} of {change.name}: {verdict}", flush=True)


def note(message):
    print(f"mutants: {message}", file=sys.stderr, flush=True)


def read_sources(root):
    return [Source(str(file.relative_to(root)), file.read_text()) for file in sorted(root.glob("src/**/*.rs"))]


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
    work = root / "target/mutants"
    sources = read_sources(root)
    wanted = [change for change in changes(sources, options.all) if options.only.search(change.name)]
    if not wanted:
        sys.exit("mutants: there is no such change")
    if options.list:
        for change in wanted:
            print(change.line, change.name)
        return
    memory = Memory(root, work, sources)
    if options.self_test:
        selftest.run(Trial(root, work, memory, 1), wanted)
        return
    if options.report:
        command = "ci/mutants --all" if options.all else "ci/mutants"
        (root / REPORT).write_text(table(root, wanted, memory, command))
    else:
        Trial(root, work, memory, options.jobs).run_all(wanted, ["loom"] if options.models else BUILDS)
    for change in wanted:
        result = memory.result(change)
        if is_unexplained(change, result):
            say("survivor:", change, result)
    print(in_words(wanted, memory))
    _, unexplained, unknown = summary(wanted, memory)
    sys.exit(1 if unexplained or unknown else 0)


main()
