#!/usr/bin/env python3
"""Formats over a real broker and in files, split and repeats live and in replay, and a machine without libcbor."""

import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import harness


def config(broker):
    def source(topic, **beside):
        return {"mqtt": {"broker": "home", "topic": topic, "qos": 1}, **beside}

    return {
        "brokers": {"home": {"url": broker.url}},
        "sources": {
            "table": source("csv/{device}", format="csv", dedupe={"by": "[device, t]", "within": "1h"}),
            "lines": source("influx", format="influx", event_time="time"),
            "packed": source("packed/#", format="msgpack", split=True),
            "concise": source("cbor", format="cbor"),
        },
        "pipelines": {
            "rows": {
                "from": "table",
                "to": [
                    "stream",
                    {"mqtt": {"broker": "home", "topic": "out/influx", "qos": 1, "format": "influx", "influx": {"tags": "device"}}},
                    {"mqtt": {"broker": "home", "topic": "out/csv", "qos": 1, "format": "csv"}},
                    {"file": {"path": "rows.csv", "format": "csv", "csv": {"header": ["device", "t", "v"]}}},
                ],
            },
            "measured": {"from": "lines"},
            "unpacked": {"from": "packed"},
            "decoded": {"from": "concise", "pipe": [{"map": {"n": "n + 1", "at": "at", "raw": "raw"}}]},
        },
    }


class Formats(harness.EndToEnd):
    def setUp(self):
        super().setUp()
        self.mosquitto = self.broker()

    def test_every_format_comes_in_over_mqtt_and_csv_and_influx_go_out(self):
        rxd = self.daemon(config(self.mosquitto))
        streams = {name: self.subscribe(rxd, "ndjson", name) for name in ("rows", "measured", "unpacked", "decoded")}
        heard, sensor = self.client(self.mosquitto), self.client(self.mosquitto)
        heard.subscribe("out/#")
        for _ in range(2):  # the second time all of it is a repeat, but for the row that is wrong
            sensor.publish("csv/d1", b"t,v\r\n1,20.5\r\n2\r\n3,21\r\n")
        sensor.publish("influx", b"m,room=hall t=21.5,n=3i 1700000000000000000\nm t=\n")
        sensor.publish("packed/x", bytes.fromhex("92 81a16101 81a16202"))
        sensor.publish("cbor", bytes.fromhex("a3616e01626174c11a514b67b063726177420102"))
        streams["rows"].wait("the rows", lambda rows: len(rows) == 2)
        self.assertEqual(streams["rows"].events, [{"t": 1, "v": 20.5, "device": "d1"}, {"t": 3, "v": 21, "device": "d1"}])
        streams["measured"].wait("the line", lambda rows: rows == [
            {"room": "hall", "t": 21.5, "n": 3, "measurement": "m", "time": "2023-11-14T22:13:20Z"}])
        streams["unpacked"].wait("the elements", lambda rows: rows == [{"a": 1}, {"b": 2}])
        streams["decoded"].wait("the item", lambda rows: rows == [{"n": 2, "at": "2013-03-21T20:04:00Z", "raw": "AQI="}])
        harness.wait_for("what was delivered", lambda: len(heard.messages) == 4)
        influx = sorted(m[1] for m in heard.messages if m[0] == "out/influx")
        self.assertRegex(influx[0], rb"^rows,device=d1 t=1,v=20\.5 \d{19}$")
        self.assertEqual(sorted(m[1] for m in heard.messages if m[0] == "out/csv"), [b"t,v,device\n1,20.5,d1", b"t,v,device\n3,21,d1"])
        harness.wait_for("the file", lambda: (Path(self.folder) / "rows.csv").read_text() == "d1,1,20.5\nd1,3,21\n")
        metrics = rxd.metrics()
        self.assertEqual(metrics.sum("rxd_source_rejected_total", source="table", reason="repeated"), 2)
        self.assertEqual(metrics.sum("rxd_source_rejected_total", source="table", reason="syntax"), 2)
        self.assertEqual(metrics.sum("rxd_source_rejected_total", source="lines", reason="syntax"), 1)


