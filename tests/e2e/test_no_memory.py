#!/usr/bin/env python3
"""The n-th allocation fails: a command ends with 1, a request is refused; never a signal, never exit status 78.

A sample of n; RXD_E2E_FULL=1 takes every one.
"""

import concurrent.futures
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import harness

CONFIG = """
http: { listen: 127.0.0.1:0, drain_deadline: 300ms }
brokers: { h: { url: "mqtt://127.0.0.1:1" } }
sources:
  a: { http: {} }
  t: { timer: 20ms }
  m: { mqtt: { broker: h, topic: "sensors/{d}/{m}", qos: 1 } }
  s: { simulate: { rate: 500, devices: 20 } }
  w: { websocket: { url: "ws://127.0.0.1:1/x", headers: { A: b }, send: [ hello ] } }
  f: { file: { path: absent.ndjson, follow: true } }
  i: { mqtt: { url: "mqtt://127.0.0.1:1", topic: "in/{rest...}", share: team } }
  hp: { http_poll: { url: "http://127.0.0.1:1/", every: 50ms, headers: { A: b } } }
  e: { sse: { url: "http://127.0.0.1:1/", headers: { A: b } } }
pipelines:
  p1: { from: s, pipe: [ { group_by: device }, { window: 200ms }, { aggregate: { a: avg(value), n: count() } } ] }
  p2:
    from: m
    pipe: [ { filter: 'm == "temperature"' }, { group_by: d }, { buffer: 5 }, { map: { x: value.size() } } ]
    to: [ stream, { file: /dev/null }, { mqtt: { broker: h, topic: "o/{x}", qos: 1 } } ]
  p3: { from: a, pipe: [ { debounce: 50ms }, { scan: { expr: acc + v, seed: 0 } } ] }
  p5:
    from: [ w, f, i, t ]
    to:
      - websocket: { url: "ws://127.0.0.1:1/y", max_queue: 3, payload: "{value}" }
      - mqtt: { url: "mqtt://127.0.0.1:1", topic: o, birth: { topic: b }, will: { topic: w } }
  p4: { from: t, pipe: [ { combine_latest: a }, { delay: 30ms }, { distinct_until_changed: value } ] }
  p7: { join: { x: s, y: t }, by: { k: { x: int(value), y: value } }, within: 100ms, kind: full }
  p8: { from: [ hp, e, t ], to: { http: { post: "http://127.0.0.1:1/{value}", headers: { A: "{value}" }, batch: 5 } } }
  p9: { from: t, pipe: [ { http: { post: "http://127.0.0.1:1/{value}", headers: { A: b }, batch: 3, retry: 1 } } ] }
  p10: { from: a, pipe: [ { http: { get: "http://127.0.0.1:1/{v}", into: r, cache: 1m, redirects: 2, breaker: 3 } } ] }
  p11: { from: s, pipe: [ { parallel: { by: device, lanes: 2 } }, { set: { f: value * 2 } }, { group_by: device }, { window: 100ms }, { aggregate: { m: max(f) } } ] }
  p6: { from: s, pipe: [ { zip: { with: t, by: { k: { main: int(value), t: value } } } } ] }
"""
TESTED = """
sources: { a: { http: {} } }
pipelines:
  p: { from: a, pipe: [ { http: { get: "http://x/{v}", into: r } }, { filter: v > 1 } ] }
  q: { from: a, pipe: [ { group_by: v }, { window: 1h }, { aggregate: { n: count() } } ] }
"""
TESTS = """
config: c.yaml
mock: { http: { answers: [ { body: 1, when: url == "x" }, { body: 2 } ] } }
tests:
  - name: t
    input: { a: "-a-b[restart]|" }
    values: { a: { v: 1 }, b: { v: 2 } }
    expect: { p: "", q: [ { n: { $near: 1 }, x: { $where: event > 1 } } ] }
"""
SAMPLES, STARTS = 100, 40


def preload():
    library = os.environ.get("RXD_FAILMALLOC")
    if not library or not os.access(library, os.R_OK):
        raise unittest.SkipTest("no failmalloc")
    return library


