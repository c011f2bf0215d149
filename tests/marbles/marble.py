"""The marble language: diagrams to timed notifications and back, and the cases in a .marbles file. See README.md."""

import json
import re
import textwrap
from dataclasses import dataclass, field

ANY = object()  # an error whose text does not matter
DEFAULT_ERROR = "error"


class Mistake(Exception):
    """Something in a marble file is not well written."""


@dataclass
class Part:
    """An object of which only some keys are told: {"n": 2, ...}."""

    keys: dict


@dataclass
class Case:
    name: str
    line: int
    legend: dict
    tick: int = 10
    inputs: dict = field(default_factory=dict)  # name -> (kind, diagram)
    sources: dict = field(default_factory=dict)  # name -> what stands beside its kind, in the flow style
    start: str = ""  # `from`, as written
    pipelines: dict = field(default_factory=dict)  # name -> the lines under it; the one under test is `out`
    unseen: set = field(default_factory=set)  # those among them that nobody looks at: they run for who reads them
    outputs: dict = field(default_factory=dict)  # stream -> diagram
    subs: dict = field(default_factory=dict)  # source -> [diagram]
    end: str = ""


# --- diagrams --------------------------------------------------------------------------------------------------------


def symbols(diagram):
    """(column, symbol) of all that stands in a diagram; those of a group stand at the column of its bracket."""
    group = None
    for column, symbol in enumerate(diagram):
        if symbol in "- ":
            if symbol == " ":
                raise Mistake(f"a blank inside the diagram {diagram!r}")
        elif symbol == "(":
            group = column
        elif symbol == ")":
            group = None
        else:
            yield (column if group is None else group), symbol
    if group is not None:
        raise Mistake(f"a group that does not close: {diagram!r}")


def value_of(symbol, legend):
    if symbol in legend:
        return legend[symbol]
    if symbol.isdigit():
        return int(symbol)
    if symbol.isalpha():
        return symbol
    raise Mistake(f"no value is given for {symbol!r}")


def notifications(diagram, legend, tick):
    """[[at, "next", value] | [at, "error", text] | [at, "complete"]]"""
    out = []
    for column, symbol in symbols(diagram):
        at = column * tick
        if symbol == "|":
            out.append([at, "complete"])
        elif symbol == "#":
            out.append([at, "error", legend.get("#", DEFAULT_ERROR)])
        else:
            out.append([at, "next", value_of(symbol, legend)])
    return out


def span(diagram, tick):
    """[subscribed, unsubscribed or None]; None if there is no subscription at all."""
    found = {symbol: column * tick for column, symbol in symbols(diagram)}
    if set(found) - {"^", "!"}:
        raise Mistake(f"only ^ and ! stand in a subscription: {diagram!r}")
    return [found["^"], found.get("!")] if "^" in found else None


def instant(diagram, tick):
    found = [column for column, symbol in symbols(diagram) if symbol == "!"]
    if len(found) != 1:
        raise Mistake(f"`end` takes a diagram with one !: {diagram!r}")
    return found[0] * tick


def same(want, got):
    """Equality as JSON has it: 1 is 1.0 and not true; a Part asks only for its own keys."""
    if isinstance(want, Part):
        return isinstance(got, dict) and all(k in got and same(v, got[k]) for k, v in want.keys.items())
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(same(want[k], got[k]) for k in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(same, want, got))
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    return want == got


def shown(value):
    if isinstance(value, Part):
        return shown(value.keys)[:-1] + ", ...}"
    return json.dumps(value, ensure_ascii=False, default=shown)


