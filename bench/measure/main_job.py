"""The main job, JSON -> filter -> group_by device -> 5 s average, from each feed, by rxd and by the limit."""
import os
import shutil
import subprocess
import tempfile
import time

from measure import feeds
from measure.process import OTHERS, Daemon, Process, free_port, listens
from measure.table import Job, Sample

LIMIT = "build/bin/bench_limit"
EVENTS = 2_000_000
REPEATED = 2  # the canned buffer holds EVENTS / REPEATED
PIPE = """
pipelines:
  avg:
    from: s
    pipe:
      - filter: metric == "temperature"
      - group_by: device
      - window: 5s
      - aggregate: { avg: avg(value), max: max(value), n: count() }
"""
RECEIVED = 'rxd_step_in_total{pipeline="avg",step="1.filter"}'


def sample(daemon, cpu, began, events):
    with daemon:
        at, last = daemon.used(RECEIVED, events)
        return Sample(at - cpu, last - began, events, daemon.rss())


def rxd_file(rxd, path):
    """From the start of the process, since a file is read at once."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, "sources: { s: { file: { path: %s } } }%s" % (path, PIPE))
        return sample(daemon, 0, daemon.began, EVENTS)


def rxd_http(rxd, path):
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, "sources: { s: { http: {} } }" + PIPE)
        cpu, began = daemon.cpu(), time.monotonic()
        feeds.post(daemon.port, feeds.bodies(path))
        return sample(daemon, cpu, began, EVENTS)


def rxd_mqtt(rxd, packets):
    broker = feeds.CannedBroker(packets, REPEATED)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, "brokers: { b: { url: mqtt://127.0.0.1:%d } }\n"
                                     "sources: { s: { mqtt: { broker: b, topic: s } } }%s" % (broker.port, PIPE))
        daemon.wait_until(broker.ready.is_set)
        cpu, began = daemon.cpu(), time.monotonic()
        broker.go()
        return sample(daemon, cpu, began, EVENTS)


def ended(process):
    cpu, rss = process.end()
    return Sample(cpu, time.monotonic() - process.began, EVENTS, rss)


def limit_file(path):
    return ended(Process([LIMIT, "file", path]))


def limit_http(path):
    process = Process([LIMIT, "http", str(EVENTS)], err=subprocess.PIPE)
    feeds.post(int(process.process.stderr.readline()), feeds.bodies(path))
    return ended(process)


def limit_mqtt(packets):
    broker = feeds.CannedBroker(packets, REPEATED)
    broker.go()
    return ended(Process([LIMIT, "mqtt", str(broker.port), str(EVENTS)]))


MOSQUITTO = """listener %d 127.0.0.1
allow_anonymous true
max_queued_messages 0
log_type error
"""


def through_mosquitto(rxd, rate=100_000, seconds=5):
    """Events of a real broker, at that rate or what it takes: by how much CPU each."""
    brokers = "brokers: { b: { url: mqtt://127.0.0.1:%d } }\n" % (port := free_port())
    broker_program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        with open(os.path.join(a, "mosquitto.conf"), "w") as conf:
            conf.write(MOSQUITTO % port)
        with Process([broker_program, "-c", conf.name], core=OTHERS) as broker:
            broker.wait_until(lambda: listens(port))
            with Daemon(rxd, a, brokers + "sources: { s: { mqtt: { broker: b, topic: \"t/{d}\" } } }" + PIPE) as reader, \
                    Daemon("build/bin/rxd", b, brokers + "sources: { s: { simulate: { rate: %d, devices: 1000 } } }\n"
                           "pipelines: { p: { from: s, to: [ mqtt: { broker: b, topic: \"t/{device}\" } ] } }" % rate, core=OTHERS):
                name = "rxd_source_received_total"
                reader.wait_until(lambda: reader.metric(name) > rate)
                n, cpu, began = reader.metric(name), reader.cpu(), time.monotonic()
                time.sleep(seconds)
                return Sample(reader.cpu() - cpu, time.monotonic() - began, int(reader.metric(name) - n), reader.rss())


def jobs(rxds):
    """`rxds`: name -> program."""
    path = feeds.file("sensors", EVENTS)
    packets = feeds.publish_packets(feeds.file("sensors", EVENTS // REPEATED))
    yield Job("main job, canned MQTT", {"limit": lambda: limit_mqtt(packets),
                                        **{who: lambda rxd=rxd: rxd_mqtt(rxd, packets) for who, rxd in rxds.items()}})
    yield Job("main job, file", {"limit": lambda: limit_file(path),
                                 **{who: lambda rxd=rxd: rxd_file(rxd, path) for who, rxd in rxds.items()}})
    yield Job("main job, HTTP in 1 MB bodies", {"limit": lambda: limit_http(path),
                                                **{who: lambda rxd=rxd: rxd_http(rxd, path) for who, rxd in rxds.items()}})
    yield Job("through mosquitto, 100,000/s", {who: lambda rxd=rxd: through_mosquitto(rxd) for who, rxd in rxds.items()})
