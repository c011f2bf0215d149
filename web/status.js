// What is wrong, in words: the lines at the top of the page, and what concerns one stream.
import { capital, element, formatSince } from "./dom.js";

function sentence(condition) {
  const { what, about, subject, part, reason, count } = condition;
  const whom = about === "process" || about === "config" ? "" : ` ${about} ${subject}${part ? ` (${part})` : ""}`;
  const line = element("li", condition.severity === "fault" ? "bad" : "wait");
  line.append(element("b", "", capital(what)), element("span", "", `${whom && " —"}${whom}${reason ? `: ${reason}` : ""}`));
  line.append(element("small", "", ` ${formatSince(Date.parse(condition.since))}${count > 1 ? `, ${count} times` : ""}`));
  return line;
}

function headline(health, faults, warnings) {
  if (health.draining) return ["rxd is stopping.", "wait"];
  if (faults) return [faults === 1 ? "Something is wrong." : `${faults} things are wrong.`, "bad"];
  if (health.workers_unanswered) return ["A worker does not answer.", "bad"];
  if (warnings) return ["All works. Worth a look:", "wait"];
  return ["All is well.", "good"];
}

// `health` is the body of /readyz; without one the daemon does not answer, since `goneSince`.
export function statusLines(health, goneSince) {
  if (!health) return [element("p", "bad", `rxd does not answer, ${formatSince(goneSince)}. Trying again …`)];
  const list = health.conditions ?? [];
  const faults = list.filter((c) => c.severity === "fault").length + (health.conditions_unlisted ?? 0);
  const [text, className] = headline(health, faults, list.length);
  const lines = [element("p", className, text)];
  if (list.length) {
    const items = element("ul");
    items.append(...list.map(sentence));
    if (health.conditions_unlisted) items.append(element("li", "bad", `and ${health.conditions_unlisted} more`));
    lines.push(items);
  }
  return lines;
}

// The worst condition of a stream: of its pipeline or source, and of its errors and late events.
export function troubleOf(health, name) {
  const base = name.replace(/\.(errors|late)$/, "");
  const own = (health?.conditions ?? []).filter((c) => ["pipeline", "stream"].includes(c.about) && c.subject === base);
  return own.find((c) => c.severity === "fault") ?? own[0];
}
