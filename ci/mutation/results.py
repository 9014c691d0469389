"""What was found: remembered between runs, and written as tables."""

import dataclasses
import hashlib
import json
import time

from rust import BUILDS, CHEAPER, UNTESTED, Source
from suites import SCALE, STRESS, UNIT_TEST_FILES, UNIT_TESTS, folder_of, suites_of, unreached_by

# What became of a change, as far as one stage can say.
KILLED, SURVIVED, INVALID = "killed", "survived", "does not compile"

# What that means, once all stages have said it.
NOTICED, UNEXPLAINED, REFUTED, UNKNOWN = "noticed", "unexplained", "refuted", "not tried yet"
FAILURES = (UNEXPLAINED, REFUTED)


@dataclasses.dataclass
class Result:
    verdict: str
    by: str = ""
    how: str = ""


class Memory:
    """Results, each with what it depends on: the code, and the suite that noticed the change, or else all of a build. Those that
    a report was made of are committed with it, so that another machine goes on with them; newer ones are in the cache."""

    def __init__(self, root, committed, cached, sources, stages):
        self.committed = committed
        self.file = cached
        self.stages = stages
        self.code = digest(source.essence for source in sources)
        self.suites, self.builds = {}, {}
        unit_tests = (file for file in sorted(root.glob("src/**/*.rs")) if file.name in UNIT_TEST_FILES)
        unit_tests = digest(Source(file.name, file.read_text()).essence for file in unit_tests)
        for build in BUILDS:
            names = suites_of(root, build)
            folder = folder_of(root, build)
            own = {name: unit_tests if name == UNIT_TESTS else _suite_digest(folder, name) for name in names}
            self.suites |= own
            self.builds[build] = judges_digest(self.code, build, own)
        self.records = {}
        for file in (committed, cached):
            for line in file.read_text().splitlines() if file.exists() else []:
                record = json.loads(line)
                key = record["name"], record["stage"]
                # The cache may be older than what is committed.
                if key not in self.records or not self._holds(self.records[key]):
                    self.records[key] = record

    def in_stage(self, change, stage):
        """What is known of a change in one stage, if it still holds."""
        record = self.records.get((change.name, stage))
        if record and self._holds(record):
            return Result(record["verdict"], record["by"], record["how"])
        return None

    def result(self, change):
        """What is known of a change: noticed in some stage, or else the same in all of them."""
        results = [self.in_stage(change, stage) for stage, build in self.stages.items() if build in change.builds]
        telling = [result for result in results if result and result.verdict != SURVIVED]
        return telling[0] if telling else None if None in results else results[0]

    def last_killers(self, change):
        """The tests that noticed the change when it was made last."""
        killers = {self.records.get((change.name, stage), {}).get("by") for stage in self.stages}
        return killers - {"", None}

    def remember(self, change, stage, result):
        record = {"name": change.name, "stage": stage} | dataclasses.asdict(result)
        record["holds_for"] = self._depends(stage, record)
        self.records[change.name, stage] = record
        with self.file.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def write(self, changes):
        """Commits what is known of these changes."""
        known = [self.records[change.name, stage] for change in changes for stage in self.stages if self.in_stage(change, stage)]
        self.committed.write_text("".join(json.dumps(record) + "\n" for record in known))

    def _holds(self, record):
        return record["stage"] in self.stages and record["holds_for"] == self._depends(record["stage"], record)

    def _depends(self, stage, record):
        if record["verdict"] == KILLED:
            return [self.code, self.suites.get(record["by"].split(" ")[0])]
        return self.code if record["verdict"] == INVALID else self.builds[self.stages[stage]]


def judges_digest(code, build, suites):
    """Of all that a change has to survive in a build: which suites there are, what they consist of, and how they are run."""
    lines = [f"{name} {content} {unreached_by(build, name)}" for name, content in sorted(suites.items())]
    return digest([code, build, SCALE[build], *lines])


