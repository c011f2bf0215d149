"""The billion-row job: CSV rows STATION,CELSIUS of a file -> least, mean and greatest of each station.

The window is one that nothing ends but the file: with one between them the steps run as one, which is what `rxd check` advises of group_by and
aggregate ("put a window between them").
"""
from measure import feeds
from measure.process import Process, ended
from measure.rxd import over_file
from measure.table import Job

EVENTS = 10_000_000
LIMIT = "build/bin/bench_limit_rows"
CONFIG = """
sources: { rows: { file: { path: %s }, format: csv, csv: { header: [station, celsius] } } }
pipelines:
  stations:
    from: rows
    pipe:
      - group_by: station
      - window: 365d
      - aggregate: { min: min(celsius), mean: avg(celsius), max: max(celsius) }
"""


def rows():
    return feeds.file("rows", EVENTS)


def jobs(rxds):
    yield Job("billion-row job, 10 M rows", {"limit": lambda: ended(Process([LIMIT, rows()]), EVENTS),
                                             **{who: lambda rxd=rxd: over_file(rxd, CONFIG % rows(), EVENTS) for who, rxd in rxds.items()}})
