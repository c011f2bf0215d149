// The live page: asks the daemon for its health and streams, keeps a card for each, and shares out the connections.
import { Card } from "./card.js";
import { element, formatNumber, setText } from "./dom.js";
import { statusLines, troubleOf } from "./status.js";

const POLL = 2000; // ms
const POLL_TIMEOUT = 5000;
const MAX_LIVE = 5; // a browser opens six connections to a host over HTTP/1.1; one stays free for the polls

const $ = (id) => document.getElementById(id);
const cards = new Map(); // by name
let goneSince; // when the daemon stopped answering; undefined while it does

async function getJson(path) {
  const response = await fetch(path, {
    headers: { Accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(POLL_TIMEOUT),
  });
  if (!response.ok && response.status !== 503) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

// The first visible cards, in the page's order, may be live; none while the page is hidden.
function shareConnections() {
  let free = document.hidden ? 0 : MAX_LIVE;
  const wanted = [...cards.values()].map((card) => card.visible && !card.paused && free-- > 0);
  const list = [...cards.values()];
  list.forEach((card, i) => wanted[i] || card.setLive(false));
  list.forEach((card, i) => wanted[i] && card.setLive(true));
}

let sharing;
function shareSoon() {
  clearTimeout(sharing);
  sharing = setTimeout(shareConnections, 100);
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = cards.get(entry.target.dataset.name);
    if (card) card.visible = entry.isIntersecting;
  }
  shareSoon();
}, { rootMargin: "100px" });

function addCard(name, before) {
  const card = new Card(name, $("card"), shareSoon);
  card.root.dataset.name = name;
  $("cards").insertBefore(card.root, before);
  observer.observe(card.root);
  return card;
}

// A stream of what went wrong, or came too late, gets a card once there is an event in it, and stands behind the others: a
// browser has few connections to one host, which are for the streams that have something to show.
function worthShowing(streams) {
  const isAside = (stream) => /\.(errors|late)$/.test(stream.name);
  return [...streams.filter((s) => !isAside(s)), ...streams.filter((s) => isAside(s) && s.events > 0)];
}

// Keeps one card per stream, in the order of the answer.
function showStreams(streams, health) {
  const names = new Set(streams.map((stream) => stream.name));
  for (const [name, card] of cards) {
    if (names.has(name)) continue;
    observer.unobserve(card.root);
    card.destroy();
    cards.delete(name);
  }
  const kept = new Map(cards);
  cards.clear();
  let next = $("cards").firstElementChild;
  for (const stream of streams) {
    const card = kept.get(stream.name) ?? addCard(stream.name, next);
    if (card.root === next) {
      next = next.nextElementSibling;
    } else if (kept.has(stream.name)) {
      $("cards").insertBefore(card.root, next);
    }
    card.update(stream, troubleOf(health, stream.name));
    cards.set(stream.name, card);
  }
}

function showTotals(streams) {
  const rate = streams.reduce((sum, stream) => sum + (Number(stream.rate) || 0), 0);
  setText($("totals"), `${streams.length} ${streams.length === 1 ? "stream" : "streams"} · ${formatNumber(rate)} events/s`);
}

// Brokers as {name: state}, {name: {state}} or [{name, state}].
function brokerStates(brokers) {
  const rows = Array.isArray(brokers) ? brokers.map((row) => [row.name, row]) : Object.entries(brokers ?? {});
  return rows.map(([name, value]) => [name, String(value?.state ?? value)]);
}

function chip(text, good) {
  return element("li", good ? "good" : "bad", text);
}

function showHealth(health) {
  if (health.version) setText($("version"), health.version);
  const ready = health.ready ?? health.status === "ready";
  const chips = brokerStates(health.brokers).map(([name, state]) => chip(`${name}: ${state}`, state === "connected"));
  $("health").replaceChildren(chip(ready ? "ready" : "not ready", ready), ...chips);
}

let shown = "";

// The same lines are left as they are, so that a screen reader does not read them again.
function showStatus(health) {
  const lines = statusLines(health, goneSince);
  const text = lines.map((line) => line.outerHTML).join("");
  if (shown !== text) $("status").replaceChildren(...lines);
  shown = text;
  document.body.classList.toggle("lost", !health);
}

async function poll() {
  try {
    const [health, answer] = await Promise.all([getJson("/readyz"), getJson("/streams")]);
    const streams = (answer.streams ?? []).filter((stream) => typeof stream.name === "string");
    goneSince = undefined;
    showHealth(health);
    showStatus(health);
    showStreams(worthShowing(streams), health);
    showTotals(streams);
    shareConnections();
    setText($("notice"), streams.length ? "" : "No streams yet. Each pipeline that ends in “to: stream” appears here.");
  } catch {
    goneSince ??= Date.now();
    $("health").replaceChildren(chip("no answer", false));
    showStatus(null);
    for (const card of cards.values()) card.gone(goneSince);
  }
  setTimeout(poll, POLL);
}

document.addEventListener("visibilitychange", shareConnections);
poll();
