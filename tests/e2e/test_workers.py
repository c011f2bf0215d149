#!/usr/bin/env python3
"""Several workers: pipelines that share a stream live on one, and nobody outside notices which."""

import json

import harness

CONFIG = {
    "workers": 3,
    "sources": {name: {"http": {}} for name in ("a", "b", "c")},
    "pipelines": {
        "of_a": {"from": "a", "pipe": [{"map": {"v": "n + 1"}}]},
        "of_b": {"from": "b", "pipe": [{"map": {"v": "n + 2"}}]},
        "of_c": {"from": "c", "pipe": [{"map": {"v": "n + 3"}}]},
        "of_a_and_b": {"from": ["of_a", "of_b"]},
    },
}


class Workers(harness.EndToEnd):
    def test_each_source_reaches_its_pipelines(self):
        rxd = self.daemon(CONFIG)
        for name, value in (("a", 1), ("b", 2), ("c", 3)):
            self.assertEqual(rxd.post(f"/sources/{name}", '{"n": 0}', "application/json").status, 202)
            stream = f"/streams/of_{name}"
            harness.wait_for(stream, lambda: json.loads(rxd.get(stream).text or "0") == {"v": value})
        harness.wait_for("both", lambda: [e["v"] for e in json.loads(rxd.get("/streams/of_a_and_b?last=2").text)] == [1, 2])
        used = [line for line in rxd.get("/metrics").text.splitlines() if line.startswith("rxd_worker_turns_total")]
        self.assertEqual(len(used), 3)


if __name__ == "__main__":
    harness.main()
