"""The main job, JSON -> filter -> group_by device -> 5 s average, from each feed, by rxd and by the limit."""
import os
import shutil
import subprocess
import tempfile
import time

from measure import feeds, peers
from measure.process import OTHERS, Process, ended, free_port, listens
from measure.rxd import RECEIVED, Daemon, over_file
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


def rxd_file(rxd):
    return over_file(rxd, "sources: { s: { file: { path: %s } } }%s" % (sensors(), PIPE), EVENTS)


def rxd_http(rxd):
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, "sources: { s: { http: {} } }" + PIPE)
        cpu, began = daemon.cpu(), time.monotonic()
        feeds.post(daemon.port, feeds.bodies(sensors()))
        return daemon.sample(cpu, began, EVENTS)


def rxd_mqtt(rxd):
    broker = feeds.CannedBroker(packets(), REPEATED)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(rxd, folder, "brokers: { b: { url: mqtt://127.0.0.1:%d } }\n"
                                     "sources: { s: { mqtt: { broker: b, topic: s } } }%s" % (broker.port, PIPE))
        daemon.wait_until(broker.ready.is_set)
        cpu, began = daemon.cpu(), time.monotonic()
        broker.go()
        return daemon.sample(cpu, began, EVENTS)


def limit_file():
    return ended(Process([LIMIT, "file", sensors()]), EVENTS)


def limit_http():
    process = Process([LIMIT, "http", str(EVENTS)], err=subprocess.PIPE)
    port = int(process.process.stderr.readline())
    feeds.post(port, (process.note_rss() or body for body in feeds.bodies(sensors())))
    return ended(process, EVENTS)


def limit_mqtt():
    broker = feeds.CannedBroker(packets(), REPEATED)
    broker.go()
    return ended(Process([LIMIT, "mqtt", str(broker.port), str(EVENTS)]), EVENTS)


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
                reader.wait_until(lambda: reader.metric(RECEIVED) > rate)
                n, cpu, began = reader.metric(RECEIVED), reader.cpu(), time.monotonic()
                time.sleep(seconds)
                return Sample(reader.cpu() - cpu, time.monotonic() - began, int(reader.metric(RECEIVED) - n), reader.rss())


def sensors():
    return feeds.file("sensors", EVENTS)


def packets():
    return feeds.publish_packets(feeds.file("sensors", EVENTS // REPEATED))


def jobs(rxds):
    """`rxds`: name -> program."""
    def all_of(limit, run, others=()):
        return {**({"limit": limit} if limit else {}), **{who: lambda rxd=rxd: run(rxd) for who, rxd in rxds.items()}, **peers.of(others)}
    yield Job("main job, canned MQTT", all_of(limit_mqtt, rxd_mqtt, peers.MQTT_PEERS))
    yield Job("main job, file", all_of(limit_file, rxd_file, peers.FILE_PEERS))
    yield Job("main job, HTTP in 1 MB bodies", all_of(limit_http, rxd_http))
    yield Job("through mosquitto, 100,000/s", all_of(None, through_mosquitto))
