"""rxd test: what users' test files say, and what they are told."""

import unittest

import harness

CONFIG = """
sources:
  sensors: { http: {} }
  other: { http: {} }
pipelines:
  averages:
    from: sensors
    pipe:
      - group_by: device
      - window: 5s
      - aggregate: { avg: avg(value), n: count() }
  doubled:
    from: sensors
    pipe: [ { map: value * 2 } ]
  quiet:
    from: sensors
    pipe: [ { silence: 30s } ]
  merged:
    from: [other, sensors]
  asked:
    from: sensors
    pipe:
      - http: { get: "http://127.0.0.1:1/assets/{device}", into: asset, retry: 2 }
        id: asset
  found:
    from: sensors
    pipe:
      - lookup: { file: nowhere.csv, key: device, into: room }
        id: room
      - map: room
  counted:
    from: sensors
    pipe: [ { scan: { expr: acc + 1, seed: 0 } } ]
"""


MOCKED = "config: rxd.yaml\nmock: {room: {}}\ntests:\n"


class UserTests(harness.UserTestFiles):
    config = CONFIG

    def run_test(self, text, *flags):
        done = harness.run_rxd("test", self.write(MOCKED + text), *flags)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def passes(self, text, *flags):
        status, out, err = self.run_test(text, *flags)
        self.assertEqual((status, err), (0, ""), out + err)
        return out

    def fails(self, text, *says):
        status, out, err = self.run_test(text)
        self.assertEqual((status, err), (1, ""), out + err)
        for words in says:
            self.assertIn(words, out)

    def refused(self, text, *says):
        status, out, err = self.run_test(text)
        self.assertEqual(status, 78, out + err)
        for words in says:
            self.assertIn(words, err)

    def test_lines_in_and_values_out(self):
        out = self.passes("""
  - name: averages of five seconds
    input:
      - {at: 0, source: sensors, next: {device: a, value: 20}}
      - {at: 2s, source: sensors, next: {device: a, value: 22}}
      - '{"at": 6000, "source": "sensors", "complete": true}'
    expect:
      averages: [{device: a, avg: 21, n: 2, window: {start: {$any: true}, end: {$any: true}}}]
  - name: only what is named
    match: subset
    input:
      - {at: 0, source: sensors, next: {device: a, value: 20}}
      - {at: 6s, source: sensors, complete: true}
    expect:
      averages: [{avg: 20}]
""")
        self.assertIn("2 tests, 2 passed, 0 failed", out)

    def test_diagrams_in_and_out(self):
        self.passes("""
  - name: doubled
    input: {sensors: "-1-2-(3|)"}
    values: {a: 2, b: 4, c: 6}
    expect: {doubled: "-a-b-(c|)"}
  - name: an error of the source
    input: {sensors: "-1-#"}
    values: {"#": gone}
    expect: {doubled: "-2-#"}
  - name: a day
    input: {sensors: "1 24h 2|"}
    expect: {doubled: "2 24h 4|"}
  - name: stopped
    input: {sensors: "-1-2-3-4-|"}
    end: "-----!"
    expect: {counted: "-1-2-3"}
  - name: at one instant as they are declared
    input: {sensors: "-(1|)", other: "-(2|)"}
    expect: {merged: "-(12|)"}
""")

    def test_a_difference_is_shown_and_marked(self):
        self.fails("""
  - name: wrong
    input: {sensors: "-1-2-3|"}
    expect: {doubled: "-2-4-7|"}
""", "FAIL wrong\n", "test.yaml:5:11\n",
                   "     doubled\n"
                   "       expected  -2-4-7|\n"
                   "       came      -2-4-6|\n"
                   "                      ^\n"
                   "       at 50ms: expected 7, came 6\n", "1 test, 0 passed, 1 failed")

    def test_an_error_that_is_not_expected_fails(self):
        self.fails("""
  - name: error
    input: {sensors: "-1-#"}
    expect: {doubled: [2]}
""", "2: expected nothing, came the error \"error\"")

    def test_a_source_that_is_away_and_a_restart(self):
        self.passes("""
  - name: silence stands still while the source is away
    tick: 1s
    input: {sensors: "1[restart] [disconnect] 60s [connect] 40s |"}
    values: {x: {value: 1, silent: true}}
    expect: {quiet: "--- 90s x----------|"}
  - name: a count goes on
    input: {sensors: "-1-[restart]-2|"}
    expect: {counted: "-1---2|"}
  - name: restarts all the time
    restart: 1
    input: {sensors: "-1-2-3|"}
    expect: {counted: "-1-2-3|"}
""")

    def test_mistakes_are_shown_where_they_are(self):
        for text, says in (
                ("  - {name: a, input: {sensors: \"-(1\"}, expect: {doubled: []}}\n", ("test.yaml:4:34: this group is not closed",)),
                ("  - {name: a, input: {sensors: \"-+\"}, expect: {doubled: []}}\n", ("test.yaml:4:34: `+` stands for nothing",)),
                ("  - {name: a, input: [{at: 0, source: nope, next: 1}], expect: {doubled: []}}\n", ("test.yaml:4:23:", "must be one of the config's sources")),
                ("  - {name: a, input: {sensors: \"1\"}, expect: {doubledd: []}}\n", ("test.yaml:4:47: there is no stream \"doubledd\"", "did you mean \"doubled\"?")),
                ("  - {name: a, inputs: {sensors: \"1\"}, expect: {doubled: []}}\n", ("test.yaml:4:15: there is no key \"inputs\" in a test", "did you mean \"input\"?")),
                ("  - {name: a, expect: {doubled: [{$nearr: 1}]}}\n", ("test.yaml:4:35: there is no pattern \"$nearr\"",)),
                ("  - {name: a, expect: {doubled: [{$where: \"v >\"}]}}\n", ("test.yaml:4:",)),
                ("  - {name: a}\n", ("a test has an `expect`",)),
        ):
            with self.subTest(text):
                self.refused(text, *says)

    def test_every_key_says_what_it_takes(self):
        for test, says in (
                ("tick: soon, expect: {}", "`tick` is what a character of a diagram is worth"),
                ("tick: 0s, expect: {}", "`tick` is what a character of a diagram is worth"),
                ("match: some, expect: {}", "`match` is `exact` or `subset`"),
                ("end: '--', expect: {}", "`end` is when the clock is stopped"),
                ("restart: 0, expect: {}", "`restart: N` restarts after every N-th"),
                ("values: [1], expect: {}", "`values` is a mapping"),
                ("values: {ab: 1}, expect: {}", "one character that a diagram can have"),
                ("values: {'-': 1}, expect: {}", "one character that a diagram can have"),
                ("input: [{source: sensors, next: 1}], expect: {}", "`at` is a duration"),
                ("input: [{at: never, source: sensors}], expect: {}", "`at` is a duration"),
                ("input: [[1]], expect: {}", "an input line is {at: 10, source: NAME, next: VALUE}"),
                ("input: ['{at'], expect: {}", "this is no line of a replay"),
                ("input: ['{\"at\": 1.5, \"source\": \"nope\", \"next\": 1}'], expect: {}", "must be one of the config's sources"),
                ("input: {sensors: '-!'}, expect: {}", "`!` ends no input"),
                ("input: {sensors: '[explode]'}, expect: {}", "nothing happens by that name"),
                ("input: {sensors: [1]}, expect: {}", "a source is given a diagram"),
                ("expect: {doubled: '-!'}", "this does not come out of a stream"),
                ("expect: {doubled: '-(a'}", "this group is not closed"),
                ("expect: {doubled: '+'}", "`+` stands for nothing"),
                ("expect: {doubled: {a: 1}}", "of a stream a list of values is expected, or a diagram"),
                ("expect: {doubled: [{$error: a, b: 1}]}", "stand alone"),
                ("expect: {doubled: [{$near: x}]}", "`$near` takes a number"),
                ("expect: {doubled: [{$near: 1, about: 1}]}", "`$near` stands alone, or with `within`"),
                ("expect: {doubled: [{$any: true, a: 1}]}", "`$any` stands alone in its object"),
                ("expect: {doubled: [{$where: [1]}]}", "`$where` takes a condition"),
                ("expect: {doubled: [{$matches: [1]}]}", "`$matches` takes a regular expression"),
                ("expect: {doubled: [{$matches: '('}]}", "test.yaml:4:"),
                ("mock: {asset: {body: 1, after: soon}}, expect: {}", "this takes a duration"),
                ("mock: {asset: {body: 1, times: 0}}, expect: {}", "`times` is a number from 1 on"),
                ("mock: {asset: {body: 1, when: [1]}}, expect: {}", "`when` is a condition"),
                ("mock: {asset: {body: 1, error: x}}, expect: {}", "`error` is a text, in place of a `body`"),
        ):
            with self.subTest(test):
                self.refused("  - {name: a, " + test + "}\n", says)
        self.refused("  - 1\n", "a test is a mapping")
        self.refused("  - {expect: {}}\n", "a test has a `name`")
        for text, says in (("[1]\n", "a test file is a mapping"), ("config: rxd.yaml\ntests: 1\n", "a test file has a list `tests`"),
                           ("config: {a: b}\ntests: [{name: a, expect: {}}]\n", "`config` is the path of a config, or a list of paths")):
            with self.subTest(text):
                done = harness.run_rxd("test", self.write(text))
                self.assertEqual(done.returncode, 78)
                self.assertIn(says, done.stderr.decode())

    def test_errors_are_expected_by_text_or_not(self):
        self.passes("""
  - {name: any, input: {sensors: "-#"}, expect: {doubled: "-#"}}
  - {name: text, input: {sensors: "-#"}, values: {"#": gone}, expect: {doubled: [{$error: gone}]}}
  - {name: pattern, input: {sensors: "-#"}, values: {"#": gone}, expect: {doubled: [{$error: {$matches: "^g"}}]}}
  - {name: end, input: {sensors: "1|"}, expect: {doubled: [2, {$complete: true}]}}
""")
        self.fails("""
  - {name: text, input: {sensors: "-#"}, values: {"#": gone}, expect: {doubled: [{$error: lost}]}}
""", 'expected the error "lost", came the error "gone"')

    def test_none_of_the_answers_fits(self):
        self.fails("""
  - name: none
    input: {sensors: "-a|"}
    values: {a: {device: p1}}
    mock: {asset: {answers: [{when: "false", body: 1}]}}
    expect: {asked: [1]}
""", "none of the test's answers to the step asked/asset fits GET http://127.0.0.1:1/assets/p1")

    def test_a_test_s_values_come_before_the_file_s(self):
        done = harness.run_rxd("test", self.write("config: rxd.yaml\nmock: {room: {}}\nvalues: {a: 1, b: 2}\ntests:\n"
                                                  "  - {name: a, values: {a: 5}, input: {sensors: 'ab|'}, expect: {doubled: [10, 4]}}\n"))
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_bad_files(self):
        done = harness.run_rxd("test", self.write("tests: [{name: a, expect: {}}]\n"))
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"a test file names its `config`", done.stderr)
        done = harness.run_rxd("test", self.write("config: nowhere.yaml\ntests: [{name: a, expect: {}}]\n"))
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"nowhere.yaml", done.stderr)
        done = harness.run_rxd("test", self.here / "none.yaml")
        self.assertEqual(done.returncode, 78)
        for arguments in ((), ("--bad", "x.yaml"), ("x.yaml", "--junit"), ["x.yaml"] * 257):
            self.assertEqual(harness.run_rxd("test", *arguments).returncode, 64)

    def test_answers_in_place_of_servers(self):
        self.passes("""
  - name: the body for every event
    input: {sensors: "-a|"}
    values: {a: {device: p1}, x: {device: p1, asset: {name: Pump}}}
    mock: {asset: {name: Pump}}
    expect: {asked: "-x|"}
  - name: an answer that takes its time, by the operator's name
    input: {sensors: "-a|"}
    values: {a: {device: p1}, x: {device: p1, asset: [1]}}
    mock: {http: {body: [1], after: 50ms}}
    expect: {asked: "------(x|)"}
  - name: retried as long as that lasts, over restarts
    restart: 1
    input: {sensors: "-a|"}
    values: {a: {device: p1}, x: {device: p1, asset: 7}}
    mock: {asked/asset: {answers: [{status: 503, times: 2}, {body: 7}]}}
    expect: {asked: "- 750ms (x|)"}
  - name: by what is asked
    input: {sensors: "-a-b|"}
    values: {a: {device: p1}, b: {device: p2}, x: {device: p1, asset: one}}
    mock: {asset: {answers: [{when: 'url.endsWith("/p1")', body: one}, {status: 404}]}}
    expect:
      asked: "-x--|"
      asked.errors: [{$subset: {event: {device: p2}}}]
  - name: no connection
    match: subset
    input: {sensors: "-a|"}
    values: {a: {device: p1}}
    mock: {asset: {error: it is not there}}
    expect: {asked.errors: [{message: {$matches: it is not there}}]}
""")
        self.fails("""
  - {name: none, input: {sensors: "-a|"}, values: {a: {device: p1}}, expect: {asked: [1]}}
""", "1 event went to asked.errors: asset: the test gives no answers to the step asked/asset (mock: {asset: ...}): {\"device\":\"p1\"}\n")
        self.fails("""
  - {name: several, input: {sensors: "-a-b|"}, expect: {averages: [1]}}
""", "2 events went to averages.errors, the first: 1.group_by: the field device is absent: \"a\"\n")
        self.refused("""
  - {name: none, mock: {doubled: 1}, expect: {asked: []}}
""", 'no step "doubled" asks a server or looks up in a file')
        self.refused("""
  - {name: none, mock: {asset: {answers: [{when: "url >", body: 1}]}}, expect: {asked: []}}
""", "test.yaml:5:56")

    def test_rows_in_place_of_files(self):
        self.passes("""
  - name: one row for every key
    input: {sensors: "-a|"}
    values: {a: {device: p1}, x: {name: Hall}}
    mock: {room: {name: Hall}}
    expect: {found: "-x|"}
  - name: a table
    input: {sensors: "-ab|"}
    values: {a: {device: p1}, b: {device: p2}, x: {device: p1, name: Hall}}
    mock: {room: [{device: p1, name: Hall}]}
    expect: {found: "-x-|"}
  - name: rows by key
    input: {sensors: "-ab|"}
    values: {a: {device: p1}, b: {device: p2}, x: {name: Hall}}
    mock: {room: {rows: {p1: {name: Hall}}}}
    expect: {found: "-x-|"}
  - name: nothing is found
    input: {sensors: "-a|"}
    values: {a: {device: p1}}
    mock: {room: {missing: true}}
    expect: {found: "--|"}
""")

    def test_json_files(self):
        path = self.write('{"config": "rxd.yaml", "mock": {"room": {}}, "tests": [{"name": "j", "input": {"sensors": "-1|"}, "expect": {"doubled": "-2|"}}]}', "t.json")
        self.assertEqual(harness.run_rxd("test", path).returncode, 0)

    def test_every_example_is_tested_whole(self):
        examples = harness.ROOT / "pipelines" / "examples"
        for config in sorted(examples.glob("*.yaml")):
            with self.subTest(config.name):
                done = harness.run_rxd("test", "--coverage", examples / "tests" / config.name)
                self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
                self.assertRegex(done.stdout.decode(), r"coverage: (\d+) of \1 steps and branches")

    def test_filter(self):
        tests = """
  - {name: one, input: {sensors: "-1|"}, expect: {doubled: "-2|"}}
  - {name: two, input: {sensors: "-1|"}, expect: {doubled: "-3|"}}
"""
        self.assertIn("1 test, 1 passed", self.passes(tests, "--filter", "on"))
        self.assertEqual(self.run_test(tests, "--filter", "none")[0], 1)


if __name__ == "__main__":
    harness.main()
