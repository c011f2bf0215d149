#!/usr/bin/env python3
"""Holds the table of rooms of docs/architecture.md against the #include lines, and lists what is long.

    check.py [--self-test]      run in the project's root, or anywhere: it finds its own tree
"""
import pathlib
import re
import sys
import tempfile

FILE_LINES, FUNCTION_LINES = 500, 60
TEST_FILE_LINES, TEST_FUNCTION_LINES = 900, 80  # tables of cases, one after the other
FOLDERS = ["core", "operators", "sources", "sinks", "pipelines", "web", "daemon", "tests", "bench"]

# The rooms of core from the ground up: each may include those before it, and itself.
CORE = ["base", "value", "json", "expr", "option", "aggregate", "graph", "feed"]
IO = r"core/io/"
PURE = r"core/(?!io/)"

# What each room may include of the project: folder -> patterns. A room's own headers are handled in may_include.
LAYERS = {
    **{f"core/{room}": [rf"core/({'|'.join(CORE[: i + 1])})/"] for i, room in enumerate(CORE)},
    "core/io/loop": [PURE, r"core/io/loop/"],
    "core/io/net": [PURE, r"core/io/(loop|net)/"],
    "core/io/gzip": [PURE, r"core/io/gzip/"],
    **{f"core/io/{hand}": [PURE, r"core/io/(loop|net|gzip)/", rf"core/io/{hand}/"] for hand in ("http", "mqtt", "client", "store")},
    "core/io": [r"core/"],  # site.h: all hands that a source or a sink reaches
    "core/io/serve": [PURE, r"core/io/(loop|net|http|serve)/"],
    "operators": [PURE],
    "sources": [r"core/"],
    "sinks": [r"core/"],
    "pipelines/config": [PURE, r"pipelines/config/"],
    "pipelines/plan": [PURE, r"core/io/loop/loop\.h$", r"pipelines/(config|plan)/",
                       r"(operators|sources|sinks)/[a-z]+\.def$"],
    "pipelines/run": [PURE, r"core/io/loop/loop\.h$", r"pipelines/(config|plan|run)/"],
    "web": [r"web/"],
    "daemon": [r""],
}

