#!/usr/bin/env python3
"""MQTT beyond one topic of a named broker: connections written where they are used, several topics and the rest of one, retained
messages, shared subscriptions, WebSocket and TLS to a real broker, a sink's birth and will."""

import json
import os
import signal
import ssl
import threading
from pathlib import Path

import paho.mqtt.client as paho

import harness
import websocket_server


class Watcher:
    """Everything on the broker, by an independent client."""

    def __init__(self, port, **options):
        self.messages, self.up = [], threading.Event()
        self.client = paho.Client(client_id="", **options)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_subscribe = lambda *_: self.up.set()
        self.client.on_message = lambda _, __, m: self.messages.append((m.topic, m.payload.decode(), bool(m.retain)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not self.up.wait(harness.DEADLINE):
            raise AssertionError("no connection to the broker")

    def publish(self, topic, payload, retain=False):
        self.client.publish(topic, payload, 1, retain).wait_for_publish(harness.DEADLINE)

    def has(self, topic, payload):
        return any(message[:2] == (topic, payload) for message in self.messages)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class MqttWidth(harness.EndToEnd):
    killed = []

    def stop_daemon(self, daemon):
        if daemon not in self.killed:
            super().stop_daemon(daemon)

    def watcher(self, broker, **options):
        watcher = Watcher(broker.port, **options)
        self.addCleanup(watcher.close)
        return watcher

    def connections(self, broker):
        return broker.log.read_text().count("New client connected") - 1  # without the watcher

    def reload(self, rxd, config, count):
        rxd.config.write_text(json.dumps(config))
        rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: rxd.metrics().sum("rxd_reloads_total", outcome="done") == count)

    def test_the_same_options_are_one_connection_and_it_outlives_a_reload(self):
        broker = self.broker()
        at = {"url": broker.url, "keep_alive": "20s"}
        config = {
            "sources": {
                "a": {"mqtt": {**at, "topic": "in/a"}},
                "b": {"mqtt": {**at, "topic": "in/b"}},
                "other": {"mqtt": {**at, "keep_alive": "21s", "topic": "in/other"}},
            },
            "pipelines": {
                "out": {"from": ["a", "b", "other"], "to": [{"mqtt": {**at, "topic": "out", "payload": "{n}", "qos": 1}}]}
            },
        }
        watcher, rxd = self.watcher(broker), self.daemon(config)
        names = rxd.metrics().labels("rxd_broker_connected", "broker")
        self.assertEqual(names, {(broker.url,), (broker.url + "#2",)})
        self.assertEqual(self.connections(broker), 2)
        for i, name in enumerate(["a", "b", "other"]):
            watcher.publish(f"in/{name}", f'{{"n":{i}}}')
            harness.wait_for("it went through", lambda: watcher.has("out", str(i)))
        config["pipelines"]["more"] = {"from": "a", "to": []}
        config["sources"]["other"]["mqtt"]["keep_alive"] = "22s"
        self.reload(rxd, config, 1)
        harness.wait_for("the new connection alone", lambda: self.connections(broker) == 3)
        watcher.publish("in/other", '{"n":7}')
        harness.wait_for("it goes on", lambda: watcher.has("out", "7"))

    def test_several_topics_and_the_rest_of_one(self):
        broker = self.broker()
        source = {"url": broker.url, "topics": ["site/{room}/{what...}", "plain"]}
        rxd = self.daemon({"sources": {"in": {"mqtt": source}}, "pipelines": {"out": {"from": "in"}}})
        out, watcher = self.subscribe(rxd, "ndjson", "out"), self.watcher(broker)
        watcher.publish("site/hall/lamp/power", '{"w":3}')
        watcher.publish("plain", '{"w":4}')
        out.wait("both", lambda events: events == [{"w": 3, "room": "hall", "what": "lamp/power"}, {"w": 4}])

    def test_retained_messages_are_used_or_skipped(self):
        broker = self.broker()
        watcher = self.watcher(broker)
        watcher.publish("kept", '{"n":1}', retain=True)
        sources = {name: {"mqtt": {"url": broker.url, "topic": "kept", "retained": name}} for name in ("use", "skip")}
        config = {"sources": sources, "pipelines": {f"of_{name}": {"from": name} for name in sources}}
        rxd = self.daemon(config)
        use, skip = (self.subscribe(rxd, "ndjson", f"of_{name}", query="?last=10") for name in ("use", "skip"))
        watcher.publish("kept", '{"n":2}')
        use.wait("both", lambda events: [e["n"] for e in events] == [1, 2])
        skip.wait("the new one", lambda events: [e["n"] for e in events] == [2])
        config["pipelines"]["more"] = {"from": "use"}  # a filter that the session has: none again
        self.reload(rxd, config, 1)
        watcher.publish("kept", '{"n":3}')
        use.wait("no more", lambda events: [e["n"] for e in events] == [1, 2, 3])

    def test_a_share_gives_each_message_to_one_of_its_members(self):
        broker, count = self.broker(), 400
        config = {
            "sources": {"in": {"mqtt": {"url": broker.url, "version": "5", "topic": "work/{n}", "share": "team", "qos": 1}}},
            "pipelines": {"out": {"from": "in"}},
        }
        members = [self.daemon(config, name=name) for name in ("one", "two")]
        watcher = self.watcher(broker)
        for n in range(count):
            watcher.client.publish(f"work/{n}", "{}", 1)
        def taken():
            return [member.metrics().sum("rxd_source_decoded_total", source="in") for member in members]
        harness.wait_for("each once", lambda: sum(taken()) == count)
        self.assertTrue(all(n > count / 10 for n in taken()), taken())

    @harness.unittest.skipIf(harness.CLIENT, "libmosquitto speaks no WebSocket")
    def test_websocket_and_tls_to_the_broker(self):
        cert, key = websocket_server.certificate(self.folder)
        ws, wss, broker = harness.free_port(), harness.free_port(), self.broker(start=False)
        os.chmod(key, 0o644)
        os.chmod(self.folder, 0o755)  # mosquitto gives up its rights
        with broker.config.open("a") as config:
            config.write(
                f"listener {ws} 127.0.0.1\nprotocol websockets\n"
                f"listener {wss} 127.0.0.1\nprotocol websockets\ncertfile {cert}\nkeyfile {key}\n"
            )
        broker.start()
        config = {
            "brokers": {"secure": {"url": f"wss://localhost:{wss}/mqtt", "tls": {"ca": str(cert)}}},
            "sources": {"in": {"mqtt": {"url": f"ws://127.0.0.1:{ws}", "topic": "in", "qos": 1}}},
            "pipelines": {"out": {"from": "in", "to": [{"mqtt": {"broker": "secure", "topic": "out", "qos": 1, "payload": "{n}"}}]}},
        }
        rxd, watcher = self.daemon(config), self.watcher(broker)
        for n in range(300):
            watcher.client.publish("in", json.dumps({"n": n, "text": "x" * (n * 50)}), 1)
        harness.wait_for("all of them, in order", lambda: [p for t, p, _ in watcher.messages if t == "out"] == [str(n) for n in range(300)])
        harness.wait_for("delivered", lambda: rxd.metrics().sum("rxd_sink_held") == 0)

    def sink(self, broker, **options):
        return {"from": "in", "to": [{"mqtt": {**broker, "topic": "out", **options}}]}

    def test_a_sink_is_born_at_each_connection_and_leaves_its_will(self):
        broker, http = self.broker(), {"in": {"http": {}}}
        will, birth = {"topic": "state", "payload": "lost"}, {"topic": "state", "payload": "here"}
        for name, to, brokers in [
            ("named", {"broker": "home"}, {"home": {"url": broker.url}}),
            ("inline", {"url": broker.url}, {}),
        ]:
            with self.subTest(name):
                watcher = self.watcher(broker)
                config = {"brokers": brokers, "sources": http, "pipelines": {"p": self.sink(to, will=will, birth=birth)}}
                rxd = self.daemon(config, name=name)
                harness.wait_for("the birth", lambda: watcher.has("state", "here"))
                self.assertFalse(watcher.has("state", "lost"))
                rxd.process.kill()
                harness.wait_for("the will", lambda: watcher.has("state", "lost"))
                rxd.process.wait()
                self.killed.append(rxd)
                watcher.publish("state", "", retain=True)

    def test_two_wills_of_one_connection_are_refused(self):
        sinks = {f"p{i}": self.sink({"broker": "home"}, will={"topic": "t", "payload": str(i)}) for i in range(2)}
        path = Path(self.folder) / "two.yaml"
        config = {"brokers": {"home": {"url": "mqtt://127.0.0.1:1"}}, "sources": {"in": {"http": {}}}, "pipelines": sinks}
        path.write_text(json.dumps(config))
        done = harness.run_rxd("check", "-c", path)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("has another will already", done.stderr.decode())

    def test_what_is_wrong_with_a_broker_in_place_is_told(self):
        for options, says in [
            ({"topic": "t"}, "needs a broker"),
            ({"topic": "t", "broker": "home", "keep_alive": "10s"}, "stand in `brokers:`"),
            ({"topic": "t", "user": "me"}, "its name or its url"),
            ({"topic": "t", "url": "http://x"}, "expected mqtt://"),
            ({"topic": "t", "url": "mqtt://x", "clean_start": False}, "client_id"),
            ({"topic": "t", "url": "mqtt://x", "kep_alive": "9s"}, "did you mean `keep_alive`"),
        ]:
            with self.subTest(says):
                path = Path(self.folder) / "bad.yaml"
                config = {
                    "brokers": {"home": {"url": "mqtt://127.0.0.1:1"}},
                    "sources": {"in": {"mqtt": options}},
                    "pipelines": {"p": {"from": "in"}},
                }
                path.write_text(json.dumps(config))
                done = harness.run_rxd("check", "-c", path)
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertIn(says, done.stderr.decode())

    def test_what_a_broker_does_not_read_waits_in_the_queue_that_has_a_bound(self):
        """And not beside it, in the connection's own buffer."""
        go, count, heard = threading.Event(), 150, []
        def talk(connection):
            connection.recv(4096)
            connection.sendall(b"\x20\x02\x00\x00")
            go.wait(60)
            while more := connection.recv(1 << 20):
                heard.append(len(more))
        broker = websocket_server.RawServer(talk)
        self.addCleanup(broker.close)
        to = {"url": f"mqtt://127.0.0.1:{broker.port}", "client": "rxd", "max_queue": 100, "topic": "t"}
        rxd = self.daemon({"sources": {"in": {"http": {}}}, "pipelines": {"out": {"from": "in", "to": [{"mqtt": to}]}}})
        of_broker = lambda what: rxd.metrics().sum(f"rxd_broker_{what}")  # noqa: E731
        for n in range(count):
            self.assertEqual(rxd.post("/sources/in", json.dumps({"n": n, "text": "x" * 100_000})).status, 202)
        harness.wait_for("a full queue", lambda: of_broker("queued") == 100)
        dropped = rxd.metrics().sum("rxd_sink_dropped_total", pipeline="out")
        self.assertEqual(of_broker("sent_total") + 100 + dropped, count)
        go.set()
        harness.wait_for("what was queued", lambda: of_broker("queued") == 0 and sum(heard) > (count - dropped) * 100_000)


if __name__ == "__main__":
    harness.main()
