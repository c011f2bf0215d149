#!/usr/bin/env python3
"""operators/pictures.def: the marble picture that the catalogue shows of each operator, taken from its marble file.

  pictures.py            says where the list is not what the marble files give; exit status 1
  pictures.py --update   writes it

The picture of an operator is the first case of tests/marbles/NAME.marbles that uses it, without `subs` and what the page of the
marble language needs to explain; so each picture is a case that the tests run.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARBLES = ROOT / "tests" / "marbles"
LIST = ROOT / "operators" / "pictures.def"
LEGEND = re.compile(r"\s*(\S) = ")
HEAD = """\
/* The marble picture of each operator: tests/catalogue/pictures.py makes this of tests/marbles, and a test says when it has not.
 * RX_PICTURE(name, what it shows, its lines) */
"""


def cases(text):
    """(the lines before the first case, [(name, lines)])"""
    common, found = [], []
    for line in text.splitlines():
        if line.startswith("case:"):
            found.append((line[5:].strip(), []))
        elif line.strip() and not line.lstrip().startswith("# "):
            (found[-1][1] if found else common).append(line.rstrip())
    return common, found


def is_diagram(line):
    return re.match(r"\s*(in|cold|out)\b", line) is not None


def drawn(lines):
    """The characters that stand in its diagrams."""
    return set("".join(line.split(":", 1)[1] for line in lines if is_diagram(line)))


def picture(name, text):
    """(what it shows, its lines), or None."""
    common, found = cases(text)
    for title, lines in found:
        shown = [line for line in lines if not re.match(r"\s*subs\b", line)]
        steps = "\n".join(line for line in shown if not is_diagram(line))
        if re.search(rf"\b{name}\b", steps):
            own = {LEGEND.match(line)[1] for line in shown if LEGEND.match(line)}
            legend = [line for line in common if LEGEND.match(line) and LEGEND.match(line)[1] in drawn(shown) - own]
            return title, [*shown, *("  " + line.strip() for line in legend)]
    return None


def made():
    rows = [HEAD]
    for path in sorted(MARBLES.glob("*.marbles")):
        found = picture(path.stem, path.read_text(encoding="utf-8"))
        if found:
            title, lines = found
            text = "\n".join("           " + json.dumps(line + "\n", ensure_ascii=False) for line in lines)
            rows.append(f"RX_PICTURE({path.stem}, {json.dumps(title, ensure_ascii=False)},\n{text})\n")
    return "".join(rows)


def main():
    now = made()
    if "--update" in sys.argv[1:]:
        LIST.write_text(now, encoding="utf-8")
        return 0
    if LIST.read_text(encoding="utf-8") == now:
        return 0
    print(f"{LIST.relative_to(ROOT)} is not what the marble files give: tests/catalogue/pictures.py --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())