# Third-party and network headers -> the layers that may include them, besides the daemon. Anything else is the C
# library or pure computing (xxhash, pcre2) and open to all.
FOREIGN = [
    (r"(event2/|event\.h|evhttp|evdns)", {"core/io"}),
    (r"mosquitto", {"core/io"}),
    (r"wslay/", {"core/io"}),
    (r"openssl/", {"core/io"}),
    (r"curl/", {"core/io"}),
    (r"sqlite3", {"core/io"}),
    (r"zlib\.h", {"core/io"}),
    (r"(sys/socket|sys/un|sys/epoll|netdb|poll|netinet/.*|arpa/.*)\.h", {"core/io"}),
    (r"systemd/", set()),
    (r"yaml\.h", {"pipelines"}),
    (r"jansson\.h", {"core/io", "core", "pipelines"}),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    """The room that a file is in: the longest folder of its path that the table knows, else its top folder."""
    parts = path.split("/")[:-1]
    while len(parts) > 1 and "/".join(parts) not in LAYERS:
        parts.pop()
    return "/".join(parts)


def foreign_layer_of(path):
    parts = path.split("/")
    return "core/io" if parts[:2] == ["core", "io"] else parts[0]


def operators_of(root, folder):
    """The files that hold a class, by the folder's .def list."""
    listed = root / folder / f"{folder}.def"
    return set(re.findall(r"^RX_[A-Z]+\(\w+, *(\w+)\)", listed.read_text(), re.M)) if listed.exists() else set()


def may_include(root, path, target):
    """Why `path` must not include the project's file `target`; None if it may."""
    layer = layer_of(path)
    folder, _, name = target.rpartition("/")
    if not (root / target).exists():
        return "no such file; includes are written from the project's root"
    if target.endswith(".c"):
        return "a .c file is compiled, not included"
    if layer in ("operators", "sources", "sinks") and folder == layer:
        stem, own = name.rpartition(".")[0], pathlib.PurePath(path).stem
        if name.endswith(".def"):
            return "only the registry expands a .def list"
        if stem != own and stem in operators_of(root, layer):
            return f"{layer} do not include each other"
        return None
    if layer not in LAYERS:
        return f"{layer} is no room of the table"
    if not any(re.match(allowed, target) for allowed in LAYERS[layer]):
        return f"{layer} must not use {folder}"
    return None


def may_include_foreign(path, header):
    layer = foreign_layer_of(path)
    for pattern, layers in FOREIGN:
        if re.match(pattern, header) and layer != "daemon" and layer not in layers:
            return f"<{header}> belongs to {' and '.join(sorted(layers | {'daemon'}))}"
    return None


def check_includes(root, path, lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            bracket, target = match.groups()
            why = may_include_foreign(path, target) if bracket == "<" else may_include(root, path, target)
            if why:
                yield f'{path}:{number}: #include {target}: {why}'


def long_places(path, lines):
    """Where to look for a second subject. A list to read, no finding: one subject is not cut to please a number."""
    tests = path.startswith("tests/")
    file_lines, function_lines = (TEST_FILE_LINES, TEST_FUNCTION_LINES) if tests else (FILE_LINES, FUNCTION_LINES)
    if len(lines) > file_lines:
        yield f"{path}: {len(lines)} lines"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            if number - start - 1 > function_lines:
                yield f"{path}:{start - 1}: a function of {number - start - 1} lines"
            start = None


def sources(root):
    for file in sorted(f for folder in FOLDERS for f in (root / folder).rglob("*.[ch]")):
        yield file.relative_to(root).as_posix(), file.read_text(encoding="utf-8").splitlines()


def check(root):
    for path, lines in sources(root):
        if not path.startswith(("tests/", "bench/")):
            yield from check_includes(root, path, lines)


def self_test():
    """Each rule broken once in a scratch tree must be found, and nothing else."""
    good = {
        "core/base/error.h": "", "core/value/value.h": "", "core/graph/operator.h": "", "core/feed/source.h": "",
        "core/io/loop/loop.h": "", "core/io/http/http.h": "", "daemon/log.h": "", "pipelines/config/tree.h": "",
        "pipelines/plan/plan.h": "", "pipelines/run/replay.h": "",
        "operators/operators.def": "RX_OPERATOR(map, map)\nRX_OPERATOR(take, take)\n",
        "operators/take.h": "", "operators/shared.h": "",
        "core/value/a.c": '#include "core/base/error.h"\n#include "core/value/value.h"\n',
        "operators/map.c": '#include "core/value/value.h"\n#include "operators/shared.h"\n#include <math.h>\n',
        "operators/take.c": '#include "operators/take.h"\n',
        "sources/timer.c": '#include "core/io/http/http.h"\n',
        "core/io/http/http.c": '#include "core/io/loop/loop.h"\n#include <event2/http.h>\n',
        "core/io/serve/a.c": '#include "core/io/http/http.h"\n',
        "pipelines/plan/load.c": '#include "core/io/loop/loop.h"\n#include "operators/operators.def"\n#include <yaml.h>\n',
        "pipelines/run/a.c": '#include "pipelines/plan/plan.h"\n',
        "daemon/main.c": '#include "core/io/http/http.h"\n#include <systemd/sd-daemon.h>\n#include <event2/event.h>\n',
    }
    bad = {
        "core/base/a.c": '#include "core/value/value.h"\n', "core/value/b.c": '#include "core/graph/operator.h"\n',
        "core/graph/c.c": '#include "core/feed/source.h"\n', "core/feed/d.c": '#include "core/io/loop/loop.h"\n',
        "core/io/loop/e.c": '#include "core/io/http/http.h"\n', "core/io/mqtt/f.c": '#include "core/io/http/http.h"\n',
        "core/attic/g.c": '#include "core/base/error.h"\n',
        "core/base/b.c": "#include <event2/event.h>\n", "core/base/c.c": '#include "daemon/log.h"\n',
        "core/base/d.c": "#include <sys/socket.h>\n", "core/value/e.c": '#include "value.h"\n',
        "core/value/f.c": '#include "core/value/a.c"\n',
        "operators/g.c": '#include "core/io/loop/loop.h"\n', "operators/h.c": '#include "operators/take.h"\n',
        "operators/i.c": '#include "operators/operators.def"\n', "sources/j.c": "#include <mosquitto.h>\n",
        "sinks/k.c": '#include "operators/shared.h"\n', "pipelines/plan/l.c": '#include "core/io/http/http.h"\n',
        "pipelines/plan/m.c": '#include "pipelines/run/replay.h"\n',
        "pipelines/config/n.c": '#include "pipelines/plan/plan.h"\n',
        "core/io/http/n.c": "#include <yaml.h>\n", "core/io/loop/o.c": '#include "daemon/log.h"\n',
        "pipelines/run/p.c": "#include <openssl/ssl.h>\n",
    }
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {**good, **bad}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        found = [finding.partition(":")[0] for finding in check(root)]
    wrong = sorted(set(found) ^ set(bad)) + sorted(path for path in bad if found.count(path) > 1)
    if wrong:
        sys.exit(f"the layer check errs on: {', '.join(wrong)}")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(__file__).resolve().parents[2]
    for path, lines in sources(root):
        for place in long_places(path, lines):
            print(f"long: {place}")
    findings = list(check(root))
    if findings:
        sys.exit("\n".join(findings))


if __name__ == "__main__":
    main()
