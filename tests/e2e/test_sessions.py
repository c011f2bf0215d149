#!/usr/bin/env python3
"""Sessions that a broker keeps: what was sent while rxd was away, or when it died, is not lost; and what brokers refuse."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
import unittest

import harness


class Sender(threading.Thread):
    """Publishes numbers at QoS 1 until it is told to stop; `sent` are those that the broker has."""

    def __init__(self, client, topics):
        super().__init__(daemon=True)
        self.client, self.topics, self.sent, self.over = client, topics, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            for _ in range(20):
                self.client.publish(self.topics[self.sent % len(self.topics)], str(self.sent), qos=1)
                self.sent += 1
            self.client.settle()
            self.over.wait(0.01)

    def finish(self):
        self.over.set()
        self.join(harness.DEADLINE)
        return self.sent


class RefusingBroker:
    """Speaks just enough of version 5 to refuse a filter: mosquitto's access list grants every subscription."""

    def __init__(self, refused):
        self.refused, self.listener, self.peer = refused, socket.create_server(("127.0.0.1", 0)), None
        self.url = f"mqtt://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.peer, _ = self.listener.accept()
                with contextlib.suppress(OSError), self.peer, self.peer.makefile("rb") as stream:
                    while head := stream.read(2):
                        self.answer(head[0], stream.read(head[1]))

    def answer(self, kind, body):
        if kind == 0x10:
            self.peer.sendall(b"\x20\x03\0\0\0")
        elif kind == 0x82:
            refused = self.refused and self.refused.encode() in body
            self.peer.sendall(b"\x90\x04" + body[:2] + (b"\0\x87" if refused else b"\0\x01"))
        elif kind == 0xC0:
            self.peer.sendall(b"\xd0\0")

    def drop(self):
        self.peer.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        with contextlib.suppress(OSError):
            self.drop()


