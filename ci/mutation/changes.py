"""The changes: each is one edit of one file, found by what the code looks like."""

import dataclasses
import re

from rust import CHEAPER, UNTESTED, Source, split

# One step weaker, by what the ordering is for.
_WEAKER = {
    "load": {"SeqCst": ["Acquire"], "Acquire": ["Relaxed"]},
    "store": {"SeqCst": ["Release"], "Release": ["Relaxed"]},
    # There is no relaxed fence; without a fence at all is a change of its own.
    "fence": {"SeqCst": ["AcqRel"], "AcqRel": ["Acquire", "Release"]},
    "update": {"SeqCst": ["AcqRel"], "AcqRel": ["Acquire", "Release"], "Acquire": ["Relaxed"], "Release": ["Relaxed"]},
}

# Calls that the protocols consist of, and whose result nobody uses.
_STEPS = (
    "fence publish_barrier scan_barrier publish protect protect_raw unprotect reset_protection store"
    " fetch_add fetch_sub set_follower swap keep leave end reserve unreserve eager_reclaim scan drop let_wait"
)

# Conditions that belong to a protocol: they look at what is shared, or at a limit.
_SHARED = re.compile(
    r"Step::|compare_exchange|protects|hazard|exceeds|load\(|TAG|empty|is_null|LIMIT|BATCH|SURPLUS"
    r"|RECLAIM_AT|ENTRIES|wanted|has_surplus|\.below\(\)|self\.entry|is_protected"
)

_ORDERING = re.compile(r"(?:\w+::)*\b(SeqCst|AcqRel|Acquire|Release)\b")
_EXCHANGE = re.compile(r"\.compare_exchange(?:_weak)?\(")
# What is so in all builds here: long code, see src/layout.rs.
_FIXED = {"FAST_PATHS": "true", "!FAST_PATHS": "false"}
_COMPARISONS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}


@dataclasses.dataclass
class Change:
    """Replaces `source.text[start:end]`."""

    source: Source
    start: int
    end: int
    replacement: str
    kind: str
    before: str
    after: str
    number: int = 1

    @property
    def line(self):
        return self.source.line(self.start)

    @property
    def function(self):
        return self.source.function(self.start)

    @property
    def name(self):
        """What it is called; the same as long as what it changes is."""
        number = f" #{self.number}" if self.number > 1 else ""
        return f"{self.source.path} {self.function}: {self.kind}: {self.before} -> {self.after}{number}"

    @property
    def builds(self):
        return self.source.builds(self.start)

    @property
    def explanation(self):
        # A weaker ordering makes nothing slower; and on one kind of processor no stress tells whether it is right.
        kinds = [UNTESTED] if self.kind.startswith("ordering") else [CHEAPER, UNTESTED]
        return self.source.explanation(self.start, kinds)


def applied(source, changes):
    """The text of a source with these changes of it, of which no two overlap."""
    text = source.text
    for change in sorted(changes, key=lambda change: change.start, reverse=True):
        text = text[: change.start] + change.replacement + text[change.end :]
    return text


def apart(changes, most, kind):
    """Groups of so many changes at most, all of one `kind`, and of functions with different names: so none hides another one of its
    function, or of one that does the same elsewhere."""
    groups = []
    for change in changes:
        functions = {change.function}
        fits = (group for group in groups if len(group) < most and kind(group[0]) == kind(change))
        group = next((group for group in fits if functions.isdisjoint(other.function for other in group)), None)
        if group is None:
            groups.append(group := [])
        group.append(change)
    return groups


def changes(sources, everything):
    """All changes of these sources, in their order; without `everything` those of the protocols."""
    found = []
    for source in sources:
        here = [*_orderings(source, sources), *_steps(source), *_failures(source), *_conditions(source, everything)]
        here += [*_results(source), *_tags(source), *_counts(source, everything)]
        here = [change for change in here if change.builds and not source.is_excluded(change.start)]
        here = [change for change in here if _FIXED.get(change.before) != change.after]
        found += sorted(here, key=lambda change: (change.start, change.end, change.after))
    numbers = {}
    for change in found:
        change.number = numbers[change.name] = numbers.get(change.name, 0) + 1
    return found


def _change(source, start, end, replacement, kind, after=None):
    """A change that is described by the code that it replaces."""
    before = " ".join(source.code[start:end].split())
    return Change(source, start, end, replacement, kind, before, after or replacement)


def _call(source, position):
    """The function called with what is at `position` as an argument, and the argument's index."""
    opening = source.enclosing(position)
    name = re.search(r"(\w+)$", source.code[: opening or 0])
    if not name or source.code[opening] != "(":
        return None, 0
    return name[1], len(split(source.code[opening + 1 : position], ",")) - 1


def _purpose(call, index):
    if call in ("load", "store", "fence"):
        return call
    return "load" if (call or "").startswith("compare_exchange") and index == 3 else "update"


def _purposes(constant, sources):
    """What an ordering with a name is for."""
    uses = [
        _call(source, match.start())
        for source in sources
        for match in re.finditer(rf"\b{constant}\b", source.code)
        if not source.is_excluded(match.start())
    ]
    return {_purpose(call, index) for call, index in uses if call}


