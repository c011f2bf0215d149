// Turns a stream's events into rows that a chart can draw: which field, grouped by which key, bounded in every direction.

export const MAX_SERIES = 20;
const MAX_ROWS = 600;
const MAX_KEYS_COUNTED = 1000;
const MAX_FIELDS = 64;
const STEP = 200; // ms; of several values of a series within one step the last is drawn

const MAIN_FIELDS = ["avg", "value", "mean", "median", "temperature", "last", "sum", "rate", "max"];
const SIDE_FIELDS = ["n", "count", "min", "ts", "time", "timestamp", "id", "seq", "partial"];
const KEY_FIELDS = ["device", "deviceId", "device_id", "sensor", "key", "id", "name", "city", "host", "user", "symbol"];
export const ALL = "";

const isTime = (text) => /^\d{4}-\d\d-\d\dT/.test(text);

// Calls visit(path, value) for the scalars of an event, one level into its objects; the window is time, not data.
function eachScalar(event, visit) {
  for (const [name, value] of Object.entries(event).slice(0, MAX_FIELDS)) {
    if (name === "window") continue;
    if (value && typeof value === "object" && !Array.isArray(value)) {
      for (const [inner, nested] of Object.entries(value).slice(0, MAX_FIELDS)) visit(`${name}.${inner}`, nested);
    } else {
      visit(name, value);
    }
  }
}

const preferred = (wanted, names) => wanted.find((name) => names.has(name));

export class Series {
  #numbers = new Set();
  #texts = new Set();
  #field; // undefined: chosen from the names seen
  #key;
  #rows = []; // [time, value or null per label ...], ascending
  #keys = new Set();
  labels = [];
  version = 0; // changes when the rows do
  choicesVersion = 0; // changes when the names do

  get numbers() { return [...this.#numbers]; }
  get texts() { return [...this.#texts]; }
  get keysSeen() { return this.#keys.size; }
  get isEmpty() { return this.#rows.length === 0; }

  get key() {
    if (this.#key !== undefined) return this.#key;
    return preferred(KEY_FIELDS, this.#texts) ?? [...this.#texts][0] ?? ALL;
  }

  get field() {
    if (this.#field !== undefined) return this.#field;
    if (this.key === ALL) return ALL;
    const main = this.numbers.find((name) => !SIDE_FIELDS.includes(name));
    return preferred(MAIN_FIELDS, this.#numbers) ?? main ?? this.numbers[0] ?? ALL;
  }

  choose(field, key) {
    this.#field = field;
    this.#key = key;
    this.#reset();
    this.choicesVersion++;
  }

  #reset() {
    this.#rows = [];
    this.#keys.clear();
    this.labels = [];
    this.version++;
  }

  // Takes one event (any JSON value) that arrived at `now`, in milliseconds.
  add(event, now) {
    const object = event !== null && typeof event === "object" && !Array.isArray(event) ? event : { value: event };
    this.#learn(object);
    const end = Date.parse(object.window?.end);
    this.#addRow(object, Math.floor((Number.isNaN(end) ? now : end) / STEP) * STEP);
  }

  // New names may change what is shown by default; what was collected under the old choice goes.
  #learn(object) {
    const { field, key } = this;
    const known = this.#numbers.size + this.#texts.size;
    eachScalar(object, (path, value) => {
      if (this.#numbers.size + this.#texts.size >= MAX_FIELDS) return;
      if (typeof value === "number") this.#numbers.add(path);
      if (typeof value === "string" && value.length <= 64 && !isTime(value)) this.#texts.add(path);
    });
    if (this.#numbers.size + this.#texts.size === known) return;
    this.choicesVersion++;
    if (field !== this.field || key !== this.key) this.#reset();
  }

  #addRow(object, time) {
    const { field, key } = this;
    let group;
    eachScalar(object, (path, value) => {
      if (path === key) group = String(value);
    });
    if (group !== undefined && this.#keys.size < MAX_KEYS_COUNTED) this.#keys.add(group);
    eachScalar(object, (path, value) => {
      if (typeof value !== "number" || (field !== ALL && path !== field)) return;
      this.#put(time, group === undefined ? path : field === ALL ? `${group} ${path}` : group, value);
    });
  }

  #put(time, label, value) {
    let column = this.labels.indexOf(label);
    if (column < 0) {
      if (this.labels.length >= MAX_SERIES) return;
      column = this.labels.push(label) - 1;
    }
    const row = this.#rowAt(time);
    if (row) {
      row[column + 1] = value;
      this.version++;
    }
  }

  // The row of this time, made in its place if it is new; undefined for what is older than all that is kept.
  #rowAt(time) {
    let at = this.#rows.length;
    while (at > 0 && this.#rows[at - 1][0] > time) at--;
    if (at > 0 && this.#rows[at - 1][0] === time) return this.#rows[at - 1];
    if (at === 0 && this.#rows.length >= MAX_ROWS) return undefined;
    const row = [time];
    this.#rows.splice(at, 0, row);
    if (this.#rows.length > MAX_ROWS) this.#rows.shift();
    return row;
  }

  // Rows for dygraphs: a Date, then a number or null for each label.
  table() {
    return this.#rows.map(([time, ...values]) => {
      return [new Date(time), ...this.labels.map((_, column) => values[column] ?? null)];
    });
  }

  // The value of each label at a row's time, or the latest of each.
  valuesAt(time) {
    if (time !== undefined) return this.#rows.find((row) => row[0] === time)?.slice(1) ?? [];
    const latest = [];
    for (let i = this.#rows.length - 1; i >= 0 && i >= this.#rows.length - 100; i--) {
      this.labels.forEach((_, column) => (latest[column] ??= this.#rows[i][column + 1]));
    }
    return latest;
  }
}
