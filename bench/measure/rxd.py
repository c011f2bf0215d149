"""rxd as it is measured: a daemon with a config, asked for its counters only when it rests."""
import http.client
import os
import subprocess
import tempfile
import time

from measure.process import Process, fail, free_port
from measure.table import Sample

RECEIVED = "rxd_source_received_total"


class Daemon(Process):
    """rxd with a config, once it listens."""

    def __init__(self, rxd, folder, config, **options):
        self.port = free_port()
        path = os.path.join(folder, "bench.yaml")
        with open(path, "w") as f:
            f.write("http: { listen: 127.0.0.1:%d, max_body: 4MiB }\n%s" % (self.port, config))
        self.log = os.path.join(folder, "log")
        with open(self.log, "w") as log:
            super().__init__([rxd, "run", "-c", path], err=log, **options)
        self.wait_until(lambda: self.get("/healthz") is not None)

    def get(self, path):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            c.request("GET", path)
            return c.getresponse().read().decode()
        except OSError:
            return None

    def metric(self, name):
        for line in (self.get("/metrics") or "").splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def used(self, name, events, seconds=120):
        """Waits until the metric has reached that many: CPU seconds then, and the instant of the last work. It is only asked for when
        the process has come to rest, so that asking costs nothing."""
        end = time.monotonic() + seconds
        cpu, since = self.cpu(), time.monotonic()
        while True:
            time.sleep(0.002)
            now, at = time.monotonic(), self.cpu()
            if at - cpu > 0.0002:
                cpu, since = at, now
            elif now - since > 0.05:
                if self.metric(name) >= events:
                    return cpu, since
                cpu, since = self.cpu(), time.monotonic()
            if now > end or self.process.poll() is not None:
                with open(self.log) as log:
                    fail("waited in vain for %s to reach %d: it is %d\n%s" % (name, events, self.metric(name), log.read()[-2000:]))

    def sample(self, cpu, began, events):
        """What it took from then until it had received all events, and ends it."""
        with self:
            at, last = self.used(RECEIVED, events)
            return Sample(at - cpu, last - began, events, self.rss())


def over_file(rxd, config, events):
    """From the start of the process, since a file is read at once."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, config)
        return daemon.sample(0, daemon.began, events)


def memory(rxd, config, path, field="at", times=1):
    """The steps alone: bench_memory, of the same build, says itself what the events cost, since making them is not of the job."""
    program = os.path.join(os.path.dirname(rxd), "bench_memory")
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "memory.yaml")
        with open(name, "w") as f:
            f.write(config)
        with Process([program, name, path, field, str(times)], out=subprocess.PIPE) as process:
            said = process.process.stdout.read().split()
            if len(said) != 3:
                fail("%s says %s" % (program, said))
            return Sample(float(said[1]), float(said[1]), int(said[0]), float(said[2]))
