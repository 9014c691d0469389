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

    def __init__(self, root, work, sources):
        self.file = work / "results.jsonl"
        self.code = _digest(source.essence for source in sources)
        common = _digest(Source(file.name, file.read_text()).essence for file in sorted(root.glob("tests/common/*.rs")))
        self.suites, self.builds = {}, {}
        for build in BUILDS:
            names = suites_of(root, build)
            texts = {name: (root / "tests" / f"{name}.rs").read_text() for name in names if name != UNIT_TESTS}
            own = {name: _digest([Source(name, text).essence, common]) for name, text in texts.items()}
            self.suites |= own
            self.builds[build] = _digest([self.code, *own.values()])
        self.records = {}
        for line in self.file.read_text().splitlines() if self.file.exists() else []:
            record = json.loads(line)
            self.records[record["name"], record["build"]] = record

    def in_build(self, change, build):
        """What is known of a change in one kind of build, if it still holds."""
        record = self.records.get((change.name, build))
        if record and record["holds_for"] == self._depends(build, record):
            return Result(record["verdict"], record["by"], record["how"])
        return None

    def result(self, change):
        """What is known of a change: noticed in some build, or else the same in all of them."""
        results = [self.in_build(change, build) for build in BUILDS if build in change.builds]
        telling = [result for result in results if result and result.verdict != SURVIVED]
        return telling[0] if telling else None if None in results else results[0]

    def last_killer(self, change, build):
        """The test that noticed the change when it was made last, if one did."""
        return self.records.get((change.name, build), {}).get("by", "")

    def remember(self, change, build, result):
        record = {"name": change.name, "build": build} | dataclasses.asdict(result)
        record["holds_for"] = self._depends(build, record)
        self.records[change.name, build] = record
        with self.file.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def _depends(self, build, record):
        if record["verdict"] == KILLED:
            return [self.code, self.suites.get(record["by"].split(" ")[0])]
        return self.code if record["verdict"] == INVALID else self.builds[build]


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
