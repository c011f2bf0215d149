// The main job with RxJS, from a file or over MQTT with mqtt.js, and its chains over events in memory.
//   node rxjs.mjs file PATH PASSES | mqtt PORT EVENTS PASSES | maps PATH PASSES TIMES | groups PATH PASSES TIMES
// Says "pass" behind each pass. Windows outside, groups inside: one timer instead of one for each device.
// Lines by event and not by `for await`: "Currently, for-await-of loop can be a bit slower. If async / await flow and speed are both
// essential, a mixed approach can be applied" (Node.js, doc/api/readline.md, Example: Read file stream line-by-line).
import { once } from "node:events";
import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import mqtt from "mqtt";
import { Subject, filter, from, groupBy, map, mergeMap, reduce, windowTime } from "rxjs";

const [kind, what, ...numbers] = process.argv.slice(2);
const pass = () => console.log("pass");
const job = (source) => source.pipe(
    filter((e) => e.metric === "temperature"),
    windowTime(5000),
    mergeMap((window) => window.pipe(
        groupBy((e) => e.device),
        mergeMap((group) => group.pipe(
            reduce((a, e) => { a.sum += e.value; a.n++; if (e.value > a.max) a.max = e.value; return a; }, { device: group.key, sum: 0, n: 0, max: -Infinity }),
            map((a) => ({ device: a.device, avg: a.sum / a.n, max: a.max, n: a.n })))))));

async function file(path, passes) {
    for (let i = 0; i < passes; i++) {
        const source = new Subject();
        let results = 0;
        job(source.pipe(map((line) => JSON.parse(line)))).subscribe(() => results++);
        const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
        lines.on("line", (line) => source.next(line));
        await once(lines, "close");
        source.complete();
        pass();
    }
}

function broker(port, events, passes) {
    const source = new Subject();
    let count = 0, results = 0;
    job(source.pipe(map((payload) => JSON.parse(payload)))).subscribe(() => results++);
    const client = mqtt.connect({ host: "127.0.0.1", port, reconnectPeriod: 0 });
    client.on("connect", () => client.subscribe("s"));
    client.on("message", (topic, payload) => {
        source.next(payload);
        if (++count % events === 0) {
            pass();
            if (count === events * passes) process.exit(0);
        }
    });
}

const chains = {
    maps: (source) => Array(7).fill(map((x) => x + 1)).reduce((s, step) => s.pipe(step), source.pipe(map((e) => e.v + 1))),
    groups: (source) => source.pipe(groupBy((e) => e.k), mergeMap((group) => group.pipe(
        reduce((a, e) => { a.sum += e.v; a.n++; return a; }, { sum: 0, n: 0 }), map((a) => ({ k: group.key, avg: a.sum / a.n }))))),
};

function memory(kind, path, passes, times) {
    const once = readFileSync(path, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
    const events = Array.from({ length: once.length * times }, (_, i) => once[i % once.length]);
    console.log("ready");
    for (let i = 0; i < passes; i++) {
        let last;
        chains[kind](from(events)).subscribe((x) => (last = x));
        pass();
    }
}

if (kind === "file") await file(what, +numbers[0]);
else if (kind === "mqtt") broker(+what, +numbers[0], +numbers[1]);
else memory(kind, what, +numbers[0], +numbers[1]);
