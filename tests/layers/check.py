#!/usr/bin/env python3
"""Holds the layer table of docs/architecture.md against the #include lines, and files and functions to their lengths.

    check.py [--self-test]      run in the project's root, or anywhere: it finds its own tree
"""
import pathlib
import re
import sys
import tempfile

FILE_LINES, FUNCTION_LINES = 500, 60
TEST_FILE_LINES, TEST_FUNCTION_LINES = 900, 80  # tables of cases, one after the other
DISPATCH = {"core/expr/run.c": "interpret"}  # one switch over the instructions: cut up, it would lose its registers

# What each layer may include of the project: folder -> patterns. A layer's own headers are handled in may_include.
LAYERS = {
    "core": [r"core/(?!io/)"],
    "core/io": [r"core/"],
    "operators": [r"core/(?!io/)"],
    "sources": [r"core/"],
    "sinks": [r"core/"],
    "pipelines": [r"core/(?!io/)", r"core/io/loop\.h$", r"pipelines/", r"(operators|sources|sinks)/[a-z]+\.def$"],
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
    if not any(re.match(allowed, target) for allowed in LAYERS[layer]):
        return f"{layer} must not use {folder}"
    return None


def may_include_foreign(path, header):
    layer = layer_of(path)
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


def check_lengths(path, lines):
    tests = path.startswith("tests/")
    file_lines, function_lines = (TEST_FILE_LINES, TEST_FUNCTION_LINES) if tests else (FILE_LINES, FUNCTION_LINES)
    if len(lines) > file_lines:
        yield f"{path}:{file_lines + 1}: {len(lines)} lines; at {file_lines} look for the second subject"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            exempt = path in DISPATCH and f" {DISPATCH[path]}(" in lines[start - 2]
            if number - start - 1 > function_lines and not exempt:
                yield f"{path}:{start - 1}: a function of {number - start - 1} lines (at most {function_lines})"
            start = None


def check(root):
    folders = [*LAYERS, "tests", "bench"]
    for file in sorted(f for folder in folders if folder != "core/io" for f in (root / folder).rglob("*.[ch]")):
        path = file.relative_to(root).as_posix()
        lines = file.read_text(encoding="utf-8").splitlines()
        if layer_of(path) in LAYERS:
            yield from check_includes(root, path, lines)
        yield from check_lengths(path, lines)


def self_test():
    """Each rule broken once in a scratch tree must be found, and nothing else."""
    good = {
        "core/value.h": "", "core/io/loop.h": "", "core/io/http.h": "", "daemon/log.h": "",
        "operators/operators.def": "RX_OPERATOR(map, map)\nRX_OPERATOR(take, take)\n",
        "operators/take.h": "", "operators/shared.h": "",
        "operators/map.c": '#include "core/value.h"\n#include "operators/shared.h"\n#include <math.h>\n',
        "operators/take.c": '#include "operators/take.h"\n',
        "sources/timer.c": '#include "core/io/http.h"\n',
        "core/io/http.c": '#include "core/io/http.h"\n#include <event2/http.h>\n',
        "pipelines/load.c": '#include "core/io/loop.h"\n#include "operators/operators.def"\n#include <yaml.h>\n',
        "daemon/main.c": '#include "core/io/http.h"\n#include <systemd/sd-daemon.h>\n#include <event2/event.h>\n',
        "core/short.c": "int f(void)\n{\n" + "    x();\n" * FUNCTION_LINES + "}\n",
    }
    bad = {
        "core/a.c": '#include "core/io/loop.h"\n', "core/b.c": "#include <event2/event.h>\n",
        "core/c.c": '#include "daemon/log.h"\n', "core/d.c": "#include <sys/socket.h>\n",
        "core/e.c": '#include "value.h"\n', "core/f.c": '#include "core/short.c"\n',
        "operators/g.c": '#include "core/io/loop.h"\n', "operators/h.c": '#include "operators/take.h"\n',
        "operators/i.c": '#include "operators/operators.def"\n', "sources/j.c": "#include <mosquitto.h>\n",
        "sinks/k.c": '#include "operators/shared.h"\n', "pipelines/l.c": '#include "core/io/http.h"\n',
        "pipelines/m.c": '#include "operators/take.h"\n', "core/io/n.c": "#include <yaml.h>\n",
        "core/io/o.c": '#include "daemon/log.h"\n', "pipelines/p.c": "#include <openssl/ssl.h>\n",
        "bench/q.c": "int f(void)\n{\n" + "    x();\n" * (FUNCTION_LINES + 1) + "}\n",
        "bench/r.c": "int x;\n" * (FILE_LINES + 1),
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
    findings = list(check(pathlib.Path(__file__).resolve().parents[2]))
    if findings:
        sys.exit("\n".join(findings))


if __name__ == "__main__":
    main()