def digest(texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _suite_digest(tests, name):
    """Of all files that a suite may consist of. One that is named after an example tests that."""
    files = [tests / f"{name}.rs", *sorted(tests.glob(f"{name}/**/*.rs")), *sorted(tests.glob("common/**/*.rs"))]
    files += tests.parent.glob(f"examples/{name}.rs")
    return digest(Source(file.name, file.read_text()).essence for file in files)


def judgement(change, result):
    """What a result means for a change, by what the source says of it."""
    kind = change.explanation.kind if change.explanation else UNEXPLAINED
    if result is None:
        return UNKNOWN
    if result.verdict == SURVIVED:
        return kind
    # The same comment may explain another change of the same statement; but then a suite before has noticed this one.
    if result.verdict == KILLED and result.by == STRESS and kind == CHEAPER:
        return REFUTED
    return NOTICED if result.verdict == KILLED else INVALID


class Summary:
    """What is known of these changes, by what it means."""

    def __init__(self, results):
        self.all = results

    def of(self, *kinds):
        return [(change, result) for change, result in self.all if judgement(change, result) in kinds]

    def count(self, kind):
        return len(self.of(kind))

    @property
    def failures(self):
        return self.of(*FAILURES)

    @property
    def disproved(self):
        """What the source explains although there is nothing to explain: each change that it could be of is noticed."""
        explained = {}
        for change, result in self.all:
            if change.explanation:
                place = f"{change.source.path}:{change.explanation.line}"
                explained.setdefault((place, change.explanation), []).append(result)
        return [
            (place, explanation)
            for (place, explanation), results in explained.items()
            if all(result and result.verdict != SURVIVED for result in results)
        ]

    def in_words(self):
        text = f"{len(self.all)} changes: {self.count(NOTICED)} noticed, {self.count(CHEAPER)} {CHEAPER} and shown to be,"
        text += f" {self.count(UNTESTED)} {UNTESTED}, {self.count(UNEXPLAINED)} unexplained"
        if refuted := self.count(REFUTED):
            text += f", {refuted} {CHEAPER} but not right"
        if disproved := len(self.disproved):
            text += f", {disproved} explanations of what is noticed"
        text += f"; {self.count(INVALID)} do not compile, and are not counted"
        unknown = self.count(UNKNOWN)
        return text + (f"; {unknown} not tried yet" if unknown else "")

    def report(self, command, sources_hash):
        """All of it, as Markdown."""
        lines = [f"Made by `{command}` on {time.strftime('%Y-%m-%d')}. Hash of the sources: `{sources_hash}`.", ""]
        lines += [self.in_words() + ".", ""]
        sections = [
            ("Not noticed, and not explained", (UNEXPLAINED,), "what the source says", self._unexplained),
            (f"{CHEAPER}, but not right", (REFUTED,), "what the source says", self._unexplained),
            (f"{UNTESTED}: may be wrong", (UNTESTED,), "why no check sees it", self._reason),
            (f"{CHEAPER}: as right, and passes the stress, too", (CHEAPER,), "what the source says", self._reason),
        ]
        for title, kinds, column, cell in sections:
            rows = [_row(change, cell(change)) for change, _ in self.of(*kinds)]
            if rows:
                lines += [f"## {title}", "", f"| line | in | change | {column} |", "|---|---|---|---|", *rows, ""]
        rows = [_cells(f"`{place}`", str(explanation)) for place, explanation in self.disproved]
        if rows:
            lines += ["## Explained, but each change is noticed", "", "| line | what the source says |", "|---|---|", *rows, ""]
        lines += ["## Noticed", "", "| line | in | change | by | how |", "|---|---|---|---|---|"]
        lines += [_row(change, f"`{result.by}`", result.how) for change, result in self.of(NOTICED)]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _unexplained(change):
        return str(change.explanation) if change.explanation else "**nothing**"

    @staticmethod
    def _reason(change):
        return change.explanation.reason

    def counts(self, command):
        """For tests/README.md."""
        noticed, cheaper, untested = map(self.count, (NOTICED, CHEAPER, UNTESTED))
        lines = ["| changes | noticed | only cheaper | untested |", "|--:|--:|--:|--:|"]
        lines += [f"| {len(self.all) - self.count(INVALID)} | {noticed} | {cheaper} | {untested} |", ""]
        others = len(self.failures) + self.count(UNKNOWN)
        lines += [f"Counted by `{command}`" + (f"; of {others} nothing is known yet, or no reason." if others else ".")]
        return "\n".join(lines) + "\n"

    def untested(self, command):
        """For the list of what no check sees: one line for each place and reason."""
        places = {}
        for change, _ in self.of(UNTESTED):
            path, function, what = _parts(change)
            places.setdefault((path, change.explanation.reason), []).append((change.line, function, what))
        lines = [f"{self.count(UNTESTED)} of {len(self.all) - self.count(INVALID)} changes, by `{command}`.", ""]
        lines += ["| in | left out or weakened | why no check sees it |", "|---|---|---|"]
        for (path, reason), changes in places.items():
            line = changes[0][0]
            whats = "; ".join(f"`{function}`: `{what}`" for _, function, what in changes)
            lines.append(_cells(f"`{path}:{line}`", whats, reason))
        return "\n".join(lines) + "\n"


def _parts(change):
    place, what = change.name.split(": ", 1)
    return *place.split(" "), what


def _row(change, *more):
    path, function, what = _parts(change)
    return _cells(f"`{path}:{change.line}`", f"`{function}`", f"`{what}`", *more)


def _cells(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
