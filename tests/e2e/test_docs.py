#!/usr/bin/env python3
"""What README and docs show is true: configs pass `rxd check`, console sessions print what stands there.

  ```yaml      with a `pipelines:` section is checked; ```yaml excerpt is not
  ```console   each line `$ COMMAND` runs in a scratch folder with rxd in the path; what follows it must be its output
               (`...` stands for anything). ```console excerpt does not run
  A block whose first line is `# file: NAME` (yaml, json, sh) or that is fenced as ```ndjson file=NAME is written there first
"""

import os
import re
import subprocess
import unittest
from pathlib import Path

import harness

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.M | re.S)

TUTORIAL = harness.ROOT / "docs" / "testing.md"


def pages():
    return [harness.ROOT / "README.md", *sorted((harness.ROOT / "docs").rglob("*.md"))]


def blocks(page):
    for found in FENCE.finditer(page.read_text()):
        yield page.read_text()[: found.start()].count("\n") + 1, found[1], found[2].split(), found[3]


def sessions(text):
    """(command, expected output) pairs."""
    out = []
    for line in text.splitlines():
        if line.startswith("$ "):
            out.append([line[2:], []])
        elif out and line.startswith("> "):
            out[-1][0] += "\n" + line[2:]
        elif out:
            out[-1][1].append(line)
    return [(command, "\n".join(lines).strip()) for command, lines in out]


def matches(want, got):
    pattern = ".*".join(re.escape(part) for part in want.split("..."))
    return re.fullmatch(pattern, got.strip(), re.S) is not None


class Documents(harness.EndToEnd):
    def write_file(self, info, text):
        named = re.match(r"# file: (\S+)\n", text)
        name = named[1] if named else next((i[5:] for i in info if i.startswith("file=")), None)
        if name:
            path = Path(self.folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def write_files(self, page):
        for _, _, info, text in blocks(page):
            self.write_file(info, text)

    def run_sessions(self, text):
        path = f"{Path(harness.rxd_path()).parent}:{os.environ['PATH']}"
        for command, want in sessions(text):
            done = subprocess.run(["bash", "-c", command], cwd=self.folder, env={**os.environ, "PATH": path}, timeout=60 * harness.SLOWNESS,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertTrue(matches(want, done.stdout), f"$ {command}\nshould print:\n{want}\nprinted:\n{done.stdout}")

    def test_console_sessions_print_what_stands_there(self):
        for page in pages():
            if page == TUTORIAL:
                continue
            self.write_files(page)
            for line, kind, info, text in blocks(page):
                self.write_file(info, text)  # a page may change it on the way
                if kind == "console" and "excerpt" not in info:
                    with self.subTest(f"{page.name}:{line}"):
                        self.run_sessions(text)

    def test_the_tutorial_is_followed_to_the_letter(self):
        """Nothing is there but what the page has said so far."""
        ran = 0
        for line, kind, info, text in blocks(TUTORIAL):
            self.write_file(info, text)
            if kind == "console":
                self.assertEqual(info, [], f"{TUTORIAL.name}:{line}")
                self.run_sessions(text)
                ran += 1
        self.assertGreaterEqual(ran, 9)

    def test_configs_are_good(self):
        for page in pages():
            self.write_files(page)  # what a config reads may stand beside it
            for line, kind, info, text in blocks(page):
                if kind == "yaml" and "excerpt" not in info and re.search(r"^pipelines:", text, re.M):
                    with self.subTest(f"{page.name}:{line}"):
                        path = Path(self.folder) / "block.yaml"
                        path.write_text(text)
                        done = harness.run_rxd("check", "-c", path)
                        self.assertEqual(done.returncode, 0, done.stderr.decode())


class Matching(unittest.TestCase):
    def test_dots_stand_for_anything(self):
        self.assertTrue(matches('{"a": ...}\nend', '{"a": 1}\nend\n'))
        self.assertFalse(matches("a", "b"))

    def test_a_session_is_split_at_its_prompts(self):
        self.assertEqual(sessions("$ a\n1\n2\n$ b\n> c\n"), [("a", "1\n2"), ("b\nc", "")])


if __name__ == "__main__":
    harness.main()
