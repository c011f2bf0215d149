// One stream on the page: its facts, chart and latest events; connected while it may be live.
import { Chart } from "./chart.js";
import { capital, element, formatAge, formatNumber, formatSince, parseTime, setText } from "./dom.js";
import { ALL, MAX_SERIES, Series } from "./series.js";

const TAIL_LINES = 20;
const MAX_LINE = 400;
const HISTORY = 100;
const DRAW_EVERY = 500; // ms
const CHARTED_PER_DRAW = 500; // of a faster stream only the first so many of each drawing go into the chart

const SOCKET_STATES = ["connecting", "live", "closed"];

export class Card {
  #series = new Series();
  #chart;
  #source = null;
  #lastId = "";
  #tail = [];
  #tailChanged = false;
  #charted = 0;
  #sampled = false;
  #choicesShown = -1;
  #facts = {};
  #trouble; // the condition that stands for this stream
  #goneSince; // when the daemon stopped answering
  #ended = ""; // how the stream ended
  #endedTime;
  #endedAt; // the newest id at that time: another one means that it runs again
  #parts = {};
  #timer;
  paused = false;
  visible = false;

  constructor(name, template, onpause) {
    this.name = name;
    this.root = template.content.firstElementChild.cloneNode(true);
    for (const part of ["lamp", "pause", "facts", "trouble", "canvas", "blank", "legend", "field", "key", "cap", "tail", "commands"]) {
      this.#parts[part] = this.root.querySelector(`.${part}`);
    }
    const link = this.root.querySelector("h2 a");
    link.textContent = name;
    link.href = this.url;
    this.#parts.commands.textContent = this.#commands();
    this.#parts.pause.addEventListener("click", () => {
      this.paused = !this.paused;
      onpause();
    });
    for (const part of ["field", "key"]) this.#parts[part].addEventListener("change", () => this.#choose());
    this.#chart = new Chart(this.#series, this.#parts.canvas, this.#parts.legend);
    this.#timer = setInterval(() => this.#draw(), DRAW_EVERY);
  }

  get url() { return `/streams/${encodeURIComponent(this.name)}`; }
  get live() { return this.#source !== null; }

  #commands() {
    const url = location.origin + this.url;
    return [`curl ${url}`, `curl -N -H 'Accept: text/event-stream' ${url}`].join("\n");
  }

  // Connects or disconnects. A stream that was connected before goes on where it was.
  setLive(live) {
    if (live && this.#source?.readyState === EventSource.CLOSED) this.#disconnect();
    if (live && !this.#source && !this.#ended) this.#connect();
    if (!live) this.#disconnect();
  }

  #connect() {
    const from = this.#lastId ? `since=${encodeURIComponent(this.#lastId)}` : `last=${HISTORY}`;
    const source = new EventSource(`${this.url}?${from}`);
    source.onmessage = (event) => this.#receive(event);
    source.addEventListener("gap", (event) => this.#note(event, `gap: ${event.data}`));
    source.addEventListener("complete", (event) => this.#end(event, "has completed"));
    source.onerror = (event) => {
      if (event.data) this.#end(event, `has failed: ${event.data}`); // the stream's own, not the connection's
      if (source.readyState === EventSource.CLOSED) this.#lastId = "";
    };
    this.#source = source;
  }

  #disconnect() {
    this.#source?.close();
    this.#source = null;
  }

  #receive(event) {
    if (event.lastEventId) this.#lastId = event.lastEventId;
    this.#push(event.data);
    if (this.#charted++ >= CHARTED_PER_DRAW) return;
    try {
      this.#series.add(JSON.parse(event.data), Date.now());
    } catch {
      // Not JSON: it stays in the tail.
    }
  }

  #note(event, text) {
    if (event.lastEventId) this.#lastId = event.lastEventId;
    this.#push(`— ${text}`);
  }

  // A stream that has ended is not asked again until there is something new in it.
  #end(event, how) {
    this.#note(event, `the stream ${how}`);
    this.#ended = `The stream ${how}`;
    this.#endedTime = Date.now();
    this.#endedAt = this.#facts.last_id;
    this.#disconnect();
  }

  #push(line) {
    this.#tail.push(line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)} …` : line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#tailChanged = true;
  }

  // What GET /streams says about the stream, and the condition that concerns it.
  update(facts, trouble) {
    this.#facts = facts;
    this.#trouble = trouble;
    this.#goneSince = undefined;
    if (!this.#ended) return;
    this.#endedAt ??= facts.last_id;
    if (facts.last_id !== this.#endedAt) this.#ended = "";
  }

  gone(since) { this.#goneSince = since; }

  #choose() {
    this.#series.choose(this.#parts.field.value, this.#parts.key.value);
  }

  #draw() {
    this.#sampled = this.#charted > CHARTED_PER_DRAW;
    this.#charted = 0;
    if (!this.visible) return;
    this.#chart.draw();
    this.#drawFacts();
    this.#drawChoices();
    if (this.#tailChanged) this.#drawTail();
  }

  #drawFacts() {
    const state = this.#state();
    this.#parts.lamp.dataset.state = this.#trouble && state !== "gone" ? this.#trouble.severity : state;
    this.#parts.lamp.title = this.#trouble?.what ?? state;
    setText(this.#parts.trouble, this.#troubleText());
    this.#parts.trouble.classList.toggle("bad", this.#goneSince !== undefined || this.#trouble?.severity === "fault");
    setText(this.#parts.pause, this.paused ? "Resume" : "Pause");
    setText(this.#parts.facts, this.#factLine().join(" · "));
    setText(this.#parts.blank, this.#series.isEmpty ? this.#blankText(state) : "");
  }

  #state() {
    if (this.#goneSince !== undefined) return "gone";
    if (this.paused) return "paused";
    if (this.#ended) return "ended";
    return this.#source ? SOCKET_STATES[this.#source.readyState] : "waiting";
  }

  #troubleText() {
    if (this.#goneSince !== undefined) return `No answer from rxd, ${formatSince(this.#goneSince)}: what stands here is old.`;
    if (!this.#trouble) return this.#ended && `${this.#ended}, ${formatSince(this.#endedTime)}`;
    const { what, part, reason, since } = this.#trouble;
    return `${capital(what)}${part ? ` (${part})` : ""}${reason ? `: ${reason}` : ""}, ${formatSince(Date.parse(since))}`;
  }

  #factLine() {
    const { rate, keys, events, subscribers, last_event_time: last } = this.#facts;
    const line = [];
    if (typeof rate === "number") line.push(`${formatNumber(rate)} /s`);
    const time = parseTime(last);
    line.push(Number.isNaN(time) ? "no event yet" : formatAge(Date.now() - time));
    const counts = { event: events, key: keys, subscriber: subscribers };
    for (const [name, count] of Object.entries(counts)) {
      if (typeof count === "number") line.push(`${formatNumber(count)} ${name}${count === 1 ? "" : "s"}`);
    }
    return line;
  }

  #blankText(state) {
    if (state === "paused") return "Paused.";
    if (state === "ended") return "";
    if (state === "gone") return "No answer.";
    if (state === "waiting") return "Waiting for a free connection: a browser keeps only a few open to one host.";
    if (this.#tail.length) return "Nothing here is a number; the events are below.";
    return state === "live" ? "Waiting for the first event …" : "Connecting …";
  }

  #drawChoices() {
    setText(this.#parts.cap, this.#capText());
    if (this.#choicesShown === this.#series.choicesVersion) return;
    this.#choicesShown = this.#series.choicesVersion;
    fillSelect(this.#parts.field, "all numbers", this.#series.numbers, this.#series.field);
    fillSelect(this.#parts.key, "nothing", this.#series.texts, this.#series.key);
    this.root.querySelector(".choices").classList.toggle("empty", this.#series.numbers.length === 0);
  }

  #capText() {
    const notes = [];
    const { keysSeen, labels } = this.#series;
    if (labels.length === MAX_SERIES && keysSeen > MAX_SERIES) notes.push(`first ${MAX_SERIES} of ${formatNumber(keysSeen)} keys`);
    if (this.#sampled) notes.push("fast stream: the chart samples it");
    return notes.join(" · ");
  }

  #drawTail() {
    this.#tailChanged = false;
    this.#parts.tail.replaceChildren(...this.#tail.map((line) => element("li", "", line)).reverse());
  }

  destroy() {
    clearInterval(this.#timer);
    this.#disconnect();
    this.#chart.destroy();
    this.root.remove();
  }
}

function fillSelect(select, none, names, chosen) {
  const options = names.map((name) => new Option(name, name, false, name === chosen));
  select.replaceChildren(new Option(none, ALL, false, chosen === ALL), ...options);
}
