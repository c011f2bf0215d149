#!/usr/bin/env node
/* What RxJS 7.8 does: runs a pipeline written as JSON on it under virtual time and tells every notification with its time.
 *
 *   node oracle.js < case.json            one case: {out, subs}
 *   node oracle.js --jsonl < cases        a case a line, each echoed with "expect" added
 *   --run                                 the clock of TestScheduler.run() in place of a scheduler that is handed in
 *
 * case   {until: 1000, inputs: {NAME: {kind: "hot"|"cold", events: [[t, "n", value] | [t, "e", text] | [t, "c"]]}},
 *         source: NAME, pipeline: [{op, ...}], subscribeAt: 0, unsubscribeAt: t}
 * fn     ["id"] ["add", k] ["mul", k] ["mod", k] ["div", k] ["field", name] ["const", v] ["len"] ["sum"] ["avg"]
 *        ["eq", k] ["gt", k] ["lt", k] ["throwIf", fn, text] ["|", f, g, ...] ["pair", f, g]
 *
 * The operators are those of RxJS by their own names. Below them stand rxd's own words, said in RxJS: records, folds,
 * aggregates and windows on the epoch. */
const R = require('rxjs'),
  { TestScheduler } = require('rxjs/testing');
const { HotObservable } = require('rxjs/internal/testing/HotObservable');
const { ColdObservable } = require('rxjs/internal/testing/ColdObservable');
const RUN = process.argv.includes('--run');

const fn = f => {
  const [k, a] = (f = f || ['id']);
  switch (k) {
    case 'id':
      return v => v;
    case 'add':
      return v => v + a;
    case 'mul':
      return v => v * a;
    case 'mod':
      return v => v % a;
    case 'div':
      return v => Math.floor(v / a);
    case 'field':
      return v => v[a];
    case 'const':
      return () => a;
    case 'len':
      return v => v.length;
    case 'sum':
      return v => v.reduce((x, y) => x + y, 0);
    case 'avg':
      return v => (v.length ? v.reduce((x, y) => x + y, 0) / v.length : null);
    case 'eq':
      return v => v === a;
    case 'gt':
      return v => v > a;
    case 'lt':
      return v => v < a;
    case 'throwIf': {
      const p = fn(a);
      return v => {
        if (p(v)) throw new Error(f[2] || 'boom');
        return v;
      };
    }
    case '|': {
      const fs = f.slice(1).map(fn);
      return v => fs.reduce((x, g) => g(x), v);
    }
    case 'pair': {
      const fs = f.slice(1).map(fn);
      return v => fs.map(g => g(v));
    }
  }
  throw new Error('bad fn ' + JSON.stringify(f));
};
const red = {
  sum: (a, v) => a + v,
  max: (a, v) => Math.max(a, v),
  min: (a, v) => Math.min(a, v),
  count: a => a + 1,
  append: (a, v) => [...a, v],
  last: (a, v) => v,
};
/* A bare value takes part in a record as {value: v}. */
const record = v => (v !== null && typeof v === 'object' && !Array.isArray(v) ? v : { value: v });
const each = (object, f) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, f(v)]));
const filled = (text, v) =>
  /^\{\w+\}$/.test(text) ? v[text.slice(1, -1)] : text.replace(/\{(\w+)\}/g, (_, name) => v[name]);
const FOLDS = {
  count: a => a.length,
  sum: a => a.reduce(red.sum, 0),
  avg: a => (a.length ? a.reduce(red.sum, 0) / a.length : null),
  min: a => (a.length ? Math.min(...a) : null),
  max: a => (a.length ? Math.max(...a) : null),
  first: a => a[0] ?? null,
  last: a => a[a.length - 1] ?? null,
};
const errStr = e =>
  e && e.name === 'TimeoutError'
    ? 'timeout'
    : e && e.name === 'EmptyError'
      ? 'empty'
      : e && e.name === 'ArgumentOutOfRangeError'
        ? 'range'
        : e && e.name === 'SequenceError'
        ? 'too many'
        : e && e.name === 'NotFoundError'
        ? 'none suits'
        : e instanceof Error
          ? e.message
          : String(e);