class Receiver(http.server.ThreadingHTTPServer):
    """Takes every POST, and keeps (path, Content-Type, body)."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.got.append((self.path, self.headers["Content-Type"], body.decode()))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.got = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WithoutABroker(harness.EndToEnd):
    def write(self, name, text):
        path = Path(self.folder) / name
        path.write_text(text)
        return path

    def test_a_replay_splits_and_drops_repeats_as_live_whatever_is_restarted(self):
        config = self.write("c.yaml", "sources: {s: {http: {}, split: true, dedupe: {by: id, max: 2, within: 5s}}}\n"
                                      "pipelines: {p: {from: s, pipe: [{scan: {expr: acc + id, seed: 0}}]}}\n")
        lines = [
            {"at": 0, "source": "s", "next": [{"id": 1}, {"id": 2}, {"id": 1}]},
            {"at": 1000, "source": "s", "next": {"id": 2}},
            {"at": 2000, "source": "s", "next": {"id": 3}},  # 1 is forgotten: two are remembered
            {"at": 3000, "source": "s", "next": {"id": 1}},
            {"at": 7001, "source": "s", "next": [{"id": 3}]},  # for five seconds
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        for flags in ([], ["--restart", "1"], ["--no-fusion"], ["--span", "256"]):
            done = harness.run_rxd("replay", *flags, "-c", config, stdin=text)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            out = [(row["at"], row["next"]) for row in map(json.loads, done.stdout.splitlines())]
            self.assertEqual(out, [(0, 1), (0, 3), (2000, 6), (3000, 7), (7001, 10)], flags)

    def test_a_format_whose_library_is_not_there_is_refused_with_what_to_install(self):
        config = self.write("c.yaml", "sources: {s: {http: {}, format: cbor}}\npipelines: {p: {from: s}}\n")
        self.assertEqual(harness.run_rxd("check", "-c", config).returncode, 0)
        broken = Path(self.folder) / "lib"
        broken.mkdir()
        names = subprocess.run(["sh", "-c", "ldconfig -p | grep -o 'libcbor.so.[0-9.]*$' | sort -u"], capture_output=True, text=True).stdout.split()
        for name in names:
            (broken / Path(name).name).write_bytes(b"not a library")
        done = subprocess.run([harness.rxd_path(), "check", "-c", str(config)], capture_output=True, text=True,
                              env={**os.environ, "LD_LIBRARY_PATH": str(broken)})
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("c.yaml:1:", done.stderr + done.stdout)
        self.assertRegex(done.stderr + done.stdout, r"CBOR needs libcbor, and libcbor\.so\S* cannot be opened")
        self.assertRegex(done.stderr + done.stdout, r"hint: apt-get install libcbor")

    def test_a_batch_over_http_has_one_header_and_lines_of_influx_need_none(self):
        receiver = Receiver()
        self.addCleanup(lambda: (receiver.shutdown(), receiver.server_close()))
        url = f"http://127.0.0.1:{receiver.server_port}"
        deliveries = [
            {"http": {"post": f"{url}/csv", "format": "csv", "batch": {"count": 2, "every": "1h"}}},
            {"http": {"post": f"{url}/influx", "format": "influx", "influx": {"measurement": "air"}, "batch": {"count": 2, "every": "1h"}}},
            {"http": {"post": f"{url}/alone", "format": "csv"}},
        ]
        rxd = self.daemon({"sources": {"s": {"http": {}, "event_time": "t"}}, "pipelines": {"p": {"from": "s", "pipe": [{"unset": ["t"]}], "to": deliveries}}})
        rows = [{"a": n, "b": "x", "t": f"2026-01-01T00:00:0{n}Z"} for n in range(4)]
        self.assertEqual(rxd.post("/sources/s", json.dumps(rows)).status, 202)
        got = lambda path: [(kind, body) for where, kind, body in receiver.got if where == path]
        harness.wait_for("all of it", lambda: len(got("/csv")) == 2 and len(got("/influx")) == 2 and len(got("/alone")) == 4)
        self.assertEqual(got("/csv"), [("text/csv; charset=utf-8", "a,b\n0,x\n1,x\n"), ("text/csv; charset=utf-8", "a,b\n2,x\n3,x\n")])
        self.assertEqual(got("/influx")[1][1], 'air a=2,b="x" 1767225602000000000\nair a=3,b="x" 1767225603000000000\n')
        self.assertEqual(got("/alone")[3][1], "a,b\n3,x")

    def test_a_post_says_by_its_content_type_what_it_holds(self):
        rxd = self.daemon({"sources": {"s": {"http": {}}}, "pipelines": {"p": {"from": "s"}}})
        out = self.subscribe(rxd, "ndjson", "p")
        self.assertEqual(rxd.post("/sources/s", "a,b\n1,x\n", "text/csv").text.strip(), '{"accepted":1}')
        self.assertEqual(rxd.post("/sources/s", bytes.fromhex("820102"), "application/cbor").text.strip(), '{"accepted":2}')
        self.assertEqual(rxd.post("/sources/s", bytes.fromhex("81a16103"), "application/msgpack").text.strip(), '{"accepted":1}')
        answer = rxd.post("/sources/s", "a,b\n1,x\n2\n", "text/csv")
        self.assertEqual((answer.status, json.loads(answer.text)["line"]), (400, 3))
        out.wait("what was sent", lambda rows: len(rows) == 4)
        self.assertEqual(out.events[0], {"a": 1, "b": "x"})
        self.assertEqual(out.events[3], {"a": 3})


if __name__ == "__main__":
    harness.main()
