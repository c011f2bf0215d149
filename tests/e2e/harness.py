"""What every end-to-end test needs: a broker, a daemon, publishers, subscribers, and the ledger at the end.

Everything listens on loopback ports picked for the run; everything that was started is stopped by who started it. Nothing
sleeps for a result: `wait_for` polls an observable fact until its deadline.
"""

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import websockets

from mqtt_client import MqttClient

ROOT = Path(__file__).resolve().parents[2]
SLOWNESS = float(os.environ.get("RXD_TEST_SLOWNESS", 1))  # how much longer everything may take (sanitizers)
SANITIZER = os.environ.get("RXD_TEST_SANITIZER", "")
DEADLINE = 20 * SLOWNESS
CLIENT = os.environ.get("RXD_E2E_CLIENT")  # who speaks MQTT in rxd; default: rxd itself
FULL = os.environ.get("RXD_E2E_FULL") == "1"  # the sizes of the acceptance checks, not those of every day


def rxd_path():
    path = Path(os.environ.get("RXD") or ROOT / "build" / "bin" / "rxd")
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest(f"no rxd at {path}")
    return str(path)


def run_rxd(*arguments, stdin=b"", cwd=None):
    """A command of rxd that ends by itself."""
    return subprocess.run([rxd_path(), *map(str, arguments)], input=stdin, capture_output=True, timeout=60 * SLOWNESS, cwd=cwd)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, probe, deadline=DEADLINE):
    """The first true answer of `probe`; its exceptions count as "not yet". `what` names it when the time is over."""
    end, last = time.monotonic() + deadline, None
    while True:
        try:
            last = probe()
            if last:
                return last
        except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline} s for: {what} (last: {last!r})")
        time.sleep(0.02)


def finish(process, deadline=DEADLINE):
    """Ends a process that was started here: asks, then insists."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(deadline)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


# --- the broker ------------------------------------------------------------------------------------------------------


class Broker:
    """mosquitto on a port of its own; it can be stopped and started again on the same one."""

    def __init__(self, folder):
        self.port, self.process = free_port(), None
        self.config = Path(folder) / "mosquitto.conf"
        self.log = Path(folder) / "mosquitto.log"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "max_inflight_messages 0\npersistence false\n"
        )

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        command = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([command, "-c", str(self.config)], stdout=log, stderr=log)
        wait_for("the broker listens", lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() or True)
        return self

    def stop(self):
        if self.process:
            finish(self.process)
            self.process = None

    def client(self, **options):
        return MqttClient(self.port, **options)


# --- the daemon ------------------------------------------------------------------------------------------------------


def brokers_in_place(config):
    """The options of sources and sinks that say in place which broker they mean."""
    kinds = list(config.get("sources", {}).values())
    for pipeline in config.get("pipelines", {}).values():
        kinds += [sink for sink in pipeline.get("to", []) if isinstance(sink, dict)]
    return [kind["mqtt"] for kind in kinds if "url" in kind.get("mqtt", {})]


class Daemon:
    """rxd run, from a config tree (or text) in a folder of its own."""

    def __init__(self, folder, config, *flags, name="rxd"):
        self.folder, self.port, self.flags = Path(folder), free_port(), flags
        self.config = self.folder / f"{name}.yaml"
        self.log = self.folder / f"{name}.log"
        if CLIENT and isinstance(config, dict):
            for broker in [*config.get("brokers", {}).values(), *brokers_in_place(config)]:
                broker.setdefault("client", CLIENT)
        self.config.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        self.process = None

    def start(self, ready=True):
        command = [rxd_path(), "run", "-c", str(self.config), "--listen", f"127.0.0.1:{self.port}", *self.flags]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        wait_for("rxd listens", self.listens)
        if ready:
            self.wait_ready()
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"rxd ended with {self.process.returncode}:\n{self.log_text()}")
        return self.get("/healthz").status == 200

    def wait_ready(self):
        wait_for("rxd is ready", lambda: self.get("/readyz").status == 200)

    def stop(self):
        return finish(self.process) if self.process else None

    def signal(self, number):
        self.process.send_signal(number)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.text = answer.read().decode()
            return answer
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def json(self, path):
        answer = self.get(path)
        return json.loads(answer.text) if answer.status == 200 else None

    def post(self, path, body, content_type="application/json"):
        return self.request("POST", path, body, {"Content-Type": content_type})

    def metrics(self):
        return Metrics(self.get("/metrics").text)

    def resident(self):
        """RssAnon in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024