class NoMemory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.config = Path(folder.name) / "c.yaml"
        self.config.write_text(CONFIG)

    def run_with(self, command, seconds=None, **settings):
        """Exit status and output; after `seconds` it is asked to end."""
        environment = dict(os.environ, LD_PRELOAD=preload(), **{name: str(value) for name, value in settings.items()})
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        try:
            output, _ = process.communicate(timeout=seconds or harness.DEADLINE)
        except subprocess.TimeoutExpired:
            self.assertIsNotNone(seconds, f"{command} with {settings} hangs")
            process.send_signal(signal.SIGTERM)
            try:
                output, _ = process.communicate(timeout=harness.DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{settings}: does not end:\n{process.communicate()[0].decode()[-2000:]}")
        return process.returncode, output.decode(errors="replace")

    def sample(self, command, samples, seconds=None):
        status, output = self.run_with(command, seconds, FAIL_COUNT=1)
        self.assertEqual(status, 0, output)
        total = int(re.search(r"allocations: (\d+)", output).group(1))
        step = 1 if harness.FULL else max(1, total // samples)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda n: (n, *self.run_with(command, seconds, FAIL_AT=n)), range(1, total + 1, step)))
        wrong = [outcome for outcome in outcomes if outcome[1] not in (0, 1)]
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(outcomes)}")
        self.assertIn(1, {status for _, status, _ in outcomes})

    def test_check(self):
        self.sample([harness.rxd_path(), "check", "-c", str(self.config)], SAMPLES)

    def try_test(self, n, **settings):
        """One run of `rxd test --update` in a folder of its own: status, output, and whether its file still reads as one."""
        folder = self.config.parent / f"test{n}"
        folder.mkdir()
        (folder / "c.yaml").write_text(TESTED)
        (folder / "t.yaml").write_text(TESTS)
        outcome = self.run_with([harness.rxd_path(), "test", "--update", "--coverage", "--junit", str(folder / "j.xml"), str(folder / "t.yaml")], **settings)
        left = sorted(path.name for path in folder.iterdir() if path.name not in ("c.yaml", "t.yaml", "j.xml"))
        return n, *outcome, left, harness.run_rxd("test", folder / "t.yaml").returncode in (0, 1)

    def test_tests_of_users(self):
        _, status, output, left, reads = self.try_test(0, FAIL_COUNT=1)
        self.assertEqual((status, left, reads), (0, [], True), output)
        total = int(re.search(r"allocations: (\d+)", output).group(1))
        step = 1 if harness.FULL else max(1, total // SAMPLES)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda n: self.try_test(n, FAIL_AT=n), range(1, total + 1, step)))
        wrong = [o for o in outcomes if o[1] not in (0, 1) or o[3] or not o[4]]
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(outcomes)}")
        self.assertIn(1, {o[1] for o in outcomes})

    def test_start_and_stop(self):
        self.sample([harness.rxd_path(), "run", "-c", str(self.config)], STARTS, seconds=0.5)

    def test_traffic_and_reloads(self):
        folder = self.config.parent
        daemon = harness.Daemon(folder, CONFIG)
        os.environ.update(LD_PRELOAD=preload(), FAIL_AFTER="20000", FAIL_ONE_IN="3000")
        try:
            daemon.start(ready=False)
        finally:
            for name in ("LD_PRELOAD", "FAIL_AFTER", "FAIL_ONE_IN"):
                del os.environ[name]
        self.addCleanup(harness.finish, daemon.process)
        end, rounds = time.monotonic() + 6, 0
        while time.monotonic() < end and daemon.process.poll() is None:
            rounds += 1
            for ask in (lambda: daemon.post("/sources/a", '{"v": %d}' % rounds), lambda: daemon.get("/metrics"),
                        lambda: daemon.get("/streams/p1?last=5"), lambda: daemon.get("/readyz")):
                try:
                    self.assertIn(ask().status, (200, 202, 204, 400, 429, 500, 503))
                except (OSError, harness.http.client.HTTPException):
                    pass  # a connection that was let go for want of memory
            if rounds % 5 == 0:
                daemon.process.send_signal(signal.SIGHUP)
        self.assertIn(daemon.process.poll(), (None, 1), daemon.log_text()[-2000:])
        self.assertGreater(rounds, 20)
        self.assertIn(harness.finish(daemon.process), (0, 1), daemon.log_text()[-2000:])


if __name__ == "__main__":
    unittest.main()