function runCase(c) {
  const until = c.until ?? 1000,
    ts = new TestScheduler(() => {}),
    S = RUN ? undefined : ts;
  ts.maxFrames = until;
  let n = 0,
    over = false; // livelock guard (e.g. bufferWhen with a 0-delay closing): drop the queue
  ts.actions.push = function (a) {
    if (over || ++n > 20000) {
      over = true;
      return (this.length = 0);
    }
    return Array.prototype.push.call(this, a);
  };
  const out = [],
    inputs = {};
  const note = ([, k, v]) => ({ kind: k.toUpperCase(), value: v, error: v });
  for (const [n, i] of Object.entries(c.inputs || {})) {
    const m = i.events.map(e => ({ frame: e[0], notification: note(e) }));
    inputs[n] = i.kind === 'cold' ? new ColdObservable(m, ts) : new HotObservable(m, ts);
  }
  const srcs = l => l.map(src);
  const src = d => {
    // a name, or {op:..., pipe:[...]}
    if (typeof d === 'string') {
      if (!inputs[d]) throw new Error('no input ' + d);
      return inputs[d];
    }
    const mk = {
      in: () => src(d.name),
      range: () => R.range(d.from ?? 0, d.count),
      of: () => R.of(...d.values),
      interval: () => R.interval(d.ms, S),
      timer: () => R.timer(d.ms, d.period, S),
      never: () => R.NEVER,
      empty: () => R.EMPTY,
      throw: () => R.throwError(() => d.error ?? 'boom'),
      merge: () => R.merge(...srcs(d.of), d.concurrent ?? Infinity),
      concat: () => R.concat(...srcs(d.of)),
      zip: () => R.zip(...srcs(d.of)),
      combineLatest: () => R.combineLatest(srcs(d.of)),
      race: () => R.race(...srcs(d.of)),
      forkJoin: () => R.forkJoin(srcs(d.of)),
      defer: () => R.defer(() => (d.of ? src(d.of) : R.of(Math.floor(ts.frame), 1))),
    }[d.op];
    if (!mk) throw new Error('bad source ' + d.op);
    return pipe(mk(), d.pipe);
  };
  const pipe = (o, ops) => (ops || []).reduce((x, p) => x.pipe(op(p)), o);
  const nanoseconds = frame => Math.round(frame * 1e6);
  /* The bounds of a window, as rxd counts them: by time from its opening; by count from its first event to its last. */
  const bounded = (p, w) => {
    const opened = ts.frame;
    let first = null;
    const watched = w.pipe(R.tap(() => (first ??= ts.frame)));
    const bounds = () =>
      p.epoch
        ? [nanoseconds(w.key * p.epoch), nanoseconds(w.key * p.epoch + p.ms)]
        : p.ms != null
          ? [nanoseconds(opened), nanoseconds(opened + p.ms)]
          : [nanoseconds(first ?? opened), nanoseconds(ts.frame) + 1];
    return [watched, bounds];
  };
  // windows/groups: with `each`, run a sub-pipeline per window and merge; otherwise expose the lifecycle
  const flat = p =>
    R.mergeMap((w, i) => {
      const isGroup = 'key' in w && !p.epoch;
      const tag = isGroup ? { g: w.key } : { w: i };
      if (p.each && isGroup) return pipe(w, p.each).pipe(R.map(v => ({ ...tag, v })));
      if (p.each) {
        const [watched, bounds] = bounded(p, w);
        return pipe(watched, p.each).pipe(R.map(v => ({ ...tag, bounds: bounds(), v })));
      }
      return w.pipe(
        R.materialize(),
        R.map(n =>
          n.kind === 'N'
            ? { ...tag, k: 'n', v: n.value }
            : n.kind === 'E'
              ? { ...tag, k: 'e', v: errStr(n.error) }
              : { ...tag, k: 'c' },
        ),
        R.startWith({ ...tag, k: 'open' }),
      );
    });
  // *Map: inner = input name or source description; value emitted = [outer, inner] unless p.bare
  const inner = p => (v, i) => {
    const d = Array.isArray(p.inner) ? p.inner[i % p.inner.length] : p.inner;
    return src(d).pipe(R.map(x => (p.bare ? x : [v, x])));
  };
  // *Scan: numbers of the accumulator, the outer value and the inner one; `list`: of so many elements
  const scanned = p => (acc, v) =>
    'list' in p
      ? Array.from({ length: p.list }, (_, i) => (acc * 3 + v + i) % 1000)
      : src(p.inner).pipe(R.map(x => (acc * 3 + v + x) % 1000));
  const win = o => R.pipe(...o);
  const OPS = {
    map: p => R.map(fn(p.fn)),
    filter: p => R.filter(fn(p.fn)),
    tap: () => R.tap(),
    log: () => R.tap(),
    scan: p => ('seed' in p ? R.scan(red[p.fn], p.seed) : R.scan(red[p.fn])),
    reduce: p => ('seed' in p ? R.reduce(red[p.fn], p.seed) : R.reduce(red[p.fn])),
    take: p => R.take(p.n),
    skip: p => R.skip(p.n),
    takeLast: p => R.takeLast(p.n),
    skipLast: p => R.skipLast(p.n),
    takeWhile: p => R.takeWhile(fn(p.fn), !!p.inclusive),
    skipWhile: p => R.skipWhile(fn(p.fn)),
    takeUntil: p => R.takeUntil(src(p.other)),
    skipUntil: p => R.skipUntil(src(p.other)),
    first: p => R.first(p.fn && fn(p.fn), ...('value' in p ? [p.value] : [])),
    last: p => R.last(p.fn && fn(p.fn), ...('value' in p ? [p.value] : [])),
    single: p => R.single(p.fn && fn(p.fn)),
    elementAt: p => ('value' in p ? R.elementAt(p.n, p.value) : R.elementAt(p.n)),
    ignoreElements: () => R.ignoreElements(),
    find: p => R.pipe(R.find(fn(p.fn)), R.map(v => v ?? null)),
    distinct: p => R.distinct(fn(p.key), p.flush && src(p.flush)),
    distinctUntilChanged: p => R.distinctUntilChanged(undefined, fn(p.key)),
    pairwise: () => R.pairwise(),
    startWith: p => R.startWith(...p.values),
    endWith: p => R.endWith(...p.values),
    defaultIfEmpty: p => R.defaultIfEmpty(p.value),
    throwIfEmpty: () => R.throwIfEmpty(),
    isEmpty: () => R.isEmpty(),
    count: p => R.count(p.fn && fn(p.fn)),
    min: () => R.min(),
    max: () => R.max(),
    every: p => R.every(fn(p.fn)),
    toArray: () => R.toArray(),
    materialize: () =>
      R.pipe(
        R.materialize(),
        R.map(n => ({ k: n.kind.toLowerCase(), v: n.kind === 'E' ? errStr(n.error) : n.value })),
      ),
    dematerialize: () => R.pipe(R.materialize(), R.dematerialize()),
    timestamp: () => R.timestamp(ts),
    timeInterval: () =>
      R.pipe(
        R.timeInterval(ts),
        R.map(({ value, interval }) => ({ value, interval })),
      ),
    buffer: p => R.buffer(src(p.closing)),
    bufferWhen: p => R.bufferWhen(() => src(p.closing)),
    bufferCount: p => R.bufferCount(p.n, p.every),
    bufferTime: p => R.bufferTime(p.ms, p.every ?? null, p.max ?? Infinity, S),
    bufferToggle: p => R.bufferToggle(src(p.openings), () => src(p.closing)),
    window: p => win([R.window(src(p.closing)), flat(p)]),
    windowWhen: p => win([R.windowWhen(() => src(p.closing)), flat(p)]),
    windowCount: p => win([R.windowCount(p.n, p.every), flat(p)]),
    windowTime: p => win([R.windowTime(p.ms, p.every ?? null, p.max ?? Infinity, S), flat(p)]),
    windowToggle: p => win([R.windowToggle(src(p.openings), () => src(p.closing)), flat(p)]),
    groupBy: p =>
      win([
        R.groupBy(fn(p.key), {
          element: p.element && fn(p.element),
          duration:
            p.duration != null
              ? g => (p.idle ? g.pipe(R.debounceTime(p.duration, S)) : R.timer(p.duration, S))
              : undefined,
        }),
        flat(p),
      ]),
    debounceTime: p => R.debounceTime(p.ms, S),
    auditTime: p => R.auditTime(p.ms, S),
    throttleTime: p => R.throttleTime(p.ms, S, { leading: p.leading ?? true, trailing: p.trailing ?? false }),
    sampleTime: p => R.sampleTime(p.ms, S),
    sample: p => R.sample(src(p.other)),
    debounce: p => R.debounce(() => src(p.other)),
    throttle: p => R.throttle(() => src(p.other), { leading: p.leading ?? true, trailing: p.trailing ?? false }),
    audit: p => R.audit(() => src(p.other)),
    delay: p => R.delay(p.ms, S),
    delayWhen: p => R.delayWhen(() => src(p.other)),
    timeout: p => R.timeout({ each: p.each, first: p.first, scheduler: S, with: p.with && (() => src(p.with)) }),
    retry: p =>
      R.retry({
        count: p.count ?? Infinity,
        resetOnSuccess: !!p.resetOnSuccess,
        delay:
          p.ms != null
            ? (e, n) => R.timer(Math.min(p.ms * (p.backoff ?? 1) ** (n - 1), p.maxMs ?? Infinity), S)
            : undefined,
      }),
    catchError: p =>
      R.catchError(e => (p.with ? src(p.with) : R.of(p.told ? { error: errStr(e) } : (p.value ?? errStr(e))))),
    onErrorResumeNext: p => R.onErrorResumeNextWith(...srcs(p.of)),
    repeat: p => R.repeat({ count: p.count, delay: p.ms != null ? () => R.timer(p.ms, S) : undefined }),
    merge: p => R.mergeWith(...srcs(p.of)),
    concat: p => R.concatWith(...srcs(p.of)),
    race: p => R.raceWith(...srcs(p.of)),
    zip: p => R.zipWith(...srcs(p.of)),
    combineLatest: p => R.combineLatestWith(...srcs(p.of)),
    withLatestFrom: p => R.withLatestFrom(...srcs(p.of)),
    forkJoin: p => s => R.forkJoin([s, ...srcs(p.of)]),
    sequenceEqual: p => R.sequenceEqual(src(p.other)),
    // `list`: that many copies of the value, as the elements of a list
    mergeMap: p =>
      'list' in p ? R.mergeMap(v => Array(p.list).fill(v)) : R.mergeMap(inner(p), p.concurrent ?? Infinity),
    concatMap: p => R.concatMap(inner(p)),
    switchMap: p => R.switchMap(inner(p)),
    exhaustMap: p => R.exhaustMap(inner(p)),
    expand: p =>
      R.expand(
        v =>
          src(p.inner).pipe(
            R.filter(() => v < p.below),
            R.map(x => 2 * v + x + 1),
          ),
        p.concurrent ?? Infinity,
      ),
    mergeScan: p => R.mergeScan(scanned(p), p.seed, p.concurrent ?? Infinity),
    switchScan: p => R.switchScan(scanned(p), p.seed),
    share: p =>
      R.pipe(
        R.share({
          connector: () => (p.replay ? new R.ReplaySubject(p.replay) : new R.Subject()),
          resetOnComplete: !p.replay, // so far as shareReplay({bufferSize, refCount: true})
          resetOnRefCountZero: p.graceMs != null ? () => R.timer(p.graceMs, S) : true,
        }),
        s =>
          R.merge(
            ...(p.subs || [[0]]).map(([at, off], i) =>
              R.timer(at, S).pipe(
                R.mergeMap(() => (off != null ? s.pipe(R.takeUntil(R.timer(off - at, S))) : s)),
                R.map(v => [i, v]),
              ),
            ),
          ),
      ),
    observeOn: p => R.observeOn(S || R.asyncScheduler, p.ms || 0),
    subscribeOn: p => R.subscribeOn(S || R.asyncScheduler, p.ms || 0),

    // rxd's own words
    set: p => R.map(v => ({ ...record(v), ...each(p.fields, f => fn(f)(v)) })),
    unset: p => R.map(v => Object.fromEntries(Object.entries(record(v)).filter(([k]) => !p.fields.includes(k)))),
    default: p => R.map(v => ({ ...p.fields, ...record(v) })),
    template: p => R.map(v => each(p.to, text => filled(text, record(v)))),
    object: p => R.map(v => each(p.fields, f => fn(f)(v))),
    sum: p => R.pipe(R.map(fn(p.fn)), R.reduce(red.sum, 0)),
    average: p =>
      R.pipe(
        R.map(fn(p.fn)),
        R.toArray(),
        R.filter(a => a.length > 0),
        R.map(fn(['avg'])),
      ),
    lastIfAny: () => R.takeLast(1),
    least: p => R.pipe(R.map(fn(p.fn)), R.min()),
    greatest: p => R.pipe(R.map(fn(p.fn)), R.max()),
    aggregate: p =>
      R.pipe(
        R.toArray(),
        R.map(values => ({ aggregate: each(p.fields, f => FOLDS[f](values)) })),
      ),
    // every event goes to the windows [k * every, k * every + ms) that hold its time; each closes by a timer of its own
    windowEpoch: p => {
      const epoch = p.every ?? p.ms;
      const holding = t =>
        Array.from({ length: Math.ceil(p.ms / epoch) }, (_, i) => Math.floor(t / epoch) - i)
          .filter(k => t < k * epoch + p.ms && k * epoch <= t)
          .reverse();
      return win([
        R.concatMap(v => R.of(...holding(ts.frame).map(k => [k, v]))),
        R.groupBy(([k]) => k, {
          element: ([, v]) => v,
          duration: g => R.timer(g.key * epoch + p.ms - ts.frame, S),
        }),
        flat({ ...p, epoch }),
      ]);
    },
  };
  const op = p => {
    if (!OPS[p.op]) throw new Error('bad op ' + p.op);
    return OPS[p.op](p);
  };

  const go = () => {
    let sub;
    const rec = (k, v) => out.push(v === undefined && k === 'c' ? [ts.frame, k] : [ts.frame, k, v ?? null]);
    ts.schedule(() => {
      sub = pipe(src(c.source), c.pipeline).subscribe({
        next: v => rec('n', v),
        error: e => rec('e', errStr(e)),
        complete: () => rec('c'),
      });
    }, c.subscribeAt ?? 0); // seq 0: subscribe precedes same-time inputs
    for (const i of Object.values(inputs)) i.setup && i.setup(); // then hot events, in declaration order
    if (c.unsubscribeAt != null) ts.schedule(() => sub && sub.unsubscribe(), c.unsubscribeAt);
    if (RUN) ts.schedule(() => sub && sub.unsubscribe(), until + 1);
  };
  if (RUN) ts.run(go);
  else {
    go();
    ts.flush();
  }
  if (over) return { caseError: 'budget' };
  const subs = {};
  for (const [n, i] of Object.entries(inputs))
    subs[n] = i.subscriptions.map(s => [s.subscribedFrame, s.unsubscribedFrame > until ? null : s.unsubscribedFrame]);
  return { out: out.filter(o => o[0] <= until), subs };
}

module.exports = { runCase };
if (require.main === module) {
  const text = require('fs').readFileSync(process.argv.slice(2).find(a => !a.startsWith('--')) || 0, 'utf8');
  const one = c => {
    try {
      return runCase(c);
    } catch (e) {
      return { caseError: e.message };
    }
  };
  if (process.argv.includes('--jsonl'))
    for (const l of text.split('\n').filter(Boolean)) {
      const c = JSON.parse(l);
      console.log(JSON.stringify({ ...c, expect: one(c) }));
    }
  else console.log(JSON.stringify(one(JSON.parse(text))));
}