def draw(rows, legend, tick):
    """A diagram of notifications, and a legend of the symbols that it had to make up."""
    spare = iter("αβγδεζηθικλμνξοπρστυφχψω" + "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ" + "?" * 10000)
    names, made, instants = [], [], {}
    for at, kind, *value in rows:
        if kind == "next":
            symbol = symbol_for(value[0], legend, names)
            if symbol is None:
                symbol = next(spare)
                names.append((symbol, value[0]))
                made.append(f"{symbol} = {shown(value[0])}")
        else:
            symbol = {"complete": "|", "error": "#"}[kind]
            if kind == "error" and value[0] is not ANY:
                made.append(f"# = {shown(value[0])}")
        instants.setdefault(at, []).append(symbol)
    text, off_grid = "", []
    for at, found in sorted(instants.items()):
        drawn = found[0] if len(found) == 1 else "(" + "".join(found) + ")"
        if at % tick or len(text) > at // tick:
            off_grid.append(f"{drawn} at {at} ms")
        else:
            text += "-" * (at // tick - len(text)) + drawn
    return text, made + off_grid


def symbol_for(value, legend, names):
    for name, known in [*legend.items(), *names]:
        if name != "#" and same(known, value):
            return name
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9 and str(value) not in legend:
        return str(value)
    if isinstance(value, str) and len(value) == 1 and value.isalpha() and value not in legend:
        return value
    return None


# --- files -----------------------------------------------------------------------------------------------------------

ENTRY = re.compile(r"(?P<key>case|in|cold|source|out|subs|pipe|pipeline|unseen|from|end|tick)(?: +(?P<name>[\w.-]+))?:(?P<rest>.*)")
LEGEND = re.compile(r"(?P<symbol>\S) = (?P<value>.+)")


def legend_value(text):
    text = text.strip()
    if text == "*":
        return ANY
    open_object = re.fullmatch(r"(\{.*?),? *\.\.\. *\}", text)
    try:
        return Part(json.loads(open_object[1] + "}")) if open_object else json.loads(text)
    except ValueError as error:
        raise Mistake(f"not JSON: {text} ({error})") from None


def blocks(lines):
    """(line number, text of an entry): an entry goes on over the lines that are indented deeper than it."""
    entry, start, depth = [], 0, 0
    for number, line in enumerate(lines, 1):
        if not line.strip() or re.match(r"\s*#(?! = )", line):
            continue
        indent = len(line) - len(line.lstrip())
        if entry and indent > depth and not entry[0].startswith("case:"):
            entry.append(line)
            continue
        if entry:
            yield start, entry
        entry, start, depth = [line], number, indent
        if LEGEND.fullmatch(line.strip()):
            yield number, entry
            entry = []
    if entry:
        yield start, entry


def body(entry):
    """The text under a key, whether it begins on the key's line or below it, without its indentation."""
    first = re.sub(r"^ *[a-z]+(?: [\w.-]+)?:", lambda found: " " * len(found[0]), entry[0])
    return textwrap.dedent("\n".join(row for row in (first, *entry[1:]) if row.strip()))


def add(case, found, entry):
    key, name, rest = found["key"], found["name"], found["rest"].strip()
    if key in ("in", "cold"):
        case.inputs[name] = ("hot" if key == "in" else "cold", rest)
    elif key == "source":
        case.sources[name] = rest
    elif key == "out":
        case.outputs[name or "out"] = rest
    elif key == "subs":
        case.subs.setdefault(name, []).append(rest)
    elif key == "end":
        case.end = rest
    elif key == "tick":
        case.tick = int(rest.removesuffix("ms"))
    elif key == "pipe":
        case.pipelines["out"] = body(entry)
    elif key in ("pipeline", "unseen"):
        case.pipelines[name] = body(entry)
        if key == "unseen":
            case.unseen.add(name)
    elif key == "from":
        case.start = rest


def read(path):
    """The cases of a file, in order."""
    cases, common = [], {}
    for number, entry in blocks(path.read_text(encoding="utf-8").splitlines()):
        text = entry[0].strip()
        try:
            legend = LEGEND.fullmatch(text)
            found = ENTRY.fullmatch(text)
            if legend:
                (cases[-1].legend if cases else common)[legend["symbol"]] = legend_value(legend["value"])
            elif not found:
                raise Mistake(f"cannot read {text!r}")
            elif found["key"] == "case":
                cases.append(Case(found["rest"].strip(), number, dict(common)))
            elif not cases:
                raise Mistake("this stands before the first case")
            else:
                add(cases[-1], found, entry)
        except Mistake as mistake:
            raise Mistake(f"{path.name}:{number}: {mistake}") from None
    return cases
