#!/usr/bin/env python3
"""Runs every example of pipelines/examples at once, each in a daemon of its own, fed with EVENTS a second in all for SECONDS,
and prints what each holds in memory (RssAnon) over time: it has to be level.

    bench/soak.py [--rate 5000] [--seconds 60] [--json FILE]
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # noqa: E402
import websocket_server  # noqa: E402

EXAMPLES = ROOT / "pipelines" / "examples"
random.seed(1)



def back():
    """A time of the last second: out of order, within every example's lateness but ohlc's."""
    return datetime.fromtimestamp(time.time() - random.random(), timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pick(what, n):
    return f"{what}{random.randrange(n)}"


MQTT = {
    "rooms": lambda: (f"zigbee2mqtt/{pick('room', 30)}/{pick('s', 4)}", json.dumps({"temperature": round(random.gauss(21, 2), 1)})),
    "freezer": lambda: (f"freezers/{pick('f', 200)}/temperature", str(round(random.gauss(-17, 2), 1))),
    "machines": lambda: (f"plant/{pick('m', 50)}/state", json.dumps({"running": random.random() < 0.9, "parts": int(time.time()) % 5000})),
    "devices": lambda: (f"devices/{pick('d', 200)}/{random.choice(['temperature', 'pressure', 'speed'])}", str(random.randrange(100))),
    "sensor-averages": lambda: (f"sensors/{pick('d', 200)}/temperature", json.dumps({"value": random.randrange(30)})),
    "alert-debounce": lambda: (f"machines/{pick('m', 50)}/temperature", json.dumps({"value": random.randrange(60, 90)})),
}
POSTS = {
    "surge": ("rides", lambda: {"city": pick("city", 40), "requested_at": back()}),
    "enrich": ("readings", lambda: {"device": f"pump-{random.randrange(1, 4)}", "value": random.randrange(60, 82)}),
    "failures": ("logins", lambda: {"user": pick("user", 500), "status": random.choice(["failed", "ok"]), "address": "10.0.0.1", "at": back()}),
}


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Soak:
    def __init__(self, folder):
        self.folder, self.daemons, self.failed = folder, {}, []
        self.broker = harness.Broker(folder).start()
        self.trades = websocket_server.Server().start()
        self.hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=self.hook.serve_forever, daemon=True).start()
        os.environ.update(MQTT_URL=self.broker.url, WINDOW="10s", FOR="5s", QUIET="2s", EVERY="1s", SHIFTS=f"{folder}/shifts.ndjson",
                          ASSETS=str(EXAMPLES / "enrich.csv"), WEBHOOK=f"http://127.0.0.1:{self.hook.server_port}/",
                          FEED=f"ws://127.0.0.1:{self.trades.port}/")
        for name in [*MQTT, *POSTS, "ohlc"]:
            self.daemons[name] = harness.Daemon(folder, (EXAMPLES / f"{name}.yaml").read_text(), name=name).start()

    def feed(self, name, per_second, until):
        client = self.broker.client() if name in MQTT else None
        begin, sent = time.monotonic(), 0
        while time.monotonic() < until:
            due = int((time.monotonic() - begin) * per_second) - sent
            sent += due
            if client:
                client.publish_many([MQTT[name]() for _ in range(due)], qos=0)
            elif name in POSTS:
                source, make = POSTS[name]
                self.daemons[name].post(f"/sources/{source}", json.dumps([make() for _ in range(due)]))
            else:
                self.trades.send(*[json.dumps({"e": "trade", "s": pick("S", 20), "p": "1.5", "q": "2", "T": int(time.time() * 1000)}) for _ in range(due)])
            time.sleep(0.1)

    def run(self, rate, seconds):
        until = time.monotonic() + seconds
        per_second = rate / len(self.daemons)
        threads = [threading.Thread(target=self.feed, args=(name, per_second, until), daemon=True) for name in self.daemons]
        for thread in threads:
            thread.start()
        rows, begin = [], time.monotonic()
        while time.monotonic() < until:
            time.sleep(min(seconds / 10, until - time.monotonic() + 0.1))
            rows.append({"at": round(time.monotonic() - begin), **{n: d.resident() // 1024 for n, d in self.daemons.items()}})
            print(json.dumps(rows[-1]), flush=True)
        for thread in threads:
            thread.join(10)
        return rows

    def close(self):
        received = {name: daemon.metrics().sum("rxd_source_received_total") for name, daemon in self.daemons.items()}
        gaps = {name: harness.ledger_gaps(daemon.metrics()) for name, daemon in self.daemons.items()}
        codes = {name: daemon.stop() for name, daemon in self.daemons.items()}
        self.broker.stop()
        self.trades.close()
        self.hook.shutdown()
        return {"received": received, "gaps": {n: g for n, g in gaps.items() if g}, "exit": codes}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5000, help="events a second in all")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", help="a file for the rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rxd-soak-") as folder:
        soak = Soak(folder)
        rows = soak.run(arguments.rate, arguments.seconds)
        end = soak.close()
    middle, last = rows[len(rows) // 2], rows[-1]
    growth = {name: last[name] - middle[name] for name in last if name != "at"}
    print(json.dumps({"KiB more in the second half": growth, **end}))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
