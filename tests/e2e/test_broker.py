#!/usr/bin/env python3
"""A broker that goes away, or is not there yet: rxd stays up, says so, and goes on when it is back."""

import json
import time

import harness


def config(broker):
    return {
        "brokers": {"home": {"url": broker.url}},
        "sources": {"in": {"mqtt": {"broker": "home", "topic": "in/{name}", "qos": 1}}},
        "pipelines": {"out": {"from": "in", "pipe": [{"set": {"seen": "true"}}]}},
    }


class BrokerComesAndGoes(harness.EndToEnd):
    def expect_through(self, broker, subscriber, value):
        """The subscription is back when a message comes through; what was sent before it is no one's."""
        client = self.client(broker)

        def through():
            client.publish("in/a", str(value))
            return any(event.get("value") == value for event in subscriber.events)

        harness.wait_for(f"{value} comes through", through)
        client.settle()
        client.close()

    def test_each_of_many_is_told(self):
        names = [f"b{i}" for i in range(40)]
        daemon = self.daemon({
            "brokers": {name: {"url": "mqtt://127.0.0.1:1"} for name in names},
            "sources": {f"in_{name}": {"mqtt": {"broker": name, "topic": "in"}} for name in names},
            "pipelines": {f"p_{name}": {"from": f"in_{name}"} for name in names},
        }, ready=False)
        harness.wait_for("the brokers", lambda: daemon.get("/readyz").text.count("disconnected") == len(names))
        self.assertEqual(json.loads(daemon.get("/readyz").text)["brokers"], {name: "disconnected" for name in names})

    def test_it_starts_without_a_broker_and_goes_on_when_there_is_one(self):
        broker = self.broker(start=False)
        daemon = self.daemon(config(broker), ready=False)
        subscriber = self.subscribe(daemon, "sse", "out")
        self.assertEqual(daemon.get("/readyz").status, 503)
        self.assertIn("home", daemon.get("/readyz").text)
        self.assertEqual(daemon.get("/healthz").status, 200)
        broker.start()
        daemon.wait_ready()
        self.expect_through(broker, subscriber, 1)

    def test_it_outlives_a_restart_of_the_broker(self):
        broker = self.broker()
        daemon = self.daemon(config(broker))
        subscriber = self.subscribe(daemon, "ndjson", "out")
        self.expect_through(broker, subscriber, 1)
        broker.stop()
        harness.wait_for("not ready without a broker", lambda: daemon.get("/readyz").status == 503)
        self.assertEqual(daemon.metrics().sum("rxd_broker_connected", broker="home"), 0)
        if harness.FULL:
            self.stays_away(daemon, 10)
        broker.start()
        daemon.wait_ready()
        self.expect_through(broker, subscriber, 2)
        self.assertEqual(daemon.metrics().sum("rxd_broker_connected", broker="home"), 1)
        self.assertIsNone(daemon.process.poll())

    def stays_away(self, daemon, seconds):
        """For the whole of the outage the daemon answers, and says that it is not ready."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual((daemon.get("/healthz").status, daemon.get("/readyz").status), (200, 503))
            time.sleep(0.2)


if __name__ == "__main__":
    harness.main()
