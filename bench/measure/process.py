"""Processes that are measured: pinned to one core, with their CPU time to the nanosecond and their memory, seen from outside."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

from measure.table import Sample

CORES = sorted(os.sched_getaffinity(0))
MEASURED = CORES[-1]                    # whoever is measured has this core,
OTHERS = set(CORES[:-1]) or set(CORES)  # and what feeds it the others


def give_way():
    """Keeps this process, and what it starts, off the measured core."""
    os.sched_setaffinity(0, OTHERS)


def cpu_of(pid):
    """Seconds of user and system time of all threads (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def fail(why):
    sys.exit("bench: " + why)


class Process:
    """One that is measured. `out` and `err` as subprocess takes them."""

    def __init__(self, command, out=subprocess.DEVNULL, err=subprocess.DEVNULL, env=None, folder=None, core=frozenset([MEASURED])):
        self.command = command
        self.began = time.monotonic()
        self.most = 0
        self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=env, cwd=folder,
                                        preexec_fn=lambda: os.sched_setaffinity(0, core))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def cpu(self):
        return cpu_of(self.process.pid)

    def rss(self):
        """The most it ever had, in MB."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) / 1024

    def note_rss(self):
        with contextlib.suppress(OSError, TypeError):
            self.most = self.rss()

    def wait_until(self, done, seconds=120):
        end = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None:
                fail("%s has ended" % self.command)
            if time.monotonic() > end:
                fail("%s: waited in vain" % self.command)
            time.sleep(0.005)

    def end(self):
        """Waits for its own end: what it used in seconds, and the most memory in MB (that of rusage begins with the parent's)."""
        pid = 0
        while not pid:
            self.note_rss()
            time.sleep(0.001)
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode:
            fail("%s: exit status %d" % (self.command, self.process.returncode))
        return usage.ru_utime + usage.ru_stime, self.most

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def ended(process, events):
    """The sample of a process that ends when it is done, from its start."""
    cpu, rss = process.end()
    return Sample(cpu, time.monotonic() - process.began, events, rss)
