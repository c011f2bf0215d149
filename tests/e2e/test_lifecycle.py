#!/usr/bin/env python3
"""Start, drain and stop; bad configs; and what a replay promises."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import harness

CONFIG = {
    "sources": {"in": {"http": {}}},
    "pipelines": {"out": {"from": "in", "pipe": [{"window": "1h"}, {"aggregate": {"n": "count()"}}]},
                  "all": {"from": "in", "pipe": [{"filter": "n > 0"}]}},
}


class Stopping(harness.EndToEnd):
    def test_sigterm_delivers_what_was_accepted_and_ends_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                daemon = self.daemon(CONFIG, name=number.name)
                everything = self.subscribe(daemon, "ndjson", "all")
                body = "".join(f'{{"n": {i}}}\n' for i in range(1, 5001))
                self.assertEqual(daemon.post("/sources/in", body, "application/x-ndjson").status, 202)
                daemon.signal(number)
                everything.wait("the stream ends", lambda _: everything.ended)
                self.assertEqual(len(everything.events), 5000)
                self.assertEqual(daemon.process.wait(harness.DEADLINE), 0)

    def test_a_subscriber_that_does_not_read_does_not_hold_the_stop_up(self):
        daemon = self.daemon(CONFIG)
        deaf = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(deaf.close)
        deaf.sendall(b"GET /streams/all HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        body = "".join(f'{{"n": {i}, "pad": "{"x" * 200}"}}\n' for i in range(1, 3001))
        for _ in range(10):
            daemon.post("/sources/in", body, "application/x-ndjson")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(40), 0)

    def test_what_a_sink_could_not_deliver_is_told_at_the_end(self):
        daemon = self.daemon({**CONFIG, "http": {"drain_deadline": "100ms"}, "pipelines": {
            "kept": {"from": "in", "to": ["stream", {"file": "/dev/full"}]}}})
        daemon.post("/sources/in", '{"n": 1}\n' * 7, "application/x-ndjson")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(harness.DEADLINE), 0)
        self.assertIn('delivered everything" pipeline=kept sink=file events=7', daemon.log_text())

    # About a minute of work in one callback: each event's condition runs into its budget.
    STUCK = {
        "http": {"drain_deadline": "500ms"},
        "sources": {"in": {"http": {}}},
        "pipelines": {"slow": {"from": "in", "pipe": [{"filter": "lists.range(2000).all(x, lists.range(2000).all(y, x + y + n >= 0))"}]}},
    }

    def stuck_daemon(self, name="rxd", **settings):
        """A daemon whose worker is in the middle of a long callback."""
        daemon = harness.Daemon(self.folder, {**self.STUCK, "http": {**self.STUCK["http"], **settings}}, name=name)
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.process.kill())
        daemon.start()
        client = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(client.close)
        body = b'{"n": 1}\n' * 6000
        client.sendall(b"POST /sources/in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        harness.wait_for("the worker is stuck", lambda: daemon.get("/readyz").status == 503)
        return daemon

    def test_a_stuck_worker_is_left_behind_at_the_drain_deadline(self):
        daemon = self.stuck_daemon()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(harness.DEADLINE), 1)
        self.assertIn("a worker did not stop", daemon.log_text())

    def test_a_second_signal_ends_at_once(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            daemon = self.stuck_daemon(name=first.name, drain_deadline="1h")
            daemon.signal(first)
            harness.wait_for("it drains", lambda: "draining" in daemon.log_text())
            daemon.signal(second)
            self.assertEqual(daemon.process.wait(harness.DEADLINE), 1)
            self.assertIn("a second signal", daemon.log_text())

    def test_it_listens_soon(self):
        daemon = self.daemon(CONFIG)
        self.assertEqual(daemon.get("/healthz").status, 200)


class CommandLine(harness.EndToEnd):
    def test_a_wrong_one_ends_with_64(self):
        for arguments in (("chekc",), ("run", "--wrong"), ("run", "-c"), ("check", "--wrong"), ("run", "--listen", "x"), ("eval",)):
            with self.subTest(arguments):
                done = harness.run_rxd(*arguments)
                self.assertEqual(done.returncode, 64)
                self.assertIn("rxd --help", done.stderr.decode())

    def test_the_help_names_every_option(self):
        sources = "".join(path.read_text() for path in sorted((harness.ROOT / "daemon").glob("*.c")))
        options = set(re.findall(r'strcmp\(argv\[[^]]*\], "(--?[a-z-]*)"\)', sources))
        self.assertGreater(len(options), 8)
        told = harness.run_rxd("--help").stdout.decode()
        for command in re.findall(r"^  ([a-z]+) ", told, re.M):
            done = harness.run_rxd(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            told += done.stdout.decode()
        for option in sorted(options):
            self.assertRegex(told, rf"(?m)(^|[\s\[]){option}([\s,\]]|$)")


class BadConfigs(harness.EndToEnd):
    CASES = {  # name: (text, what the message must say)
        "unknown operator": ("pipelines:\n  a:\n    from: b\n    pipe:\n      - fliter: x > 1\n", ["a.yaml:5:9", "fliter", "filter"]),
        "unknown source": ("pipelines:\n  a: { from: nowhere }\n", ["a.yaml:2:14", "nowhere"]),
        "bad expression": (
            "sources: { s: { http: {} } }\npipelines:\n  a: { from: s, pipe: [ { filter: x >> 1 } ] }\n",
            ["a.yaml:3:", "^"],
        ),
        "bad yaml": ("pipelines: [\n", ["a.yaml:"]),
        "unknown key": ("sources: { s: { http: { wrong: 1 } } }\npipelines: { a: { from: s } }\n", ["a.yaml:1:25", "wrong"]),
        "bad duration": (
            "sources: { s: { http: {} } }\npipelines:\n  a: { from: s, pipe: [ { delay: 5 parsecs } ] }\n",
            ["a.yaml:3:34", "parsecs"],
        ),
        "what a step made, compared with what it cannot be": (
            "sources: { s: { http: {} } }\npipelines:\n  a: { from: s, pipe: [ { window: 5s }, "
            "{ aggregate: { n: count() } }, { take: 9 }, { filter: 'n == \"x\"' } ] }\n",
            ["a.yaml:3:", "a number and a string"],
        ),
        "an empty file": ("# nothing yet\n", ["a.yaml", "the config is empty"]),
        "two at once": (
            "sources: { s: { http: {} } }\npipelines:\n  a: { from: s, pipe: [ { tkae: 1 } ] }\n  b: { from: q }\n",
            ["a.yaml:3:", "a.yaml:4:", "take"],
        ),
    }

    def test_each_ends_with_78_and_says_where_and_what(self):
        for command in ("check", "run"):
            for name, (text, says) in self.CASES.items():
                with self.subTest(f"{command}: {name}"):
                    path = Path(self.folder) / "a.yaml"
                    path.write_text(text)
                    done = harness.run_rxd(command, "-c", path, *(["--listen", "127.0.0.1:0"] if command == "run" else []))
                    told = done.stderr.decode()
                    self.assertEqual(done.returncode, 78, told)
                    for part in says:
                        self.assertIn(part, told)

    ADDRESSES = {
        "x": '"x" is not an address to listen on, such as 127.0.0.1:8088',
        "127.0.0.1:http": "is not an address to listen on",
        "0.0.0.0:8088": "anyone on that network",
    }

    def test_an_address_that_cannot_or_should_not_be_listened_on(self):
        path = Path(self.folder) / "a.yaml"
        for address, says in self.ADDRESSES.items():
            path.write_text(f"http: {{ listen: '{address}' }}\nsources: {{ s: {{ http: {{}} }} }}\npipelines: {{ a: {{ from: s }} }}\n")
            for command in ("check", "run"):
                done = harness.run_rxd(command, "-c", path)
                told = done.stderr.decode()
                self.assertEqual(done.returncode, 78, told)
                self.assertIn("a.yaml:1:17", told)
                self.assertIn(says, told)

    def test_want_of_memory_is_1_and_told(self):
        path = Path(self.folder) / "a.yaml"
        pipelines = {f"p{i}": {"from": "in", "pipe": [{"map": {"a": "n + 1"}}]} for i in range(8000)}
        path.write_text(json.dumps({**CONFIG, "pipelines": pipelines}))
        within = ["prlimit", "--as=30000000", harness.rxd_path()]
        if subprocess.run([*within, "--version"], capture_output=True).returncode:
            self.skipTest("a sanitizer takes more than that for itself")
        done = subprocess.run([*within, "check", "-c", path], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.splitlines()[-1]), (1, "rxd: out of memory"))

    def test_a_good_one_is_0(self):
        path = Path(self.folder) / "a.yaml"
        path.write_text(json.dumps(CONFIG))
        self.assertEqual(harness.run_rxd("check", "-c", path).returncode, 0)

    def test_a_missing_file_is_told(self):
        done = harness.run_rxd("check", "-c", "/nonexistent/x.yaml")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nonexistent/x.yaml", done.stderr.decode())


KEYED = {
    "sources": {"in": {"http": {}}},
    "pipelines": {
        "avg": {
            "from": "in",
            "pipe": [
                {"filter": "t > 0"},
                {"group_by": "k"},
                {"window": {"size": "100ms", "every": "50ms"}},
                {"aggregate": {"n": "count()", "avg": "avg(t)", "min": "min(t)", "max": "max(t)", "f": "first(t)"}},
            ],
        },
        "pairs": {"from": "avg", "pipe": [{"group_by": "k"}, "pairwise", {"map": "event[1].n - event[0].n"}]},
        "lists": {"from": "in", "pipe": [{"group_by": "k"}, {"buffer": 7}, "merge", {"map": "size(event)"}]},
        "plain": {"from": "in", "pipe": [{"set": {"u": "t + 1"}}, {"filter": "u % 2 == 0"}]},
    },
}


class Replays(harness.EndToEnd):
    def events(self):
        rows = [{"at": i // 7, "source": "in", "next": {"k": f"k{i * 7 % 11}", "t": i % 23}} for i in range(3000)]
        rows += [{"at": 500, "source": "in", "next": {"k": f"k{i % 13}", "t": i % 29}} for i in range(1000)]
        return "".join(json.dumps(row) + "\n" for row in [*rows, {"at": 900, "source": "in", "complete": True}]).encode()

    def test_the_same_bytes_again_unfused_and_in_any_span(self):
        path = Path(self.folder) / "keyed.yaml"
        path.write_text(json.dumps(KEYED))
        outputs = {}
        for flags in ((), ("--no-fusion",), ("--span", "1"), ("--span", "256"), ("--no-fusion", "--span", "1"), ()):
            done = harness.run_rxd("replay", "-c", path, *flags, stdin=self.events())
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            first = outputs.setdefault("first", done.stdout)
            self.assertEqual(first == done.stdout, True, f"{flags} gave other bytes")
        streams = {json.loads(line)["stream"] for line in outputs["first"].splitlines()}
        self.assertLessEqual({"avg", "pairs", "lists", "plain"}, streams)

    def test_every_shipped_example_gives_its_expected_output_twice(self):
        folder = harness.ROOT / "pipelines" / "examples"
        ran = 0
        for config in sorted(folder.rglob("*.yaml")):
            events, want = config.with_suffix(".input.ndjson"), config.with_suffix(".expected.ndjson")
            if not events.exists():
                continue
            for flags in ((), (), ("--no-fusion",), ("--span", "1"), ("--span", "256"), ("--restart", "1")):
                with self.subTest(config.name, flags=flags):
                    done = harness.run_rxd("replay", "-c", config, *flags, stdin=events.read_bytes())
                    self.assertEqual(done.returncode, 0, done.stderr.decode())
                    self.assertEqual(done.stdout.decode(), want.read_text())
            ran += 1
        self.assertGreaterEqual(ran, 10, "examples with an input")


if __name__ == "__main__":
    harness.main()
