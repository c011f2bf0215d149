#!/usr/bin/env python3
"""`rxd schema` is a JSON Schema, takes every config that rxd takes, and sees what a schema can see.

    schema.py --rxd PATH        SEEN lists the broken configs that an editor with the schema marks
"""

import argparse
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

import jsonschema
import yaml

import core_yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FENCE = re.compile(r"^```yaml *\n(.*?)^```", re.M | re.S)
arguments = None


def rxd(*words):
    return subprocess.run([arguments.rxd, *map(str, words)], capture_output=True, text=True, timeout=60)


def load(text):
    """What YAML makes of a text; None: it is none, or no single document of plain values."""
    try:
        return core_yaml.load(text)
    except yaml.YAMLError:
        return None


def pages():
    """Every config shown whole in README and docs."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, text in enumerate(FENCE.findall(page.read_text())):
            if re.search(r"^pipelines:", text, re.M):
                yield f"{page.name} {number}", text


def mistakes():
    """(title, config, whether rxd takes it) of tests/unit/config_mistakes.txt."""
    for block in (ROOT / "tests/unit/config_mistakes.txt").read_text().split("=== ")[1:]:
        title, rest = block.split("\n", 1)
        config, said = rest.split(">>>\n", 1)
        yield title, config, all(": note: " in line or ": warning: " in line for line in said.splitlines() if re.match(r"rxd\.yaml", line))


def example_of(name):
    """The example of a class, as the catalogue shows it, by what it is."""
    for entry in re.split(r"^(?=(?:operator|pipeline|source|sink) )", rxd("operators", name).stdout, flags=re.M)[1:]:
        kind, example = entry.split(" ", 1)[0], entry.split("\nExample\n", 1)[-1].split("\n\n")[0].strip() if "\nExample\n" in entry else name
        yield kind, example


def config_around(kind, example):
    if kind == "operator":
        return f"pipelines: {{p: {{from: s, pipe: [{example}]}}}}"
    if kind == "pipeline":
        return f"pipelines: {{p: {{{example}}}}}"
    if kind == "source":
        return f"sources: {{s: {{{example}}}}}"
    return f"pipelines: {{p: {{from: s, to: [{example}]}}}}"


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(rxd("schema").stdout)
        cls.validator = jsonschema.Draft202012Validator(cls.schema)

    def says(self, text):
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in self.validator.iter_errors(load(text))]

    def takes(self, what, text):
        with self.subTest(what):
            self.assertEqual(self.says(text), [])

    def test_it_is_a_schema_and_refers_to_nothing_else(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)
        for name in re.findall(r'"\$ref": "([^"]+)"', json.dumps(self.schema)):
            self.assertTrue(name.removeprefix("#/$defs/") in self.schema["$defs"], name)

    def test_it_takes_what_is_shipped_and_shown(self):
        for path in [*sorted((ROOT / "pipelines/examples").glob("*.yaml")), ROOT / "packaging/rxd.yaml"]:
            self.takes(path.name, path.read_text())
        for what, text in pages():
            self.takes(what, text)

    def test_it_takes_the_example_of_every_kind(self):
        names = re.findall(r"^  (\S+) ", rxd("operators").stdout, re.M)
        self.assertGreater(len(names), 60)
        for name in names:
            for kind, example in example_of(name):
                self.takes(f"{kind} {name}", config_around(kind, example))

    def test_it_takes_what_rxd_takes_and_sees_many_mistakes(self):
        seen = unseen = 0
        for title, text, right in mistakes():
            if load(text) is None:
                continue
            if right:
                self.takes(title, text)
            elif self.says(text):
                seen += 1
            else:
                unseen += 1
        self.assertGreaterEqual(seen, 30, f"{seen} seen, {unseen} not")

    def test_it_marks_the_broken_configs_that_it_can(self):
        listed = (HERE / "seen_by_schema.txt").read_text().split()
        for path in sorted((HERE / "broken").glob("*.yaml")):
            tree = load(path.read_text())
            seen = tree is None or bool(self.says(path.read_text()))
            with self.subTest(path.name):
                self.assertEqual(seen, path.stem in listed, "as tests/config/seen_by_schema.txt has it")

    def test_every_option_says_what_it_is(self):
        def walk(node, where):
            if isinstance(node, dict):
                for name, schema in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
                    if where.startswith("$defs/step") or where.startswith("properties/http"):
                        self.assertIn("description", schema, f"{where}/{name}")
                for key, value in node.items():
                    walk(value, f"{where}/{key}" if where else key)
            elif isinstance(node, list):
                for value in node:
                    walk(value, where)
        walk(self.schema, "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rxd", default=str(ROOT / "build/bin/rxd"))
    arguments, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