# --- metrics and the ledger ------------------------------------------------------------------------------------------

SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.text, self.samples = text, []
        for line in text.splitlines():
            found = SAMPLE.match(line)
            if found:
                self.samples.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))

    def sum(self, name, **labels):
        return sum(value for n, have, value in self.samples if n == name and labels.items() <= have.items())

    def labels(self, name, *keys):
        """Every combination of these labels that occurs under the name."""
        return {tuple(have.get(k) for k in keys) for n, have, _ in self.samples if n == name}


# For each value of the labels: the first counter is the sum of the others.
LEDGER = [
    (("source",), "rxd_source_received_total", ["rxd_source_decoded_total", "rxd_source_rejected_total"]),
    (("pipeline", "step"), "rxd_step_in_total", ["rxd_step_events_total", "rxd_step_held"]),
    (
        ("pipeline", "sink", "position"),
        "rxd_sink_in_total",
        ["rxd_sink_out_total", "rxd_sink_dropped_total", "rxd_sink_errored_total", "rxd_sink_held"],
    ),
]


def ledger_gaps(metrics):
    """What does not add up, as text; and that there was something to add."""
    gaps = []
    for labels, whole, parts in LEDGER:
        rows = metrics.labels(whole, *labels)
        if not rows and labels == ("source",):
            gaps.append(f"no {whole} in /metrics")
        for row in sorted(rows, key=str):
            where = {k: v for k, v in zip(labels, row) if v is not None}
            left, right = metrics.sum(whole, **where), [metrics.sum(part, **where) for part in parts]
            if left != sum(right):
                gaps.append(f"{whole}{where} = {left:.0f}, but {dict(zip(parts, right))}")
    return gaps


# --- subscribers -----------------------------------------------------------------------------------------------------


class Subscriber:
    """Collects the events of one stream in a thread, until it is closed or the stream ends."""

    def __init__(self, port, stream, query=""):
        self.port, self.path = port, f"/streams/{stream}{query}"
        self.events, self.ids, self.ended, self.failure = [], [], False, None
        self.subscribed = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def start(self):
        self.thread.start()
        if not self.subscribed.wait(DEADLINE):
            raise AssertionError(f"no subscription to {self.path}: {self.failure!r}")
        return self

    def work(self):
        try:
            self.read()
        except Exception as error:  # told by whoever waits for the events
            self.failure = error
        self.ended = True

    def take(self, text):
        self.events.append(json.loads(text))

    def wait(self, what, probe, deadline=DEADLINE):
        return wait_for(f"{type(self).__name__} {self.path}: {what}", lambda: probe(list(self.events)), deadline)


class HttpSubscriber(Subscriber):
    accept = None

    def __init__(self, port, stream, query="", last_id=None):
        super().__init__(port, stream, query)
        self.last_id, self.connection = last_id, None

    def read(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=None)
        headers = {"Accept": self.accept, **({"Last-Event-ID": self.last_id} if self.last_id else {})}
        self.connection.request("GET", self.path, headers=headers)
        self.socket = self.connection.sock
        answer = self.connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} {answer.read()!r}")
        assert answer.getheader("Content-Type", "").startswith(self.accept), answer.getheader("Content-Type")
        self.subscribed.set()
        for line in answer:
            self.line(line.decode().rstrip("\r\n"))

    def close(self):
        with contextlib.suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(DEADLINE)
        self.connection.close()


