// Node-RED without its editor: `mqtt in` (which parses), `switch`, and a `function` that holds the groups and sends them every five seconds.
//   node node-red.cjs NODE_RED_FOLDER PORT EVENTS      NODE_RED_FOLDER: node_modules/node-red
// Embedded as "Embedding into an existing app" of its user guide shows. Groups are in the function's sandbox, made by its setup code ("code that
// will be run whenever the node is started", help of the function node), and not in its context, which would be read and written for each message.
const folder = process.argv[2], port = +process.argv[3], events = +process.argv[4];
const http = require("node:http"), os = require("node:os"), path = require("node:path"), fs = require("node:fs");
const RED = require(path.resolve(folder));

const groups = `
let group = groups.get(msg.payload.device);
if (!group) groups.set(msg.payload.device, group = { sum: 0, n: 0, max: -Infinity });
group.sum += msg.payload.value;
group.n++;
if (msg.payload.value > group.max) group.max = msg.payload.value;
if (++state.count % ${events} === 0) console.log("pass");
return null;`;
const initialize = `
globalThis.groups = new Map();
globalThis.state = { count: 0 };
globalThis.timer = setInterval(() => {
    for (const [device, g] of groups) node.send({ payload: { device, avg: g.sum / g.n, max: g.max, n: g.n } });
    groups.clear();
}, 5000);`;
const flow = [
    { id: "tab", type: "tab", label: "main job" },
    { id: "broker", type: "mqtt-broker", broker: "127.0.0.1", port, clientid: "", usetls: false, protocolVersion: "4", keepalive: "60", cleansession: true },
    { id: "in", z: "tab", x: 100, y: 100, type: "mqtt in", topic: "s", qos: "0", datatype: "json", broker: "broker", wires: [["switch"]] },
    { id: "switch", z: "tab", x: 100, y: 100, type: "switch", property: "payload.metric", propertyType: "msg",
      rules: [{ t: "eq", v: "temperature", vt: "str" }], checkall: "true", outputs: 1, wires: [["groups"]] },
    { id: "groups", z: "tab", x: 100, y: 100, type: "function", func: groups, initialize, finalize: "clearInterval(timer);", outputs: 1, wires: [[]] },
];
const userDir = fs.mkdtempSync(path.join(os.tmpdir(), "node-red-"));
const settings = { httpAdminRoot: false, httpNodeRoot: false, userDir, flowFile: "flows.json", logging: { console: { level: "fatal" } },
                   functionGlobalContext: {}, telemetry: { enabled: false } };
fs.writeFileSync(path.join(userDir, "flows.json"), JSON.stringify(flow));
process.on("exit", () => fs.rmSync(userDir, { recursive: true, force: true }));
process.on("SIGTERM", () => process.exit(0));
RED.init(http.createServer(), settings);
RED.start();
