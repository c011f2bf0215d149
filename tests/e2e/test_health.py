#!/usr/bin/env python3
"""Faults are not silent: each is told once in the log and once when it ends, and stands in /readyz and /metrics meanwhile."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest.mock
from pathlib import Path

import harness


def conditions(daemon):
    """Those that stand, by (kind, subject)."""
    return {(c["kind"], c["subject"]): c for c in json.loads(daemon.get("/readyz").text)["conditions"]}


class Conditions(harness.EndToEnd):
    def wait_condition(self, daemon, kind, subject, reason=""):
        """Stands, with its reason and since when, in /readyz and in /metrics."""
        def stands():
            found = conditions(daemon).get((kind, subject))
            return found if found and reason in found["reason"] else None
        found = harness.wait_for(f"{kind} of {subject}: {reason}", stands)
        self.assertRegex(found["since"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(daemon.metrics().sum("rxd_condition", kind=kind, subject=subject), 1)
        return found

    def wait_end(self, daemon, kind, subject, deadline=harness.DEADLINE):
        harness.wait_for(f"{kind} of {subject} ends", lambda: (kind, subject) not in conditions(daemon), deadline)
        self.assertEqual(daemon.metrics().sum("rxd_condition", kind=kind, subject=subject), 0)

    def logged(self, daemon, kind, word):
        """Lines of this condition that say `word`; the log is asked until there is one."""
        def lines():
            return [line for line in daemon.log_text().splitlines() if f"condition={kind}" in line and word in line]
        harness.wait_for(f"{kind} {word} in the log", lines)
        return len(lines())

    def test_all_well_says_so(self):
        daemon = self.daemon({"sources": {"in": {"http": {}}}, "pipelines": {"p": {"from": "in"}}})
        answer = daemon.get("/readyz")
        body = json.loads(answer.text)
        self.assertEqual((answer.status, body["ready"], body["conditions"]), (200, True, []))
        self.assertEqual(json.loads(daemon.get("/healthz").text), {"healthy": True, "stalled_workers": []})
        self.assertEqual(daemon.metrics().sum("rxd_ready"), 1)

    def test_a_broker_that_is_away(self):
        broker = self.broker(start=False)
        daemon = self.daemon({
            "workers": 2,
            "brokers": {"home": {"url": broker.url}},
            "sources": {"a": {"mqtt": {"broker": "home", "topic": "a"}}, "b": {"mqtt": {"broker": "home", "topic": "b"}},
                        "here": {"http": {}}},
            "pipelines": {"p": {"from": "a"}, "q": {"from": "b"}, "r": {"from": "q"}, "s": {"from": "here"}},
        }, ready=False)
        self.wait_condition(daemon, "broker_down", "home", "refused")
        for pipeline, source in ("p", "a"), ("q", "b"), ("r", "b"):
            self.assertEqual(self.wait_condition(daemon, "pipeline_waits", pipeline)["reason"], f"the source {source}")
        self.assertNotIn(("pipeline_waits", "s"), conditions(daemon))
        self.assertEqual(daemon.get("/readyz").status, 503)
        broker.start()
        daemon.wait_ready()
        self.wait_end(daemon, "broker_down", "home")
        for pipeline in "p", "q", "r":
            self.wait_end(daemon, "pipeline_waits", pipeline)
        self.assertEqual(self.logged(daemon, "broker_down", "reason="), 2, "once for each worker's connection")
        self.assertGreaterEqual(self.logged(daemon, "broker_down", "lasted="), 1)

    def test_a_wrong_password_and_a_refused_publish_in_words(self):
        broker = self.broker(start=False)
        acl, users = Path(self.folder) / "acl", Path(self.folder) / "users"
        acl.write_text("topic read #\n")
        users.write_text("")
        broker.config.write_text(broker.config.read_text() + f"acl_file {acl}\nuser root\n")
        broker.start()
        publishing = {
            "brokers": {"home": {"url": broker.url, "version": "5"}},
            "sources": {"in": {"http": {}}},
            "pipelines": {"p": {"from": "in", "to": ["stream", {"mqtt": {"broker": "home", "topic": "no/{n}", "qos": 1}}]}},
        }
        daemon = self.daemon(publishing)
        daemon.post("/sources/in", '{"n": 1}')
        self.wait_condition(daemon, "publish_refused", "home", "no/1")
        self.wait_condition(daemon, "sink_drops", "p")
        self.assertEqual(daemon.metrics().sum("rxd_sink_dropped_total", pipeline="p", reason="lost"), 1)
        broker.stop()
        broker.config.write_text(broker.config.read_text().replace("allow_anonymous true", f"password_file {users}"))
        broker.start()
        self.wait_condition(daemon, "broker_down", "home", "not authorized")

    def test_a_full_disk_and_room_again(self):
        path = Path(self.folder) / "out"
        path.symlink_to("/dev/full")
        daemon = self.daemon({
            "sources": {"in": {"http": {}}},
            "pipelines": {"p": {"from": "in", "to": ["stream", {"file": {"path": str(path), "max_buffer": "1KiB"}}]}},
        })
        daemon.post("/sources/in", '{"n": 1}')
        found = self.wait_condition(daemon, "sink_failing", "p", "No space left on device")
        self.assertEqual((found["part"], found["severity"], daemon.get("/readyz").status), ("file 2", "fault", 503))
        daemon.post("/sources/in", '{"n": 2}\n' * 300, "application/x-ndjson")
        self.assertGreater(self.wait_condition(daemon, "sink_drops", "p")["count"], 100)
        path.unlink()
        self.wait_end(daemon, "sink_failing", "p")
        harness.wait_for("what was held is in the new file", lambda: path.read_text().startswith('{"n":1}\n{"n":2}\n'))
        self.assertEqual(self.logged(daemon, "sink_failing", "reason="), 1)
        self.assertEqual(self.logged(daemon, "sink_failing", "lasted="), 1)

    def test_a_pipeline_in_a_restart_loop(self):
        daemon = self.daemon({
            "sources": {"in": {"http": {}}},
            "pipelines": {"p": {"from": "in", "pipe": [{"map": {"v": "n + 1"}, "on_error": "fail"}]}},
        })
        def post_bad():
            daemon.post("/sources/in", '{"n": "x"}')
            return conditions(daemon).get(("pipeline_failing", "p"), {}).get("count", 0) >= 2
        harness.wait_for("it fails again and again", post_bad)
        self.wait_condition(daemon, "pipeline_failing", "p", "n + 1")
        self.assertEqual(daemon.get("/readyz").status, 503)
        self.wait_end(daemon, "pipeline_failing", "p")
        self.assertEqual(daemon.get("/readyz").status, 200)
        self.assertEqual(self.logged(daemon, "pipeline_failing", "reason="), 1)
        self.assertEqual(self.logged(daemon, "pipeline_failing", "lasted="), 1)

    def test_many_bad_events_of_which_the_first_are_in_the_log(self):
        daemon = self.daemon({"sources": {"in": {"http": {}}}, "pipelines": {"p": {"from": "in", "pipe": [{"map": {"v": "n + 1"}}]}}})
        for i in range(3):
            daemon.post("/sources/in", f'{{"n": "x{i}"}}')
        harness.wait_for("a sample in the log", lambda: "bad event" in daemon.log_text())
        daemon.post("/sources/in", '{"n": "many"}\n' * 500, "application/x-ndjson")
        found = self.wait_condition(daemon, "bad_events", "p")
        self.assertEqual((found["severity"], found["count"], daemon.get("/readyz").status), ("warning", 503, 200))
        self.assertEqual(daemon.log_text().count("bad event:"), 3)
        self.assertIn('{\\"n\\":\\"x0\\"}', daemon.log_text())
        for _ in range(10):
            daemon.post("/sources/in", "{")
        self.wait_condition(daemon, "bad_events", "in")

    def test_a_reload_that_was_refused(self):
        good = {"sources": {"in": {"http": {}}}, "pipelines": {"p": {"from": "in"}}}
        daemon = self.daemon(good)
        daemon.config.write_text("pipelines: { p: { from: nowhere } }\n")
        daemon.signal(signal.SIGHUP)
        self.wait_condition(daemon, "reload_refused", "rxd", "nowhere")
        self.assertEqual(daemon.get("/readyz").status, 200)
        daemon.config.write_text(json.dumps(good))
        daemon.signal(signal.SIGHUP)
        self.wait_end(daemon, "reload_refused", "rxd")

    PLAIN = {"sources": {"in": {"http": {}}}, "pipelines": {"p": {"from": "in"}}}

    def limited_daemon(self, config, soft, hard):
        """A daemon that starts with these limits of descriptors."""
        daemon = harness.Daemon(self.folder, config)
        self.addCleanup(daemon.stop)
        popen = subprocess.Popen
        with unittest.mock.patch.object(subprocess, "Popen", lambda command, **options: popen(
                ["prlimit", f"--nofile={soft}:{hard}", *command], **options)):
            self.daemons.append(daemon)
            return daemon.start()

    def test_the_soft_limit_of_descriptors_is_raised_to_the_hard_one(self):
        self.assertEqual(self.limited_daemon(self.PLAIN, 100, 300).metrics().sum("process_max_fds"), 300)

    def test_descriptors_near_their_limit_and_free_again(self):
        daemon = self.limited_daemon(self.PLAIN, 300, 300)
        subprocess.run(["prlimit", "--nofile=100:300", "--pid", str(daemon.process.pid)], check=True)
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])

        def near():
            if len(clients) < 76:
                clients.append(socket.create_connection(("127.0.0.1", daemon.port)))
            return "condition=descriptors_low" in daemon.log_text()
        harness.wait_for("a warning before the limit", near)
        for client in clients:
            client.close()
        self.wait_end(daemon, "descriptors_low", "rxd")

    def test_a_503_comes_before_the_brokers_reconnect_starves(self):
        broker = self.broker()
        daemon = self.limited_daemon({
            "brokers": {"home": {"url": broker.url}},
            "sources": {"m": {"mqtt": {"broker": "home", "topic": "a"}}},
            "pipelines": {"p": {"from": "m"}},
        }, 150, 150)
        broker.stop()
        clients, answer = [], b""
        self.addCleanup(lambda: [client.close() for client in clients])
        self.wait_condition(daemon, "broker_down", "home")
        while b" 503 " not in answer:
            self.assertLess(len(clients), 150)
            clients.append(socket.create_connection(("127.0.0.1", daemon.port), harness.DEADLINE))
            clients[-1].sendall(b"GET /streams/p HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
            answer = clients[-1].recv(4096)
        broker.start()
        harness.wait_for("connected again", lambda: "connected to the broker" in daemon.log_text())
        for client in clients:
            client.close()
        daemon.wait_ready()
        self.client(broker).publish("a", b"1")


class Stalls(harness.EndToEnd):
    CONFIG = {
        "http": {"drain_deadline": "100ms"},
        "sources": {"in": {"http": {}}},
        "pipelines": {"slow": {"from": "in", "pipe": [{"filter": "lists.range(2000).all(x, lists.range(2000).all(y, x + y + n >= 0))"}]}},
    }

    def test_a_stalled_worker_is_unhealthy_within_the_watchdogs_period_and_named(self):
        watchdog = 4.0
        os.environ["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
        daemon = harness.Daemon(self.folder, self.CONFIG)
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.process.kill())
        daemon.start()
        client = socket.create_connection(("127.0.0.1", daemon.port))
        self.addCleanup(client.close)
        body = b'{"n": 1}\n' * 6000
        client.sendall(b"POST /sources/in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        harness.wait_for("unhealthy", lambda: daemon.get("/healthz").status == 503, watchdog)
        self.assertEqual(json.loads(daemon.get("/healthz").text), {"healthy": False, "stalled_workers": [0]})
        found = conditions(daemon)[("worker_stalled", "0")]
        self.assertIn('POST to the source "in"', found["reason"])
        self.assertEqual(daemon.metrics().sum("rxd_condition", kind="worker_stalled"), 1)
        self.assertIn("condition=worker_stalled", daemon.log_text())

    def test_a_front_that_stood_still_says_so_and_blames_no_worker(self):
        os.environ["WATCHDOG_USEC"] = "2000000"
        self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
        daemon = self.daemon(self.CONFIG)
        daemon.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        harness.wait_for("the time is over", lambda: time.monotonic() - stopped > 2)
        daemon.signal(signal.SIGCONT)
        harness.wait_for("it says so", lambda: "the front stood still" in daemon.log_text())
        self.assertNotIn("worker_stalled", daemon.log_text())

    def test_a_worker_that_is_busy_but_moves_is_healthy(self):
        os.environ["WATCHDOG_USEC"] = "4000000"
        self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
        daemon = self.daemon(self.CONFIG)
        begin = time.monotonic()
        while time.monotonic() - begin < 6:
            daemon.post("/sources/in", '{"n": 1}\n' * 2, "application/x-ndjson")
            self.assertEqual(daemon.get("/healthz").status, 200)


if __name__ == "__main__":
    harness.main()
