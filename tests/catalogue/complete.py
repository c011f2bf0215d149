#!/usr/bin/env python3
"""The catalogue is whole: every operator of rxd has marbles, a picture, documentation, and cases of RxJS beside it.

  complete.py --rxd PATH     says what which operator lacks; exit status 1 if anything
  complete.py --self-test    that it notices each thing that may be lacking, and each exception that is not needed

What each operator, and each stream that is written where it is read, must have:

  marbles         tests/marbles/NAME.marbles, with cases of completion, of an error of its source, and of a run that ends in mid-stream
  a picture       in operators/pictures.def
  documentation   a summary, an example, a help text for each option, and its section in docs/reference.md
  oracle cases    LEAST recorded ones (tests/oracle); where RxJS has no such operator its marbles are a table made by hand, and the
                  file says by what it was made: a line `# source: ...`
"""

import argparse
import collections
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST = 10

# In tests/oracle/run.py too: what RxJS has no word for.
sys.path[:0] = [str(ROOT / "tests" / "oracle"), str(ROOT / "tests" / "marbles")]

# They have no source whose error could reach them.
WITHOUT_A_SOURCE = {"of", "range", "defer", "timer", "interval", "empty", "never", "throw"}
# They are over at the instant at which they begin.
OVER_AT_ONCE = {"of", "range", "defer", "empty", "throw"}


class Catalogue:
    """What rxd, the tests and the docs have, each by the operator's name."""

    def __init__(self, names, pages, marbles, pictures, documented, oracle):
        self.names, self.pages, self.marbles, self.pictures, self.documented, self.oracle = names, pages, marbles, pictures, documented, oracle


def lacks_in_marbles(name, text):
    if not re.search(r"^\s*out\b.*\|", text, re.M):
        yield "marbles of completion"
    if name not in WITHOUT_A_SOURCE and not re.search(r"^\s*(in|cold)\b.*#", text, re.M):
        yield "marbles of an error of its source"
    if name not in OVER_AT_ONCE and not re.search(r"^\s*end:", text, re.M):
        yield "marbles of a run that ends in mid-stream"


def lacks_in_page(page):
    head, *rest = page.splitlines() or [""]
    if not head.strip(" ."):
        yield "a summary"
    if "```yaml" not in page:
        yield "an example"
    for row in rest:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)]
        if len(cells) > 2 and not cells[0] and not cells[-2]:
            yield f"a help text for the option {cells[1]}"


def lacks_in_oracle(name, catalogue, beyond):
    if name not in beyond:
        if catalogue.oracle.get(name, 0) < LEAST:
            yield f"oracle cases: it has {catalogue.oracle.get(name, 0)}, at least {LEAST} are asked for"
    elif not re.search(r"^# source: \S", catalogue.marbles.get(name, ""), re.M):
        yield "the source of its hand-made table: a line `# source: ...` in its marbles"


def lacks(name, catalogue, beyond):
    if name in catalogue.marbles:
        yield from lacks_in_marbles(name, catalogue.marbles[name])
    else:
        yield f"marbles: tests/marbles/{name}.marbles"
    if name not in catalogue.pictures:
        yield "a picture in operators/pictures.def: tests/catalogue/pictures.py --update"
    yield from lacks_in_page(catalogue.pages.get(name, ""))
    if name not in catalogue.documented:
        yield "its section in docs/reference.md: rxd operators --markdown"
    yield from lacks_in_oracle(name, catalogue, beyond)


def unneeded(catalogue, beyond):
    """Exceptions that are none: of operators that there are not, or that have what they are excused from."""
    for title, names in ("without a source", WITHOUT_A_SOURCE), ("over at once", OVER_AT_ONCE), ("beyond RxJS", beyond):
        yield from (f"{name}: listed as {title}, and there is no such operator" for name in sorted(names - set(catalogue.names)))
    yield from (f"{name}: listed as beyond RxJS, and has oracle cases" for name in sorted(beyond) if catalogue.oracle.get(name, 0) > 0)


def check(catalogue, beyond):
    found = [f"{name} lacks {what}" for name in catalogue.names for what in lacks(name, catalogue, beyond)]
    return found + list(unneeded(catalogue, beyond))


# --- what there is ---------------------------------------------------------------------------------------------------