class NdjsonSubscriber(HttpSubscriber):
    accept = "application/x-ndjson"

    def line(self, text):
        if text:
            self.take(text)


class SseSubscriber(HttpSubscriber):
    accept = "text/event-stream"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.fields = {}

    def line(self, text):
        if text:
            name, _, value = text.partition(":")
            self.fields[name] = value.removeprefix(" ")
        else:
            if "data" in self.fields and self.fields.get("event", "message") in ("message", "next", self.path[9:]):
                self.ids.append(self.fields.get("id"))
                self.take(self.fields["data"])
            self.fields = {}


class WebSocketSubscriber(Subscriber):
    def read(self):
        asyncio.run(self.session())

    async def session(self):
        self.loop, self.closing = asyncio.get_running_loop(), asyncio.Event()
        url = f"ws://127.0.0.1:{self.port}{self.path}"
        async with websockets.connect(url, max_size=None, max_queue=None, ping_interval=None, close_timeout=1) as connection:
            self.subscribed.set()
            reader = asyncio.create_task(self.receive(connection))
            closer = asyncio.create_task(self.closing.wait())
            await asyncio.wait({reader, closer}, return_when=asyncio.FIRST_COMPLETED)
            reader.cancel()

    async def receive(self, connection):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in connection:
                self.take(text)

    def close(self):
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.closing.set)
        self.thread.join(DEADLINE)


SUBSCRIBERS = {"sse": SseSubscriber, "ndjson": NdjsonSubscriber, "websocket": WebSocketSubscriber}


# --- the test case ---------------------------------------------------------------------------------------------------


class EndToEnd(unittest.TestCase):
    """Starts what a scenario asks for, and checks every daemon's ledger before it is stopped."""

    def setUp(self):
        rxd_path()
        self.folder = tempfile.mkdtemp(prefix="rxd-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.daemons = []

    def broker(self, start=True):
        broker = Broker(self.folder)
        self.addCleanup(broker.stop)
        return broker.start() if start else broker

    def client(self, broker, **options):
        client = broker.client(**options)
        self.addCleanup(client.close)
        return client

    def daemon(self, config, *flags, ready=True, name="rxd"):
        daemon = Daemon(self.folder, config, *flags, name=name)
        self.addCleanup(daemon.stop)
        daemon.start(ready)
        self.daemons.append(daemon)
        self.addCleanup(self.stop_daemon, daemon)
        return daemon

    def stop_daemon(self, daemon):
        """A daemon ends with 0 when asked to; under a sanitizer that also says that nothing leaked."""
        self.assertEqual(daemon.stop(), 0, daemon.log_text()[-4000:])

    def subscribe(self, daemon, kind, stream, **options):
        subscriber = SUBSCRIBERS[kind](daemon.port, stream, **options).start()
        self.addCleanup(subscriber.close)
        return subscriber

    def tearDown(self):
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                self.check_ledger(daemon)
        if self.failed():
            for daemon in self.daemons:
                print(f"--- {daemon.log.name}\n{daemon.log_text()[-4000:]}")

    def failed(self):
        result = getattr(self._outcome, "result", None)
        return result is not None and any(case is self for case, _ in [*result.failures, *result.errors])

    def check_ledger(self, daemon):
        """Counters come from the workers by message, so the sums are given a moment to arrive."""
        def adds_up():
            gaps = ledger_gaps(daemon.metrics())
            if gaps:
                raise AssertionError("\n".join(gaps))
            return True
        wait_for("the ledger adds up", adds_up, 5 * SLOWNESS)


class UserTestFiles(EndToEnd):
    """A folder with a config, `config`, beside which files of users' tests are written."""

    config = ""

    def setUp(self):
        super().setUp()
        self.here = Path(self.folder)
        (self.here / "rxd.yaml").write_text(self.config)

    def write(self, text, name="test.yaml"):
        (self.here / name).write_text(text)
        return self.here / name


def main():
    unittest.main(verbosity=2)
