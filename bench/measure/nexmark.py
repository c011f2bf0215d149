"""Nexmark's q0 to q2, q5, q7 and q8 by rxd: events as JSON from a file, and decoded beforehand, in memory.

The queries are those of Beam's and Flink's Nexmark suites, by event time, their results served (and read by nobody), as those suites write
theirs to a sink that drops them. q5 puts out one auction where several have the most bids.
"""
from measure import feeds
from measure.rxd import memory, over_file
from measure.table import Job

EVENTS = 2_000_000
BIDS = "      - filter: kind == \"bid\"\n"
QUERIES = {
    "q0": """
  q0:
    from: events
    pipe:
""" + BIDS + """      - map: { auction: auction, bidder: bidder, price: price, at: at, extra: extra }
""",
    "q1": """
  q1:
    from: events
    pipe:
""" + BIDS + """      - map: { auction: auction, bidder: bidder, price: 0.908 * price, at: at, extra: extra }
""",
    "q2": """
  q2:
    from: events
    pipe:
      - filter: kind == "bid" && auction % 123 == 0
      - map: { auction: auction, price: price }
""",
    "q5": """
  counts:
    from: events
    pipe:
""" + BIDS + """      - group_by: { by: auction, max_keys: 1000000 }
      - window: { size: 10s, every: 2s }
      - aggregate: { n: count() }
  q5:
    from: counts
    pipe:
      - window: 2s
      - aggregate: { n: max(n), auction: "top(1, n, auction)" }
""",
    "q7": """
  q7:
    from: events
    pipe:
""" + BIDS + """      - window: 10s
      - aggregate: { price: max(price), bid: "top(1, price, {'auction': auction, 'bidder': bidder, 'at': at})" }
""",
    "q8": """
  people:
    from: events
    pipe:
      - filter: kind == "person"
      - group_by: { by: id, max_keys: 1000000 }
      - window: 10s
      - aggregate: { name: last(name) }
  sellers:
    from: events
    pipe:
      - filter: kind == "auction"
      - group_by: { by: { id: seller }, max_keys: 1000000 }
      - window: 10s
      - aggregate: { n: count() }
  q8:
    join: { person: people, auctions: sellers }
    by: [id, window]
    max_held: 1000000
    pipe:
      - map: { id: id, name: person.name, window: window }
""",
}


def config(query, source, event_time=", event_time: { field: at, unit: ms }", to=""):
    return "sources: { events: { %s%s } }\npipelines:%s%s" % (source, event_time, QUERIES[query], to)


def in_memory(rxd, query):
    return memory(rxd, config(query, "http: {}", event_time=""), feeds.file("nexmark", EVENTS))


def from_file(rxd, query):
    return over_file(rxd, config(query, "file: { path: %s }" % feeds.file("nexmark", EVENTS)), EVENTS)


def jobs(rxds):
    for name, run in (("JSON from a file", from_file), ("in memory", in_memory)):
        for query in QUERIES:
            yield Job("Nexmark %s, %s" % (query, name), {who: lambda rxd=rxd, query=query, run=run: run(rxd, query) for who, rxd in rxds.items()})