def sections(markdown):
    """Of steps and streams, by name: the text of each section."""
    found = {}
    for part in re.split(r"^### ", markdown, flags=re.M)[1:]:
        head, _, rest = part.partition("\n")
        named = re.fullmatch(r"(operator|stream): `(\w+)`", head)
        if named:
            found[named[2]] = re.split(r"^## ", rest, flags=re.M)[0].strip()
    return found


def read(rxd):
    import run  # noqa: PLC0415

    written = subprocess.run([rxd, "operators", "--markdown"], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    pictures = (ROOT / "operators" / "pictures.def").read_text(encoding="utf-8")
    marbles = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "marbles").glob("*.marbles")}
    oracle = collections.Counter(name for case in run.recorded() for name in run.operators_of(case))
    pages = sections(written)
    catalogue = Catalogue(list(pages), pages, marbles, set(re.findall(r"^RX_PICTURE\((\w+),", pictures, re.M)), set(sections(page)), oracle)
    return catalogue, set(run.BEYOND), written == page


# --- the control -----------------------------------------------------------------------------------------------------

GOOD_MARBLES = "# x\n# source: by hand\ncase: a\n  in a: -1-#\n  out:  -1-|\n  end:  --!\n"
GOOD_PAGE = "does it.\n\n| option | type | default | does |\n|---|---|---|---|\n| n | integer | - | how many |\n\n```yaml excerpt\nx: 1\n```"


def whole():
    names = ["x", *sorted(WITHOUT_A_SOURCE)]
    return Catalogue(names, dict.fromkeys(names, GOOD_PAGE), dict.fromkeys(names, GOOD_MARBLES), set(names), set(names), dict.fromkeys(names, LEAST))


def broken():
    """(what is said, catalogue, beyond): one thing amiss in each."""
    def of(what, change, beyond=()):
        catalogue = whole()
        change(catalogue)
        return what, catalogue, set(beyond)

    yield of("x lacks marbles: ", lambda c: c.marbles.pop("x"))
    yield of("x lacks marbles of completion", lambda c: c.marbles.update(x=GOOD_MARBLES.replace("|", "-")))
    yield of("x lacks marbles of an error", lambda c: c.marbles.update(x=GOOD_MARBLES.replace("-#", "-")))
    yield of("x lacks marbles of a run that ends", lambda c: c.marbles.update(x=GOOD_MARBLES.replace("end:", "# end:")))
    yield of("x lacks a picture", lambda c: c.pictures.discard("x"))
    yield of("x lacks a summary", lambda c: c.pages.update(x=GOOD_PAGE.replace("does it", "")))
    yield of("x lacks an example", lambda c: c.pages.update(x=GOOD_PAGE.replace("```yaml", "```text")))
    yield of("x lacks a help text for the option n", lambda c: c.pages.update(x=GOOD_PAGE.replace("| how many ", "| ")))
    yield of("x lacks its section", lambda c: c.documented.discard("x"))
    yield of("x lacks oracle cases", lambda c: c.oracle.update(x=LEAST - 1))
    yield of("x lacks the source", lambda c: (c.oracle.pop("x"), c.marbles.update(x=GOOD_MARBLES.replace("# source: by hand\n", ""))), ["x"])
    yield of("x: listed as beyond RxJS, and has", lambda c: None, ["x"])
    yield of("y: listed as beyond RxJS, and there is no", lambda c: None, ["y"])
    yield of("of: listed as without a source, and there is no", lambda c: c.names.remove("of"))


def self_test():
    wrong = [f"a whole catalogue is found to lack something: {found}" for found in check(whole(), set())]
    for what, catalogue, beyond in broken():
        found = check(catalogue, beyond)
        if not any(line.startswith(what) for line in found):
            wrong.append(f"not noticed: {what} (said: {found})")
        elif len({line.split(" ")[0] for line in found}) > 1:
            wrong.append(f"more than one is blamed for: {what} (said: {found})")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rxd", default=str(ROOT / "build" / "bin" / "rxd"))
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        found = self_test()
    else:
        catalogue, beyond, current = read(args.rxd)
        found = check(catalogue, beyond)
        if not current:
            found.append("docs/reference.md is not what the tables give: rxd operators --markdown > docs/reference.md")
        if len(catalogue.names) < 90:
            found.append(f"only {len(catalogue.names)} operators were found: the page cannot be read")
        print(f"{len(catalogue.names)} operators, {len(beyond)} of them beyond RxJS")
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
