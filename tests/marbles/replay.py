"""Runs one config through `rxd replay` and reads back what came out."""

import json
import os
import select
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ReplayError(Exception):
    """rxd refused the config, crashed, hung, or wrote something that is not its format."""


@dataclass
class Outcome:
    rows: list = field(default_factory=list)  # {"at", "stream", "next"|"error"|"complete"}
    subscriptions: dict = field(default_factory=dict)  # source -> [[subscribed, unsubscribed or None], ...]
    text: bytes = b""


def config_text(config):
    """`config`: a tree, or text as a user would write it."""
    return config if isinstance(config, str) else json.dumps(config)


class Replayer:
    """Keeps one scratch folder for configs, so that thousands of cases cost one process each and nothing more."""

    def __init__(self, rxd, flags=(), timeout=20):
        self.rxd, self.flags = str(rxd), list(flags)
        self.timeout = timeout * float(os.environ.get("RXD_TEST_SLOWNESS", 1))
        self.scratch = tempfile.mkdtemp(prefix="rxd-replay-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.config = os.path.join(self.scratch, "case.yaml")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run(self, config, notifications, streams=()):
        return self.run_text(config, "".join(json.dumps(n) + "\n" for n in notifications), streams)

    def run_text(self, config, notifications, streams=()):
        """`config`: the path of one, too; `notifications`: as they are written."""
        if isinstance(config, Path):
            path = str(config)
        else:
            path = self.config
            with open(path, "w", encoding="utf-8") as file:
                file.write(config_text(config))
        status, out, err = self.replay(["-c", path, "--subscriptions", *self.flags, *streams], notifications)
        if status != 0:
            raise ReplayError(f"exit {status}: {err.decode(errors='replace').strip()}")
        return parse(out)

    def replay(self, arguments, text):
        command = [self.rxd, "replay", *arguments]
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=self.timeout, close_fds=False)
        except subprocess.TimeoutExpired:
            raise ReplayError(f"no end after {self.timeout} s") from None
        return done.returncode, done.stdout, done.stderr


class ManyReplayer(Replayer):
    """Runs all its cases in one process of rxd_replays, which stands beside rxd: ten times as fast. A case that ends the
    process, or hangs, costs a new one."""

    def __init__(self, rxd, flags=(), timeout=20):
        super().__init__(rxd, flags, timeout)
        self.process = None
        self.command = [str(Path(rxd).parent / "rxd_replays"), self.scratch]

    def close(self):
        """A sanitizer speaks at the end of the process."""
        process, self.process = self.process, None
        if process:
            process.stdin.close()
            process.stdout.close()
            status = process.wait(self.timeout)
            if status != 0:
                raise ReplayError(f"at its end, exit {status}: {self.read('err').decode(errors='replace').strip()}")
        super().close()

    def read(self, name):
        with open(os.path.join(self.scratch, name), "rb") as file:
            return file.read()

    def replay(self, arguments, text):
        with open(os.path.join(self.scratch, "in"), "w", encoding="utf-8") as file:
            file.write(text)
        if not self.process:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.process.stdin.write("\t".join(arguments).encode() + b"\n")
        status = self.answer()
        return status, self.read("out"), self.read("err")

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.timeout)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return int(line)
        process, self.process = self.process, None
        process.kill()
        status = process.wait()
        if not ready:
            raise ReplayError(f"no end after {self.timeout} s")
        return status


def parse(text):
    outcome = Outcome(text=text)
    for line in text.decode().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            raise ReplayError(f"not JSON: {line!r}") from None
        if "subscribed" in row:
            spans = outcome.subscriptions.setdefault(row["source"], [])
            spans.append([row["subscribed"], row.get("unsubscribed")])
        elif "at" in row and "stream" in row:
            outcome.rows.append(row)
        else:
            raise ReplayError(f"neither an output nor a subscription: {line}")
    for spans in outcome.subscriptions.values():
        spans.sort(key=lambda span: span[0])
    return outcome


def find_rxd(given=None):
    """The binary under test: the argument, $RXD, or the default build."""
    path = Path(given or os.environ.get("RXD") or ROOT / "build" / "bin" / "rxd")
    if not os.access(path, os.X_OK):
        raise SystemExit(f"no rxd at {path}: build it, or say where it is with --rxd or $RXD")
    return path
