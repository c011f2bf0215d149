#!/usr/bin/env python3
"""rxd record: a running daemon's traffic as a file that replays to what came out live; its bounds; who follows a source."""

import json
import signal
import subprocess
from pathlib import Path

import harness


class Recorder:
    """rxd record, into a file."""

    def __init__(self, test, daemon, *words, url=None):
        self.path, self.said_path = Path(test.folder) / "recording.ndjson", Path(test.folder) / "recorder.err"
        command = [harness.rxd_path(), "record", url or f"http://127.0.0.1:{daemon.port}", *map(str, words)]
        with open(self.path, "wb") as out, open(self.said_path, "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err)
        test.addCleanup(harness.finish, self.process)

    def wait(self):
        code = self.process.wait(harness.DEADLINE)
        return code, self.said_path.read_text()

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().split("\n")[:-1]]

    def events(self):
        return [line for line in self.lines() if "start" not in line]


class Record(harness.EndToEnd):
    def started(self, rxd, recorder, *names):
        """A first event of each source has been written down: all that follows will be."""
        for name in names:
            def seen(name=name):
                rxd.post(f"/sources/{name}", '{"n": 0, "warmup": true}')
                return any(line.get("source") == name for line in recorder.events())
            harness.wait_for(f"{name} is followed", seen)

    def replayed(self, daemon, recorder, *streams, flags=()):
        done = harness.run_rxd("replay", "-c", daemon.config, *streams, *flags, stdin=recorder.path.read_bytes())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_what_came_in_replays_to_what_came_out(self):
        rxd = self.daemon({
            "sources": {"a": {"http": {}}},
            "pipelines": {"p": {"from": "a", "pipe": [{"filter": "n > 0"}, {"set": {"half": "n / 2", "whose": "meta.source"}}]}},
        })
        live = self.subscribe(rxd, "ndjson", "p")
        recorder = Recorder(self, rxd, "a")
        self.started(rxd, recorder, "a")
        for i in range(1, 51):
            self.assertEqual(rxd.post("/sources/a", json.dumps({"n": i, "f": i + 0.5, "unread": ["ü\u2028", None, {"deep": i}]})).status, 202)
        harness.wait_for("all is written", lambda: recorder.events()[-1]["next"]["n"] == 50)
        recorder.process.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait()[0], 0)
        live.wait("all came out", lambda rows: len(rows) == 50)
        out = self.replayed(rxd, recorder)
        self.assertEqual([json.loads(line)["next"] for line in out.splitlines()], live.events)
        for flags in ([], ["--restart", "1"], ["--span", "256"], ["--no-fusion"]):
            self.assertEqual(self.replayed(rxd, recorder, flags=flags), out)
        last = recorder.events()[-1]
        self.assertEqual(last["next"]["unread"], ["ü\u2028", None, {"deep": 50}])  # also what no pipeline reads
        times = [line["at"] for line in recorder.events()]
        self.assertEqual(times, sorted(times))
        self.assertEqual(recorder.lines()[0], {"at": int(times[0]), "start": True})

    def test_topics_what_was_retained_and_captures_come_again(self):
        broker = self.broker()
        sensor = self.client(broker)
        sensor.publish("rooms/attic/temp", b"21.5", retain=True)
        rxd = self.daemon({
            "brokers": {"home": {"url": broker.url}},
            "sources": {"rooms": {"mqtt": {"broker": "home", "topic": "rooms/{room}/{what}", "qos": 1}}},
            "pipelines": {"p": {"from": "rooms", "pipe": [{"map": {"v": "value", "room": "room", "topic": "meta.topic", "kept": "meta.retained", "by": "meta.source"}}]}},
        })
        live = self.subscribe(rxd, "ndjson", "p", query="?last=0")
        recorder = Recorder(self, rxd, "rooms")

        def followed():
            sensor.publish("rooms/cellar/warmup", b"0")
            return recorder.events()
        harness.wait_for("the source is followed", followed)
        sensor.publish("rooms/cellar/temp", b'{"value": 12}')
        harness.wait_for("the message is written", lambda: recorder.events()[-1]["topic"] == "rooms/cellar/temp")
        broker.stop()
        broker.start()
        self.client(broker).publish("rooms/attic/temp", b"22", retain=True)  # rxd comes back to it a second later
        harness.wait_for("the retained message is written", lambda: recorder.events()[-1]["topic"] == "rooms/attic/temp")
        recorder.process.send_signal(signal.SIGTERM)
        self.assertEqual(recorder.wait()[0], 0)
        replayed = [json.loads(line)["next"] for line in self.replayed(rxd, recorder).splitlines()]
        live.wait("all came out", lambda rows: rows and rows[-1] == replayed[-1])
        self.assertEqual(replayed, live.events[-len(replayed):])
        self.assertEqual(replayed[-1], {"v": 22, "room": "attic", "topic": "rooms/attic/temp", "kept": True, "by": "rooms"})
        self.assertIn({"v": 12, "room": "cellar", "topic": "rooms/cellar/temp", "kept": False, "by": "rooms"}, replayed)

    def test_retained_in_a_recording_is_metadata_in_its_replay(self):
        config = {
            "brokers": {"home": {"url": "mqtt://127.0.0.1:1"}},
            "sources": {"rooms": {"mqtt": {"broker": "home", "topic": "rooms/{room}"}}},
            "pipelines": {"p": {"from": "rooms", "pipe": [{"map": "[room, meta.retained]"}]}},
        }
        path = Path(self.folder) / "kept.json"
        path.write_text(json.dumps(config))
        lines = [{"at": 0, "source": "rooms", "topic": "rooms/a", "retained": True, "next": 1}, {"at": 1, "source": "rooms", "topic": "rooms/b", "next": 1}]
        def replay(lines):
            return harness.run_rxd("replay", "-c", path, stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
        self.assertEqual([json.loads(line)["next"] for line in replay(lines).stdout.splitlines()], [["a", True], ["b", False]])
        done = replay([{"at": 0, "source": "rooms", "retained": True, "next": 1}])
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'"retained" stands beside "topic"', done.stderr)

    def test_several_sources_are_one_recording_in_order_of_time(self):
        rxd = self.daemon({
            "workers": 2,
            "sources": {"a": {"http": {}}, "b": {"http": {}}},
            "pipelines": {"p": {"from": "a"}, "q": {"from": "b"}},
        })
        recorder = Recorder(self, rxd, "a", "b")
        self.started(rxd, recorder, "a", "b")
        for i in range(1, 31):
            rxd.post(f"/sources/{'ab'[i % 2]}", json.dumps({"n": i}))
        harness.wait_for("all is written", lambda: len([line for line in recorder.events() if line["next"]["n"]]) == 30)
        recorder.process.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait()[0], 0)
        events = [line for line in recorder.events() if line["next"]["n"]]
        self.assertEqual([line["next"]["n"] for line in events], [*range(1, 31)])
        self.assertEqual([line["source"] for line in events], ["ab"[i % 2] for i in range(1, 31)])
        self.replayed(rxd, recorder)

    def test_elements_of_a_split_list_are_not_split_again(self):
        rxd = self.daemon({"sources": {"a": {"http": {}, "split": True}}, "pipelines": {"p": {"from": "a", "pipe": [{"map": "event"}]}}})
        live = self.subscribe(rxd, "ndjson", "p")
        recorder = Recorder(self, rxd, "a")
        self.started(rxd, recorder, "a")
        rxd.post("/sources/a", "[[1, 2], 3, [[4]]]")
        live.wait("the elements", lambda rows: rows[-3:] == [[1, 2], 3, [[4]]] or rows[-2:] == [3, [[4]]])
        harness.wait_for("they are written", lambda: recorder.events()[-1]["next"] in ([[4]], [[[4]]]))
        recorder.process.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait()[0], 0)
        replayed = [json.loads(line)["next"] for line in self.replayed(rxd, recorder).splitlines()]
        self.assertEqual(replayed, live.events[-len(replayed):])
        self.assertEqual(replayed[-2:], [3, [[4]]])

    def test_each_bound_ends_it(self):
        rxd = self.daemon({"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a"}}})
        for words in ("--max", 3), ("--bytes", 150), ("--for", "1s"):
            recorder = Recorder(self, rxd, "a", *words)
            self.started(rxd, recorder, "a")
            for i in range(10):
                rxd.post("/sources/a", json.dumps({"n": i}))
            code, said = recorder.wait()
            self.assertEqual(code, 0, said)
            self.assertEqual("that was the bound" in said, words[0] != "--for", said)
            if words[0] == "--max":
                self.assertEqual(len(recorder.events()), 3)
            if words[0] == "--bytes":
                self.assertLess(recorder.path.stat().st_size, 250)
                self.assertGreaterEqual(recorder.path.stat().st_size, 150)

    def test_the_end_of_a_source_is_the_end_of_its_recording(self):
        pipe = Path(self.folder) / "in.fifo"
        subprocess.run(["mkfifo", str(pipe)], check=True)
        rxd = self.daemon({"sources": {"a": {"file": {"path": str(pipe)}}}, "pipelines": {"p": {"from": "a"}}}, ready=False)
        with open(pipe, "w") as writer:
            recorder = Recorder(self, rxd, "a")
            def seen():
                writer.write('{"n": 1}\n')
                writer.flush()
                return recorder.events()
            harness.wait_for("the source is followed", seen)
        code, said = recorder.wait()
        self.assertEqual(code, 0, said)
        self.assertEqual({"complete": True, "source": "a"}, {key: value for key, value in recorder.events()[-1].items() if key != "at"})
        self.assertIn(b'"complete":true', self.replayed(rxd, recorder))

    def test_what_cannot_be_recorded_is_said(self):
        rxd = self.daemon({"sources": {"a": {"http": {}}, "unread": {"http": {}}}, "pipelines": {"p": {"from": "a"}}})
        for words, part in (["nobody"], "has no such source"), (["unread"], "no pipeline of the daemon reads it"):
            code, said = Recorder(self, rxd, *words).wait()
            self.assertEqual(code, 1)
            self.assertIn(part, said)
        code, said = Recorder(self, rxd, "a", url=f"http://127.0.0.1:{harness.free_port()}").wait()
        self.assertEqual(code, 1)
        code, said = Recorder(self, rxd, "a", url="ftp://127.0.0.1").wait()
        self.assertEqual(code, 1)
        for words in ([], ["a", "a"], ["a", "--max", "0"], ["a", "--for", "soon"], ["a", "--max"], ["a", "--what"], [f"s{i}" for i in range(65)]):
            self.assertEqual(Recorder(self, rxd, *words).wait()[0], 64, words)

    def test_a_daemon_that_ends_is_told_and_what_came_is_there(self):
        rxd = self.daemon({"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a"}}})
        recorder = Recorder(self, rxd, "a")
        self.started(rxd, recorder, "a")
        rxd.stop()
        code, said = recorder.wait()
        self.assertEqual(code, 1)
        self.assertIn("ended", said)
        self.assertTrue(recorder.events())

    def test_a_reload_goes_on_and_one_that_drops_the_source_says_so(self):
        config = {"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a"}}}
        rxd = self.daemon(config)
        recorder = Recorder(self, rxd, "a")
        self.started(rxd, recorder, "a")
        rxd.config.write_text(json.dumps({**config, "pipelines": {"p": {"from": "a", "pipe": [{"skip": 1}]}}}))
        rxd.signal(signal.SIGHUP)
        harness.wait_for("the reload", lambda: rxd.metrics().sum("rxd_reloads_total") >= 1)
        rxd.post("/sources/a", '{"n": 7}')
        harness.wait_for("it goes on", lambda: recorder.events()[-1]["next"] == {"n": 7})
        rxd.config.write_text(json.dumps({"sources": {"b": {"http": {}}}, "pipelines": {"p": {"from": "b"}}}))
        rxd.signal(signal.SIGHUP)
        code, said = recorder.wait()
        self.assertEqual(code, 1)
        self.assertIn("the config was reloaded", said)

    def test_a_source_is_followed_like_a_stream(self):
        rxd = self.daemon({"sources": {"a": {"http": {}}}, "pipelines": {"p": {"from": "a"}}})
        self.assertEqual(rxd.get("/sources/a").status, 204)
        self.assertEqual(rxd.get("/sources/nobody").status, 404)
        self.assertEqual(rxd.get("/sources/a?what=1").status, 400)
        rxd.post("/sources/a", '{"n": 1}')
        harness.wait_for("the newest", lambda: rxd.json("/sources/a") == {"n": 1})
        self.assertEqual(rxd.json("/sources/a?last=1&filter=n%20%3D%3D%201"), [{"n": 1}])
        # Nobody follows: after a while nothing is kept any more, and who comes then begins anew.
        self.assertEqual(rxd.metrics().sum("rxd_source_taps"), 1)
        harness.wait_for("it is let go", lambda: rxd.metrics().sum("rxd_source_taps") == 0)
        self.assertEqual(rxd.get("/sources/a").status, 204)


if __name__ == "__main__":
    harness.main()
