"""Chains over events in memory, without a source: what Rx libraries are fast at. The same 20,000 events over and over, which stay in the cache, as
those do that a source has just made."""
from measure import feeds, peers
from measure.rxd import memory
from measure.table import Job

SOURCE = "sources: { s: { http: {} } }\npipelines:\n  p:\n    from: s\n    pipe:\n"
MAPS = SOURCE + "      - map: v + 1.0\n" + 7 * "      - map: event + 1.0\n"
GROUPS = SOURCE + "      - group_by: k\n      - window: 5s\n      - aggregate: { avg: avg(v) }\n"


def jobs(rxds):
    for name, config, kind in (("8 maps, in memory", MAPS, "maps"), ("group_by and average, in memory", GROUPS, "groups")):
        yield Job(name, {**{who: lambda rxd=rxd, config=config: memory(rxd, config, feeds.file("numbers", peers.CHAIN_EVENTS), times=peers.CHAIN_TIMES) for who, rxd in rxds.items()},
                         **peers.of(peers.CHAIN_PEERS[kind])})