class Sessions(harness.EndToEnd):
    def config(self, broker, version="3.1.1", order="ab", **options):
        sources = {name: {"mqtt": {"broker": "home", "topic": f"t/{name}", "qos": 1}} for name in order}
        return {
            "brokers": {"home": {"url": broker.url, "version": version, "client_id": "kept", "clean_start": False, **options}},
            "sources": sources,
            "pipelines": {
                f"p{name}": {"from": name, "to": [{"file": {"path": f"{self.folder}/{name}.out"}}]} for name in order
            },
        }

    def lines(self, *names):
        found = []
        for name in names:
            try:
                with open(f"{self.folder}/{name}.out") as f:
                    # The last line may be cut by kill -9; its message is then sent again.
                    found += [json.loads(line) for line in f if line.endswith("\n") and line.strip()]
            except FileNotFoundError:
                pass
        values = [line["value"] if isinstance(line, dict) else line for line in found]
        return [value for value in values if isinstance(value, int)]  # not the probes

    def check_none_lost(self, version, kill):
        broker = self.broker()
        config = self.config(broker, version)
        daemon = self.daemon(config)
        harness.wait_for("both subscriptions", lambda: self.subscribed(broker, daemon))
        sender = Sender(self.client(broker), ["t/a", "t/b"])
        sender.start()
        rounds = 10 if harness.FULL else 3
        for _ in range(rounds):
            before = len(self.lines("a"))
            harness.wait_for("traffic", lambda: len(self.lines("a")) > before + 50)
            daemon.signal(kill)
            daemon.process.wait(harness.DEADLINE)
            sent = sender.sent
            harness.wait_for("more was sent meanwhile", lambda: sender.sent > sent + 100)
            daemon.start()
        sent = sender.finish()
        try:
            harness.wait_for("all of them", lambda: set(self.lines("a", "b")) >= set(range(sent)))
        except AssertionError:
            missing = sorted(set(range(sent)) - set(self.lines("a", "b")))
            self.fail(f"{len(missing)} of {sent} are missing: {missing[:20]}\n{daemon.metrics().text}"[:8000])
        return len(self.lines("a", "b")) - sent

    def subscribed(self, broker, daemon):
        """Once a probe has come through each; another may still be on its way."""
        client = self.client(broker)
        for topic in ("t/a", "t/b"):
            client.publish(topic, '"probe"', qos=1)
        client.settle()
        client.close()
        return all(os.path.getsize(f"{self.folder}/{name}.out") > 0 for name in "ab")

    @unittest.skipIf(harness.CLIENT == "mosquitto", "libmosquitto acknowledges before events are safe")
    def test_sigterm_under_traffic_loses_nothing(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                self.check_none_lost(version, signal.SIGTERM)
                self.tearDown()
                self.doCleanups()
                self.setUp()

    @unittest.skipIf(harness.CLIENT == "mosquitto", "libmosquitto acknowledges before events are safe")
    def test_kill_9_under_traffic_loses_nothing(self):
        for version in ("3.1.1", "5"):
            with self.subTest(version=version):
                self.check_none_lost(version, signal.SIGKILL)
                self.tearDown()
                self.doCleanups()
                self.setUp()

    def test_sources_in_another_order_find_what_waited(self):
        broker = self.broker()
        daemon = self.daemon(self.config(broker, "5", "ab"))
        harness.wait_for("both subscriptions", lambda: self.subscribed(broker, daemon))
        daemon.signal(signal.SIGKILL)
        daemon.process.wait()
        client = self.client(broker)
        for i in range(10):
            client.publish(f"t/{'ab'[i % 2]}", str(i), qos=1)
        client.settle()
        daemon.config.write_text(json.dumps(self.config(broker, "5", "ba")))
        daemon.start()
        harness.wait_for("what waited", lambda: sorted(self.lines("a")) == [0, 2, 4, 6, 8])
        harness.wait_for("what waited", lambda: sorted(self.lines("b")) == [1, 3, 5, 7, 9])
        self.assertEqual(daemon.metrics().sum("rxd_broker_unclaimed_total"), 0)

    def test_a_refused_subscription_is_told_and_ends(self):
        broker = RefusingBroker("t/b")
        self.addCleanup(broker.close)
        daemon = self.daemon(self.config(broker, "5"), ready=False)

        def refused():
            found = [c for c in json.loads(daemon.get("/readyz").text)["conditions"] if c["kind"] == "subscription_refused"]
            return found and found[0]["reason"] == "t/b: not authorized"

        harness.wait_for("the refusal in /readyz", refused)
        self.assertEqual(daemon.get("/readyz").status, 503)
        broker.refused = None
        broker.drop()
        daemon.wait_ready()
        harness.wait_for("its end in the log", lambda: "no subscription is refused any more" in daemon.log_text())

    def test_two_daemons_with_one_client_id_are_told(self):
        """Version 5 says so; over 3.1.1 sessions that end soon, three in a row, are the sign."""
        for version in ("5", "3.1.1"):
            with self.subTest(version=version):
                broker = self.broker()
                one = self.daemon(self.config(broker, version), name=f"one{version}")
                two = self.daemon(self.config(broker, version), name=f"two{version}", ready=False)
                # Over 3.1.1 both see it, but only one need see three in a row.
                harness.wait_for("it is in a log", lambda: any(
                    'another client uses our client_id' in d.log_text() and "kept" in d.log_text() for d in (one, two)))
                # They do not throw each other out as fast as they can: the pauses grow.
                begun = one.metrics().sum("rxd_broker_connects_total")
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    time.sleep(0.1)
                self.assertLess(one.metrics().sum("rxd_broker_connects_total") - begun, 12)

    def test_a_session_that_is_forgotten_under_load_is_told_and_the_flow_goes_on(self):
        broker = self.broker()
        daemon = self.daemon(self.config(broker))
        harness.wait_for("both subscriptions", lambda: self.subscribed(broker, daemon))
        for round_ in range(1, 3):
            sender = Sender(self.client(broker), ["t/a", "t/b"])
            sender.start()
            before = len(self.lines("a"))
            harness.wait_for("traffic", lambda: len(self.lines("a")) > before + 50)
            broker.process.kill()  # it keeps nothing on disk
            broker.process.wait()
            sender.over.set()
            broker.start()
            harness.wait_for("the gap is counted", lambda: daemon.metrics().sum("rxd_broker_session_gaps_total") == round_)
            daemon.wait_ready()
            client = self.client(broker)
            for n in (1_000_000 * round_, 1_000_000 * round_ + 1):
                client.publish("t/" + "ab"[n % 2], str(n), qos=1)
            client.settle()
            harness.wait_for("what is sent now", lambda: {1_000_000 * round_, 1_000_000 * round_ + 1} <= set(self.lines("a", "b")))
        self.assertIn("has forgotten the session", daemon.log_text())
        metrics = daemon.metrics()
        self.assertEqual(metrics.sum("rxd_broker_unclaimed_total"), 0)
        self.assertEqual(metrics.sum("rxd_broker_unanswered"), 0)


if __name__ == "__main__":
    harness.main()