def _orderings(source, sources):
    for match in _ORDERING.finditer(source.code):
        call, index = _call(source, match.start())
        constant = re.search(r"\bconst (\w+): Ordering = $", source.code[: match.start()])
        if not call and not constant:
            continue
        purposes = _purposes(constant[1], sources) if constant else {_purpose(call, index)}
        what = constant[1] if constant else call + (" failed" if index == 3 else "")
        steps = [_WEAKER[purpose].get(match[1], []) for purpose in sorted(purposes)]
        for weaker in steps[0] if steps else []:
            if all(weaker in step for step in steps):
                path = f"crate::sync::Ordering::{weaker}"
                change = Change(source, *match.span(), path, f"ordering of {what}", match[1], weaker)
                yield change


def _receiver(source, position):
    """Where the expression begins whose last name begins at `position`."""
    code = source.code
    while True:
        before = code[:position].rstrip()
        if not before.endswith((".", "::")):
            return position
        position = len(before.removesuffix(".").removesuffix("::").rstrip())
        while code[position - 1] in ")]}":
            position = source.partner(position - 1)
        position = len(code[:position].rstrip()) if code[position] == "{" else position
        position -= len(re.search(r"\w*$", code[:position])[0])


def _steps(source):
    for match in re.finditer(rf"\b({'|'.join(_STEPS.split())})\(", source.code):
        start = _receiver(source, match.start())
        end = source.partner(match.end() - 1) + 1
        before, after = source.code[:start].rstrip(), source.code[end:].lstrip()
        alone = before[-1:] in (";", "{", "}", "|") and after[:1] in (";", "}", ")", ",")
        # What is dropped last in a block is dropped there anyway.
        at_its_end = match[1] == "drop" and re.match(r";\s*(true|false)?\s*\}", after)
        if alone and not before.endswith("||") and not at_its_end:
            yield _change(source, start, end, "()", "step", "nothing")


def _failures(source):
    for match in _EXCHANGE.finditer(source.code):
        end = source.partner(match.end() - 1) + 1
        # The same is done with what it found.
        if re.match(r"\s*\.unwrap_or_else\(\|(\w+)\| \1\)", source.code[end:]):
            continue
        as_success = ".or_else(|now| if true { Ok(now) } else { Err(now) })"
        yield Change(source, end, end, as_success, "exchange", match[0][1:-1] + " fails", "as if it had not")


def _conditions(source, everything):
    for match in re.finditer(r"\b(if|while)\b(?!\s+let\b)", source.code):
        start = match.end() + 1
        end = _condition_end(source, start)
        condition = source.code[start:end].rstrip()
        end = start + len(condition)
        shared = bool(_SHARED.search(condition))
        if "cfg!" in condition or not (everything or shared):
            continue
        if match[1] == "while":
            yield _change(source, *match.span(), "if", "loop", f"if ({condition})")
        else:
            yield _change(source, start, end, "true", "condition")
        yield _change(source, start, end, "false", "condition")
        for begin, finish, neutral in _operands(source.code, start, end):
            yield _change(source, begin, finish, neutral, "condition")


def _operands(code, start, end):
    """Each operand of `||` and `&&` between these positions, at any depth, and what makes it count for nothing."""
    for operator, neutral in (("||", "false"), ("&&", "true")):
        operands = split(code[start:end], operator)
        position = start
        for operand in operands if len(operands) > 1 else []:
            begin, finish = position + len(operand) - len(operand.lstrip()), position + len(operand.rstrip())
            yield begin, finish, neutral
            yield from _operands(code, begin, finish)
            position += len(operand) + len(operator)
        if len(operands) > 1:
            return
    inner = re.fullmatch(r"!?\((.*)\)", code[start:end], re.DOTALL)
    if inner:
        yield from _operands(code, start + inner.start(1), start + inner.end(1))


def _condition_end(source, position):
    while True:
        char = source.code[position]
        if char == "{" and not source.code[:position].rstrip().endswith("unsafe"):
            return position
        if source.code.startswith("=>", position):
            return position
        position = source.partner(position) + 1 if char in "({[" else position + 1


def _results(source):
    """What a function says is turned into always yes, or always no."""
    for name, start, body, end in source.functions:
        if body is None or not re.search(r"->\s*bool\s*$", source.code[start:body]):
            continue
        inside = source.code[body + 1 : end]
        last = max(source.statement(end - len(inside) + len(inside.rstrip()) - 1), body + 1)
        expression = source.code[last:end].rstrip()
        for operator, answer in (("|", "true"), ("&", "false")):
            if expression == answer:
                continue
            text = source.text[last : last + len(expression)]
            replacement = f"#[allow(unused_parens)] let result = ({text}); result {operator} {answer}"
            yield Change(source, last, last + len(expression), replacement, "result", name, answer)


def _tags(source):
    for match in re.finditer(r" ([&|]) !?(TAG|tag)\b", source.code):
        yield _change(source, *match.span(), "", "tag", "nothing")


def _counts(source, everything):
    for match in re.finditer(r" (==|!=|<=|>=|<|>) ", source.code):
        start, end = match.span(1)
        line = source.code[source.code.rfind("\n", 0, start) + 1 : source.code.index("\n", end)]
        if not re.search(r"assert|matches!|cfg", line) and (everything or _SHARED.search(line)):
            yield _change(source, start, end, _COMPARISONS[match[1]], "comparison")
    for match in re.finditer(r"\bfetch_(add|sub)\b", source.code):
        yield _change(source, *match.span(), {"add": "fetch_sub", "sub": "fetch_add"}[match[1]], "count")
    for match in re.finditer(r" ([+-]=?) (1)\b", source.code):
        if everything:
            yield _change(source, *match.span(2), "0", f"step of one ({match[1]})")
