"""The shipped examples, live: fed as their users would feed them, with shorter times from the environment, they tell the same
facts as their replays (test_lifecycle.py holds those)."""

import asyncio
import http.server
import json
import os
import threading
import time
import unittest
from datetime import datetime, timedelta, timezone
from unittest import mock

import harness
import websocket_server

EXAMPLES = harness.ROOT / "pipelines" / "examples"


def rfc3339(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Examples(harness.EndToEnd):
    def example(self, name, **environment):
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)
        return self.daemon((EXAMPLES / f"{name}.yaml").read_text(), name=name)

    def of_broker(self, name, **environment):
        broker = self.broker()
        daemon = self.example(name, MQTT_URL=broker.url, **environment)
        return daemon, self.client(broker)

    def test_rooms(self):
        daemon, client = self.of_broker("rooms", WINDOW="1s")
        client.subscribe("homeassistant/#")
        client.subscribe("rxd/rooms/#")
        client.publish_many([("zigbee2mqtt/kitchen/window", '{"temperature": 20.4, "battery": 97}'),
                             ("zigbee2mqtt/kitchen/stove", '{"temperature": 71.6, "unit": "F"}'),
                             ("zigbee2mqtt/cellar/door", '{"contact": true}')])
        found = harness.wait_for("Home Assistant is told of the room",
                                 lambda: [m for m in client.messages if m[0].startswith("homeassistant/")])
        said = json.loads(found[0][1])
        self.assertEqual(found[0][0], "homeassistant/sensor/rxd_kitchen/config")
        self.assertEqual((said["state_topic"], said["value_template"]), ("rxd/rooms/kitchen", "{{ value_json.avg }}"))
        rooms = harness.wait_for("the room's average", lambda: [m for m in client.messages if m[0] == said["state_topic"]])
        self.assertIn(json.loads(rooms[0][1])["avg"], (20.4, 21.2, 22.0))

    def test_freezer(self):
        daemon, client = self.of_broker("freezer", FOR="500ms")
        alarms = self.subscribe(daemon, "sse", "freezer_alarm")
        client.publish_many([("freezers/cellar/temperature", "-14")])
        alarms.wait("the alarm at its deadline", lambda e: [x["alarm"] for x in e] == [True])
        client.publish_many([("freezers/cellar/temperature", "-16"), ("freezers/cellar/temperature", "-19")])
        alarms.wait("the recovery", lambda e: [(x["alarm"], x["value"]) for x in e] == [(True, -14), (False, -19)])

    def test_machines(self):
        daemon, client = self.of_broker("machines", QUIET="1s", SHIFTS=f"{self.folder}/shifts.ndjson")
        silent = self.subscribe(daemon, "ndjson", "silent")
        client.publish_many([("plant/press/state", '{"running": true, "parts": 7}')])
        silent.wait("those never heard of are silent too",
                    lambda e: {"press", "lathe", "mill"} <= {x["machine"] for x in e if x["silent"]})
        client.publish_many([("plant/mill/state", '{"running": false, "parts": 1}')])
        silent.wait("one is back", lambda e: any(x["machine"] == "mill" and not x["silent"] for x in e))

    def test_surge(self):
        daemon = self.example("surge")
        surge, busiest = self.subscribe(daemon, "ndjson", "surge"), self.subscribe(daemon, "ndjson", "busiest")
        start = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(minutes=13)
        for minute in range(12):
            for city, count in (("Rome", 40 if minute == 9 else 4), ("Oslo", 2)):
                rows = [{"city": city, "requested_at": rfc3339(start + timedelta(minutes=minute, seconds=3 * (k % 18)))} for k in range(count)]
                self.assertEqual(daemon.post("/sources/rides", json.dumps(rows)).status, 202)
        surge.wait("the alert of the tenth minute", lambda e: [(x["city"], x["now"], x["usual"]) for x in e] == [("Rome", 40, 4)])
        busiest.wait("the busiest of that minute", lambda e: any(x["cities"] == ["Rome", "Oslo"] for x in e))

    def test_enrich(self):
        asked, done = [], threading.Event()

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.headers["X-Site"], json.loads(body)))
                self.send_response(503 if len(asked) < 3 else 204)
                self.end_headers()
                if len(asked) == 3:
                    done.set()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        daemon = self.example("enrich", ASSETS=str(EXAMPLES / "enrich.csv"), WEBHOOK=f"http://127.0.0.1:{server.server_port}/x")
        enriched = self.subscribe(daemon, "ndjson", "enriched")
        daemon.post("/sources/readings", '[{"device": "pump-2", "value": 71}, {"device": "pump-9", "value": 99}]')
        enriched.wait("both pass", lambda e: [x.get("asset", {}).get("limit") for x in e] == [65.5, None])
        self.assertTrue(done.wait(harness.DEADLINE), "the webhook is asked until it takes it")
        self.assertEqual({json.dumps(a) for a in asked}, {json.dumps(asked[0])})
        self.assertEqual(asked[0][1]["text"], "pump-2 at South, hall 2: 71, and 65.5 is its limit")

    def test_ohlc(self):
        server = websocket_server.Server().start()
        self.addCleanup(server.close)
        daemon = self.example("ohlc", FEED=f"ws://127.0.0.1:{server.port}/ws")
        bars = {kind: self.subscribe(daemon, kind, "bars") for kind in ("sse", "websocket")}
        harness.wait_for("rxd subscribes to the trades", lambda: any("SUBSCRIBE" in str(text) for text in server.received))
        second = int(time.time()) * 1000
        for offset, price in ((100, "34000.10"), (260, "34010.00"), (250, "33990.00"), (1050, "34005.00"), (1900, "34007.00")):
            server.send(json.dumps({"e": "trade", "s": "BTCEUR", "p": price, "q": "0.5", "T": second + offset}))
        for kind, subscriber in bars.items():
            subscriber.wait(f"the bar of the first second by {kind}", lambda e: e[:1] and [
                e[0][k] for k in ("symbol", "open", "high", "low", "close", "volume", "trades")
            ] == ["BTCEUR", 34000.1, 34010, 33990, 34010, 1.5, 3])

    def test_failures(self):
        daemon = self.example("failures")
        found = self.subscribe(daemon, "ndjson", "break_in")
        now = datetime.now(timezone.utc) - timedelta(seconds=30)

        def login(user, seconds, status):
            return {"user": user, "status": status, "address": "10.0.0.7", "at": rfc3339(now + timedelta(seconds=seconds))}

        rows = [login("ann", k, "failed") for k in (0, 3, 2)] + [login("bob", k, "failed") for k in (1, 4, 5)]
        rows += [login("bob", 6, "ok"), login("eve", 20, "ok")]
        daemon.post("/sources/logins", json.dumps(rows))
        found.wait("ann, and not bob", lambda e: [x["user"] for x in e] == ["ann"])

    def test_devices(self):
        daemon, client = self.of_broker("devices", EVERY="200ms")
        devices = self.subscribe(daemon, "sse", "devices")
        client.publish_many([("devices/boiler/temperature", "64.5"), ("devices/boiler/pressure", "1.4"), ("devices/boiler/state", "heating")])
        devices.wait("one record", lambda e: e and e[-1] == {"device": "boiler", "temperature": 64.5, "pressure": 1.4, "state": "heating"})


if __name__ == "__main__":
    harness.main()
