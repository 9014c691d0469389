"""What was found: remembered between runs, and written as a table."""

import dataclasses
import hashlib
import json
import subprocess
import time

from rust import BUILDS, Source
from suites import UNIT_TESTS, suites_of

KILLED, SURVIVED, INVALID = "killed", "survived", "does not compile"


@dataclasses.dataclass
class Result:
    verdict: str
    by: str = ""
    how: str = ""


class Memory:
    """Results, each with what it depends on: the code, and the suite that noticed the change, or else all of a kind."""

    def __init__(self, root, work, sources, stages):
        self.file = work / "results.jsonl"
        self.stages = stages
        self.code = _digest(source.essence for source in sources)
        self.suites, self.builds = {}, {}
        for build in BUILDS:
            own = {name: _suite_digest(root / "tests", name) for name in suites_of(root, build) if name != UNIT_TESTS}
            self.suites |= own
            self.builds[build] = _digest([self.code, *own.values()])
        self.records = {}
        for line in self.file.read_text().splitlines() if self.file.exists() else []:
            record = json.loads(line)
            self.records[record["name"], record.get("stage")] = record

    def in_stage(self, change, stage):
        """What is known of a change in one stage, if it still holds."""
        record = self.records.get((change.name, stage))
        if record and record["holds_for"] == self._depends(stage, record):
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

    def _depends(self, stage, record):
        if record["verdict"] == KILLED:
            return [self.code, self.suites.get(record["by"].split(" ")[0])]
        return self.code if record["verdict"] == INVALID else self.builds[self.stages[stage]]


def _suite_digest(tests, name):
    """Of all files that a suite may consist of."""
    files = [tests / f"{name}.rs", *sorted(tests.glob(f"{name}/**/*.rs")), *sorted(tests.glob("common/**/*.rs"))]
    return _digest(Source(file.name, file.read_text()).essence for file in files)


def _digest(texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def is_unexplained(change, result):
    return result is not None and result.verdict == SURVIVED and not change.explanation


def summary(changes, memory):
    results = [(change, memory.result(change)) for change in changes]
    counts = {verdict: 0 for verdict in (KILLED, SURVIVED, INVALID)}
    for _, result in results:
        if result:
            counts[result.verdict] += 1
    unexplained = sum(is_unexplained(change, result) for change, result in results)
    unknown = sum(result is None for _, result in results)
    return counts, unexplained, unknown


def in_words(changes, memory):
    counts, unexplained, unknown = summary(changes, memory)
    explained = counts[SURVIVED] - unexplained
    text = f"{len(changes)} changes: {counts[KILLED]} noticed, {explained} explained in the source,"
    text += f" {unexplained} unexplained; {counts[INVALID]} do not compile, and are not counted"
    return text + (f"; {unknown} not tried yet" if unknown else "")


def table(root, changes, memory, command):
    """The report, as Markdown."""
    git = ["git", "-C", root]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout
    dirty = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "src", "tests"]).returncode
    state = f"{commit.strip()}{', with changes that are not committed' if dirty else ''}"
    lines = [f"Made by `{command}` on {time.strftime('%Y-%m-%d')}, at commit {state}.", ""]
    lines += [in_words(changes, memory) + ".", ""]
    results = [(change, memory.result(change)) for change in changes]
    survivors = [change for change, result in results if result and result.verdict == SURVIVED]
    lines += ["## Not noticed", "", "| line | in | change | why it must stay |", "|---|---|---|---|"]
    lines += [_row(change, change.explanation or "**unexplained**") for change in survivors]
    lines += ["", "## Noticed", "", "| line | in | change | by | how |", "|---|---|---|---|---|"]
    killed = [(change, result) for change, result in results if result and result.verdict == KILLED]
    lines += [_row(change, f"`{result.by}`", result.how) for change, result in killed]
    return "\n".join(lines) + "\n"


def _row(change, *more):
    place, what = change.name.split(": ", 1)
    path, function = place.split(" ")
    cells = [f"`{path}:{change.line}`", f"`{function}`", f"`{what}`", *more]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
