// Small helpers: elements made from text (never from markup), and numbers and times as a person reads them.

export function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function formatNumber(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 1e5 ? compact.format(value) : plain.format(value);
}

export function formatAge(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1.5) return "just now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

// "since 14:03:20, 4 min ago"; the date too if it was another day.
export function formatSince(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return `since ${today ? date.toLocaleTimeString() : date.toLocaleString()}, ${formatAge(Date.now() - time)}`;
}

// RFC 3339, or a number of nanoseconds, milliseconds or seconds since the epoch, as milliseconds; NaN if neither.
export function parseTime(value) {
  if (typeof value === "string") return Date.parse(value);
  if (typeof value !== "number" || value <= 0) return NaN;
  return value > 1e17 ? value / 1e6 : value > 1e11 ? value : value * 1000;
}
