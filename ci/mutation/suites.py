"""The suites: building them from private copies of the checkout, running their tests one by one with a time limit."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from changes import applied

# A test that takes so many times as long as it did without a change hangs; and no test so short a time.
PATIENCE = 5
SHORTEST_LIMIT = 20
# A model that takes longer, in seconds, comes last.
LONG = 5
# Of the iterations that the suites of a build make by themselves, in percent.
SCALE = {"loom": "100", "hosted": "3", "stress": "200"}
# What a test may take of memory, in bytes, should a change make it loop.
MEMORY = 8 << 30

# The package of the models, beside the library's own.
MODELS = pathlib.Path("tests/loom")

# The suite of the unit tests, and the one that is run optimised, alone.
UNIT_TESTS, STRESS = "lib", "stress"
# Modules that are only compiled for tests.
UNIT_TEST_FILES = ("tests.rs", "models.rs")

# What the models of a suite never execute: it is of the other engine, or of the exchanger alone.
_UNREACHED = {
    "loom": r"src/(reclaim/haphazard|small)",
    "loom_handle": r"src/(bulk|list/many|backoff/\w+|reclaim/haphazard.*|small.*)\.rs",
    "loom_haphazard": r"src/(bulk|list/many|backoff/\w+|reclaim/depot|reclaim/slots.*|small.*)\.rs",
    UNIT_TESTS: r"src/(bulk|handle|interrupt|list.*|stack|reclaim.*)\.rs",
}

# How a test fails, by what it prints.
_SYMPTOMS = (
    (r"Causality violation", "loom: causality"),
    (r"deadlock", "loom: deadlock"),
    (r"leaked|Leaked", "loom: leak"),
    (r"Model exceeded maximum number of branches", "loom: endless"),
    (r"hangs$", "watchdog"),
    (r"assertion|panicked at", "assertion"),
)


@dataclasses.dataclass(frozen=True)
class Test:
    """One process that checks something: a model, or a whole hosted suite."""

    build: str
    suite: str
    name: str

    def __str__(self):
        return f"{self.suite} {self.name}".strip()

    @classmethod
    def named(cls, build, text):
        """The test that `str` gives this text for."""
        suite, _, name = text.partition(" ")
        return cls(build, suite, name)

    def reaches(self, path):
        """Whether it may execute code of this file."""
        unreached = unreached_by(self.build, self.suite)
        return not (unreached and re.match(unreached, path))


@dataclasses.dataclass
class Outcome:
    passed: bool
    how: str
    seconds: float


class Tree:
    """A private copy of the checkout, in which changes are made; with compiled suites of its own."""

    def __init__(self, root, folder):
        self.root = root
        self.folder = folder
        self.path = folder / "tree"
        self.changed = set()
        self.executables = {}
        self._copy()

    def _copy(self):
        command = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        names = {name for name in names if name and (self.root / name).is_file()}
        for name in sorted(names):
            self._write(name, (self.root / name).read_bytes())
        for old in self.path.rglob("*.rs"):
            if str(old.relative_to(self.path)) not in names:
                old.unlink()

    def _write(self, name, content):
        """Leaves alone what is as it should be, so that nothing is compiled in vain."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)

    def make(self, *changes):
        """Makes these changes the only ones."""
        for source in self.changed:
            self._write(source.path, source.text.encode())
        self.changed = {change.source for change in changes}
        for source in self.changed:
            self._write(source.path, applied(source, [change for change in changes if change.source is source]).encode())
        self.executables = {}

    def executable(self, build, suite):
        """A suite's executable, compiled when it is first asked for; None if the source is not valid."""
        if (build, suite) not in self.executables:
            self.executables[build, suite] = self._compile(build, suite)
        return self.executables[build, suite]

    def _compile(self, build, suite):
        arguments = ["--features", "stats,critical-section"] if build == "hosted" else ["--release"]
        arguments += ["--lib"] if suite == UNIT_TESTS else ["--test", suite]
        flags = os.environ.get("RUSTFLAGS", "")
        environment = os.environ | {
            "RUSTFLAGS": f"{os.environ['LOOM_FLAGS']} {flags}" if build == "loom" else flags,
            "CARGO_TARGET_DIR": str(self.folder / build),
            "CARGO_INCREMENTAL": "1",
            # Compiling takes longer than running.
            "CARGO_PROFILE_RELEASE_DEBUG": "0",
            "CARGO_PROFILE_TEST_DEBUG": "0",
            "CARGO_PROFILE_TEST_OPT_LEVEL": "0",
        }
        folder, package = (MODELS, "elimination-stack-models") if build == "loom" else (".", "elimination-stack")
        command = ["cargo", "test", "-q", "-p", package, "--no-run", "--message-format=json", *arguments]
        done = subprocess.run(command, cwd=self.path / folder, env=environment, capture_output=True, text=True)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if {"reason": "build-finished", "success": False} in messages:
            return None
        if done.returncode:
            raise RuntimeError(done.stderr)
        return next(message["executable"] for message in messages if message.get("executable"))

    def tests(self, build, suite):
        """Each model is a test of its own; a hosted suite is one."""
        if build != "loom":
            return [Test(build, suite, "")]
        command = [self.executable(build, suite), "--list"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [Test(build, suite, name) for name in re.findall(r"^(.*): test$", listed, re.MULTILINE)]

    def run(self, test, limit):
        executable = self.executable(test.build, test.suite)
        arguments = ["--exact", test.name, "--nocapture"] if test.name else []
        environment = os.environ | {"ELIMINATION_STACK_TEST_SCALE": SCALE[test.build], "RUST_BACKTRACE": "0"}
        start = time.monotonic()
        process = subprocess.Popen(
            ["prlimit", f"--as={MEMORY}", "--core=0", executable, *arguments],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Outcome(False, "time-out", time.monotonic() - start)
        seconds = time.monotonic() - start
        return Outcome(process.returncode == 0, _symptom(output, process.returncode, test), seconds)


def folder_of(root, build):
    """Where the suites of a build are."""
    return pathlib.Path(root, MODELS if build == "loom" else "", "tests")


def suites_of(root, build):
    """The names of the suites: files of their folder, and the unit tests."""
    names = sorted(file.stem for file in folder_of(root, build).glob("*.rs"))
    if build == "stress":
        return [STRESS]
    return [UNIT_TESTS, *(name for name in names if name != STRESS)]


def unreached_by(build, suite):
    """A regular expression for the files that a suite does not execute, or nothing."""
    return _UNREACHED.get(suite, "") if build == "loom" else ""


def _symptom(output, status, test):
    otherwise = f"signal {-status}" if status < 0 else f"status {status}"
    how = next((how for pattern, how in _SYMPTOMS if re.search(pattern, output, re.MULTILINE)), otherwise)
    failed = re.search(r"^test (\S+) \.\.\. FAILED$", output, re.MULTILINE)
    return how if test.name or not failed else f"{how} in {failed[1]}"
