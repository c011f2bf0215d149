"""The main job with Bytewax: python -m bytewax.run bytewax_job:flow, the file's path in FEED.

Lines are read in batches of 1,000 (bytewax.connectors.files: "Number of lines to read per batch"), and windows are folded and not collected
(bytewax.operators.windowing.fold_window: "Build an empty accumulator, then combine values into it").
"""
import json
import os
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink


def fold(a, value):
    return (a[0] + value, a[1] + 1, max(a[2], value))


def merge(a, b):
    return (a[0] + b[0], a[1] + b[1], max(a[2], b[2]))


def wanted(line):
    event = json.loads(line)
    return (event["device"], event["value"]) if event["metric"] == "temperature" else None


flow = Dataflow("main_job")
lines = op.input("in", flow, FileSource(os.environ["FEED"], batch_size=1000))
readings = op.filter_map("read", lines, wanted)
windows = win.fold_window("average", readings, win.SystemClock(),
                          win.TumblingWindower(length=timedelta(seconds=5), align_to=datetime(2024, 1, 1, tzinfo=timezone.utc)),
                          lambda: (0.0, 0, float("-inf")), fold, merge)
op.output("out", windows.down, TestingSink([]))
