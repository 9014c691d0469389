"""As much of Rust as is needed to find what to change: comments, brackets, calls, functions, `cfg`."""

import dataclasses
import functools
import re

OPENING = {"(": ")", "[": "]", "{": "}"}
CLOSING = {closing: opening for opening, closing in OPENING.items()}

# What the kinds of builds set; a `cfg` that is not here is not set.
HOST = {"unix", 'target_arch="x86_64"', 'target_has_atomic="ptr"', 'target_pointer_width="64"', 'target_os="linux"'}
SUITES = HOST | {'feature="alloc"', 'feature="haphazard"'}
HOSTED = SUITES | {'feature="stats"', 'feature="critical-section"'}
BUILDS = {"loom": SUITES | {"loom", "elimination_stack_loom"}, "hosted": HOSTED, "stress": SUITES}

# What a comment says of the code that no test misses: without it the program is as right, but slower, larger, or waits longer;
# or it may be wrong, or behave worse than documented, and no check sees it, for the reason that follows.
CHEAPER, UNTESTED = "CHEAPER", "UNTESTED"

_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<string>b?"(?:\\.|[^"\\])*")|(?P<char>'(?:\\[^']*|[^'\\\n])')""", re.DOTALL
)


def blanked(text):
    """`text` with comments, and what is in strings, replaced by blanks. Every position stays the same."""
    return _TOKENS.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why no test notices a change, as the source says."""

    kind: str
    reason: str
    line: int = dataclasses.field(default=0, compare=False)

    def __str__(self):
        return f"{self.kind}: {self.reason}"


class Source:
    """One file: its text, and the text without comments and strings, at the same positions."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.code = blanked(text)
        self.excluded = self._macros() + self._uses()

    @property
    def essence(self):
        """The code without comments and layout: what has to be the same for a result to hold."""
        without_comments = _TOKENS.sub(lambda match: " " if match["comment"] else match[0], self.text)
        return " ".join(without_comments.split())

    def line(self, position):
        return self.text.count("\n", 0, position) + 1

    def partner(self, position):
        """The position of the bracket that closes, or opens, what the one at `position` opens, or closes."""
        step = 1 if self.code[position] in OPENING else -1
        depth = 0
        while 0 <= position < len(self.code):
            char = self.code[position]
            if char in OPENING or char in CLOSING:
                depth += 1 if (char in OPENING) == (step == 1) else -1
                if depth == 0:
                    return position
            position += step
        raise ValueError(f"{self.path}: a bracket without a partner")

    def enclosing(self, position):
        """The position of the innermost bracket that is open at `position`, or None."""
        while position > 0:
            position -= 1
            if self.code[position] in CLOSING:
                position = self.partner(position)
            elif self.code[position] in OPENING:
                return position
        return None

    def statement(self, position):
        """Where the statement or item around `position` begins."""
        while position > 0:
            char = self.code[position - 1]
            if char in ";{}" and not self._is_block_of_expression(position - 1):
                break
            if char in CLOSING:
                position = self.partner(position - 1)
            else:
                position -= 1
        return position + len(self.code[position:]) - len(self.code[position:].lstrip())

    def _is_block_of_expression(self, position):
        """Whether the bracket at `position` belongs to `unsafe { .. }` in the middle of an expression."""
        char = self.code[position]
        if char == ";":
            return False
        opening = position if char == "{" else self.partner(position)
        if not re.search(r"\bunsafe\s*$", self.code[:opening]):
            return False
        before = self.code[:opening].rstrip().removesuffix("unsafe").rstrip()
        after = self.code[self.partner(opening) + 1 :].lstrip()
        return before[-1:] not in (";", "{", "}", "") or after[:1] in (".", "?", "&", "|", "=")

    @functools.cached_property
    def functions(self):
        """(name, beginning, the body's opening bracket if there is one, end) of each function and constant."""
        found = []
        for match in re.finditer(r"\bfn\s+(\w+)|(?<![<,] )(?<!<)\bconst\s+([A-Z_]\w*)\s*:", self.code):
            end = self.item_end(match.end())
            body = self.partner(end) if match[1] and self.code[end] == "}" else None
            found.append((match[1] or match[2], match.start(), body, end))
        return found

    def function(self, position):
        """The name of the innermost function or constant around `position`."""
        around = [name for name, start, _, end in self.functions if start <= position <= end]
        return around[-1] if around else "-"

    def item_end(self, position):
        """The `;` or `}` with which the item that goes on at `position` ends."""
        while position < len(self.code):
            char = self.code[position]
            if char == ";" or char in CLOSING:
                return position
            if char in OPENING:
                position = self.partner(position)
                if char == "{":
                    return position
            position += 1
        return position

    def builds(self, position):
        """The kinds of builds that compile what is at `position`."""
        return {
            name
            for name, flags in BUILDS.items()
            if all(holds(predicate, flags) for start, end, predicate in self._cfgs if start <= position <= end)
        }

    @functools.cached_property
    def _cfgs(self):
        found = []
        for match in re.finditer(r"#\[cfg\(", self.code):
            end = self.partner(match.end() - 1)
            rest = re.compile(r"(\s*\]|\s*#\[[^\]]*\])*").match(self.code, end + 1).end()
            found.append((match.start(), self.item_end(rest), self.text[match.end() : end]))
        return found

    def _macros(self):
        return [(match.start(), self.item_end(match.end())) for match in re.finditer(r"\bmacro_rules!", self.code)]

    def _uses(self):
        found = re.finditer(r"^\s*(pub(\([^)]*\))? )?use\b", self.code, re.MULTILINE)
        return [(match.start(), self.code.index(";", match.start())) for match in found]

    def is_excluded(self, position):
        return any(start <= position <= end for start, end in self.excluded)

    def explanation(self, start, kinds):
        """Why no checker sees a change at `start`, as the source says there or above the module; or None."""
        found = self._explanation(self.statement(start), start, kinds)
        for match in re.finditer(r"\bmod\s+\w+\s*\{", self.code):
            if found is None and match.end() <= start <= self.partner(match.end() - 1):
                found = self._explanation(self.statement(match.start()), match.start(), kinds)
        return found

    def _explanation(self, first, last, kinds):
        """What the last comment with one of these words says between these positions, or right above the first."""
        first, last = self.line(first) - 1, self.line(last) - 1
        lines = self.text.split("\n")
        # The statement of an `else` begins with its `if`.
        while branch := re.match(r"(\s*)} else", lines[first]):
            first = next(at for at in range(first - 1, -1, -1) if re.match(branch[1] + r"[^\s}]", lines[at]))
        while first > 0 and re.match(r"\s*(//(?!/)|#\[)", lines[first - 1]):
            first -= 1
        kind, reason, goes_on, begins = None, [], False, 0
        for number, line in enumerate(lines[first : last + 1], first + 1):
            comment = re.search(r"//\s?(.*)", line)
            marker = re.match(rf"({'|'.join(kinds)}): *(.*)", comment[1]) if comment else None
            # It ends with its line, or where the code or another such comment begins.
            goes_on = goes_on and line.strip().startswith("//") and not re.match(r"[A-Z]\w*:", comment[1])
            if marker:
                kind, reason, goes_on, begins = marker[1], [marker[2].strip()], line.strip().startswith("//"), number
            elif goes_on:
                reason.append(comment[1].strip())
        return Explanation(kind, " ".join(reason), begins) if kind else None


def holds(predicate, flags):
    """Whether a `cfg` predicate holds where `flags` are set."""
    predicate = predicate.strip().rstrip(",")
    match = re.fullmatch(r"(all|any|not)\((.*)\)", predicate, re.DOTALL)
    if not match:
        return re.sub(r"\s", "", predicate) in flags
    inner = [holds(part, flags) for part in split(match[2], ",") if part.strip()]
    return {"all": all(inner), "any": any(inner), "not": not any(inner)}[match[1]]


def split(text, *separators):
    """The parts of `text` between separators that are in no brackets."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        depth += (text[position] in OPENING) - (text[position] in CLOSING)
        separator = next((one for one in separators if depth == 0 and text.startswith(one, position)), None)
        if separator:
            parts.append(text[start:position])
            position += len(separator)
            start = position
        else:
            position += 1
    return [*parts, text[start:]]
