"""Other libraries at the same work: installed in build/peers (never in the tree) from the registries of their languages, each set up as its own
documentation advises (quoted in bench/peers), on the same feed and core. Their warm-up does not count."""
import json
import os
import shutil
import subprocess
import time

from measure import feeds
from measure.process import Process, ended, fail
from measure.table import Sample, tell

FOLDER = "build/peers"
SOURCES = "bench/peers"
PASSES = 4  # the third counts; there is a fourth, so that its process still lives then
JVM = ["java", "-cp", "%s/jvm/classes:%s/jvm/lib/*" % (FOLDER, FOLDER), "Peer"]
NEVER = {"Siddhi": "io.siddhi:siddhi-core is not in the Maven registry", "eKuiper": "github.com/lf-edge/ekuiper is not served as a Go module"}


# ---- installing ----

def run(*command, folder=None):
    if not shutil.which(command[0]):
        raise OSError("%s is not installed" % command[0])
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        raise OSError("%s: %s" % (" ".join(command[:3]), (said or ["it failed"])[-1].strip()))


def install_node(folder):
    shutil.copy(SOURCES + "/package.json", folder)
    run("npm", "install", "--no-audit", "--no-fund", "--silent", folder=folder)


def install_jvm(folder):
    run("mvn", "-q", "-B", "-f", SOURCES + "/jvm/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=" + os.path.abspath(folder + "/lib"))
    java = [os.path.join(SOURCES, "jvm", name) for name in os.listdir(SOURCES + "/jvm") if name.endswith(".java")]
    run("javac", "-nowarn", "-cp", folder + "/lib/*", "-d", folder + "/classes", *java)


def install_go(folder):
    module = "github.com/redpanda-data/benthos/v4/public/"
    shutil.copy(SOURCES + "/benthos/main.go", folder)
    with open(folder + "/go.mod", "w") as f:
        f.write("module bench\n\ngo 1.24\n")
    run("go", "get", *(module + name + "@v4.60.0" for name in ("service", "components/io", "components/pure")), folder=folder)
    run("go", "build", "-o", "benthos", ".", folder=folder)


def install_python(folder):
    run("python3", "-m", "venv", folder)
    run(folder + "/bin/pip", "install", "-q", "bytewax==0.21.1")


INSTALLERS = {"node": install_node, "jvm": install_jvm, "go": install_go, "python": install_python}
STATE = os.path.join(FOLDER, "state.json")  # what is there: name -> "" or why not


def install():
    state = {}
    for name, installer in INSTALLERS.items():
        tell("installing the peers of " + name)
        folder = os.path.join(FOLDER, name)
        os.makedirs(folder, exist_ok=True)
        try:
            installer(folder)
            state[name] = ""
        except OSError as error:
            state[name] = str(error)
    with open(STATE, "w") as f:
        json.dump(state, f)
    tell("")


def state():
    try:
        with open(STATE) as f:
            return json.load(f)
    except OSError:
        return {name: "not installed: ./dev bench --peers does" for name in INSTALLERS}


def missing():
    """Lines that say who is not there, and why."""
    there = state()
    return ["%s: %s" % (who, there[group]) for who, group, *_ in FILE_PEERS + MQTT_PEERS if there[group]] + \
        ["%s: %s" % pair for pair in NEVER.items()]


# ---- running ----

def passes(command, events, before=lambda: None, each=lambda: None, **options):
    """The third pass of a program that says "pass" behind each. `before` its first line, `each` before every pass."""
    with Process(command, out=subprocess.PIPE, **options) as process:
        before()
        each()
        marks = []
        for line in process.process.stdout:
            if line.strip() != b"pass":
                continue
            marks.append((process.cpu(), time.monotonic()))
            if len(marks) == PASSES - 1:
                return Sample(marks[2][0] - marks[1][0], marks[2][1] - marks[1][1], events, process.rss())
            each()
    fail("%s ended after %d passes" % (command, len(marks)))


def script(name):
    """Beside its libraries, where Node.js looks for them."""
    return shutil.copy(os.path.join(SOURCES, name), os.path.join(FOLDER, "node", name))


def over_mqtt(events, command):
    broker = feeds.CannedBroker(feeds.publish_packets(feeds.file("sensors", events)))
    return passes(command(broker.port), events, before=lambda: broker.ready.wait(60) or fail("a peer has not subscribed"), each=broker.go)


def rxjs_file(events):
    return passes(["node", script("rxjs.mjs"), "file", feeds.file("sensors", events), str(PASSES)], events)


def rxjs_mqtt(events):
    return over_mqtt(events, lambda port: ["node", script("rxjs.mjs"), "mqtt", str(port), str(events), str(PASSES)])


def node_red(events):
    return over_mqtt(events, lambda port: ["node", script("node-red.cjs"), FOLDER + "/node/node_modules/node-red", str(port), str(events)])


def jvm(who):
    return lambda events: passes([*JVM, who, "main", feeds.file("sensors", events), str(PASSES), str(events)], events, err=subprocess.DEVNULL)


def chain(*command):
    return lambda events: passes([*command, feeds.file("numbers", events), str(PASSES), str(CHAIN_TIMES)], events * CHAIN_TIMES, err=subprocess.DEVNULL)


def benthos(events):
    env = {**os.environ, "FEED": os.path.abspath(feeds.file("sensors", events))}
    return ended(Process([FOLDER + "/go/benthos", "run", SOURCES + "/benthos/benthos.yaml"], env=env), events)


def bytewax(events):
    env = {**os.environ, "FEED": os.path.abspath(feeds.file("sensors", events)), "PYTHONPATH": SOURCES}
    return ended(Process([FOLDER + "/python/bin/python", "-m", "bytewax.run", "bytewax_job:flow"], env=env), events)


def rxjs_chain(kind):
    return lambda events: chain("node", script("rxjs.mjs"), kind)(events)


# Who, of which installer, events of a pass, how.
MQTT_PEERS = [("mqtt.js+RxJS", "node", 500_000, rxjs_mqtt), ("Node-RED", "node", 50_000, node_red)]
FILE_PEERS = [("RxJava", "jvm", 1_000_000, jvm("rxjava")), ("Reactor", "jvm", 1_000_000, jvm("reactor")), ("RxJS", "node", 500_000, rxjs_file),
              ("Esper", "jvm", 500_000, jvm("esper")), ("Flink", "jvm", 500_000, jvm("flink")), ("Bytewax", "python", 200_000, bytewax),
              ("Benthos", "go", 200_000, benthos)]
CHAIN_EVENTS, CHAIN_TIMES = 20_000, 100
CHAIN_PEERS = {kind: [("RxJava", "jvm", CHAIN_EVENTS, chain(*JVM, "rxjava", kind)), ("Reactor", "jvm", CHAIN_EVENTS, chain(*JVM, "reactor", kind)),
                      ("RxJS", "node", CHAIN_EVENTS, rxjs_chain(kind))] for kind in ("maps", "groups")}


def of(peers):
    """Those that are there: name -> how it is run once."""
    there = state()
    return {who: (lambda how=how, events=events: how(events)) for who, group, events, how in peers if not there[group]}
