// Draws the data that page.rs put into DATA. Its text enters the page as text only, never as
// markup.

const AT_ONCE = 0.1; // Milliseconds; less is "at once".
const READING = 60_000; // Milliseconds; a longer view does not show how long a suggestion was read.
const SVG = "http" + "://www.w3.org/2000/svg"; // A name, not an address to load.
// Colours by the origin of an answer, distinct from those of policies: waited for, or at once.
const ORIGINS = {
  "miss": "--waited", "joined": "--joined", "exact": "--from-exact", "typed through": "--along",
  "speculated": "--ahead", "recorded": "--soft",
};
// Colour and height of the marks of edits.
const KEYS = {
  key: ["--soft", 0.55], enter: ["--soft", 0.75], deletion: ["--given-up", 0.55], insert: ["--ink", 0.55],
  jump: ["--ink", 0.3], other: ["--given-up", 0.3], accept: ["--ink", 1],
};

const byId = (id) => document.getElementById(id);
// Filled once per drawing: looking up a style for every mark takes most of a frame.
const colours = new Map();

function css(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(name);
}

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

function element(tag, attributes = {}, text) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function ms(value) {
  if (value === null || value === undefined) return "–";
  if (value < AT_ONCE) return "at once";
  if (value < 9.95) return `${value.toFixed(1)} ms`;
  if (value < 9999.5) return `${value.toFixed(0)} ms`;
  return `${(value / 1000).toFixed(1)} s`;
}

const percent = (share) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)} %`);

function number(value) {
  if (value === null || value === undefined) return "–";
  // With two decimals, small values that differ would look equal.
  return String(Math.abs(value) < 1 ? +value.toPrecision(2) : +value.toFixed(2));
}

function at(figures, path) {
  return path.split(".").reduce((value, key) => (value === null || value === undefined ? value : value[key]), figures);
}

// ---- head ----

function writeAbout() {
  const { mode, clock, answers, model, seed, program, costs } = DATA.about;
  const modes = {
    recorded: "edits as they were recorded",
    inject: "recorded accepts served as if they were ours",
    typist: "a simulated user types the recorded text and accepts what agrees",
  };
  const clocks = { virtual: "virtual clock, the same on every machine", wall: "real server in real time" };
  const pass = typeof costs.row_ms === "number"
    ? ` · a pass takes ${costs.fixed_ms.toFixed(2)} ms and ${costs.row_ms.toFixed(3)} ms per token` : "";
  byId("about").textContent =
    `${plural(DATA.recordings.length, "recording")} · ${modes[mode] || mode} · ${clocks[clock] || clock} · `
    + `answers by ${answers} (${model}) · seed ${seed} · tabahead ${program}${pass}`;
}

function writeHeadline() {
  const ours = DATA.policies.find((policy) => policy.name === "tabahead") || DATA.policies[0];
  if (!ours) return;
  const others = DATA.policies.filter((policy) => policy !== ours);
  const cards = [
    ["next suggestion there before the next change", "next_ready_share", percent, "high"],
    ["answered without waiting for the model", "hit_rate_after_accept", percent, "high"],
    ["accept to next, median", "accept_to_next_ms.p50", ms, "low"],
    ["accept to next, 90th percentile", "accept_to_next_ms.p90", ms, "low"],
    ["tokens computed in vain per accept", "wasted_tokens_per_accept", number, "low"],
    ["shown, but not what a fresh process shows", "unlike_fresh", number, "low"],
  ];
  for (const [what, path, format, better] of cards) {
    const card = element("div", { class: "card" });
    card.append(element("div", { class: "what" }, what));
    card.append(element("div", { class: "ours" }, `${format(at(ours.figures, path))}`));
    const best = bestOf(others, path, better);
    const theirs = best
      ? `${ours.name}; best of the others: ${format(best.value)} (${best.names.join(", ")})`
      : ours.name;
    card.append(element("div", { class: "theirs" }, theirs));
    byId("headline").append(card);
  }
}

// Returns the best value and the names of all policies that have it.
function bestOf(policies, path, better) {
  const measured = policies.filter((policy) => typeof at(policy.figures, path) === "number");
  if (!measured.length) return null;
  const values = measured.map((policy) => at(policy.figures, path));
  const value = better === "low" ? Math.min(...values) : Math.max(...values);
  return { value, names: measured.filter((_, n) => values[n] === value).map((policy) => policy.name) };
}

// ---- charts ----

// Builds a logarithmic axis of milliseconds, with a band at its left for what is at once.
function timeAxis(left, width, curves) {
  const greatest = Math.max(10, ...curves.flat());
  const decades = Math.log10(greatest / AT_ONCE) * 1.02;
  const band = 64;
  const log = left + band;
  return {
    band, log, left, right: left + width,
    x: (value) => value < AT_ONCE ? left + band / 2 : log + (Math.log10(value / AT_ONCE) / decades) * (width - band),
    value: (x) => x < log ? 0 : AT_ONCE * 10 ** (((x - log) / (width - band)) * decades),
    ticks: Array.from({ length: Math.floor(decades) + 1 }, (_, n) => AT_ONCE * 10 ** n),
  };
}

function drawAxis(svg, axis, top, bottom) {
  svg.append(shape("rect", { x: axis.left, y: top, width: axis.band, height: bottom - top, fill: "var(--band)" }));
  svg.append(shape("text", { x: axis.left + axis.band / 2, y: bottom + 16, "text-anchor": "middle" }, "at once"));
  for (const tick of axis.ticks) {
    const x = axis.x(tick);
    svg.append(shape("line", { x1: x, x2: x, y1: top, y2: bottom, stroke: "var(--line)" }));
    // The label of the band is already there.
    if (tick === AT_ONCE) continue;
    const text = tick >= 1000 ? `${tick / 1000} s` : `${+tick.toFixed(1)} ms`;
    svg.append(shape("text", { x, y: bottom + 16, "text-anchor": "middle" }, text));
  }
}

// Returns the share of all requests, including those that had no answer before the next change.
function answeredShare(policy) {
  const { requests } = policy.figures;
  return requests ? at(policy.figures, "perceived_ms.all.count") / requests : null;
}

function answeredWithin(policy, value) {
  const points = policy.perceived;
  if (!points.length) return null;
  return (points.filter((time) => time <= value || time < AT_ONCE).length / points.length) * answeredShare(policy);
}

function drawPerceived() {
  const [width, height, left, top, bottom] = [640, 300, 44, 10, 264];
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "perceived-title" });
  const curves = DATA.policies.map((policy) => policy.perceived);
  const axis = timeAxis(left, width - left - 16, curves);
  drawAxis(svg, axis, top, bottom);
  const y = (share) => bottom - share * (bottom - top);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(shape("line", { x1: left, x2: axis.right, y1: y(share), y2: y(share), stroke: "var(--line)" }));
    svg.append(shape("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${share * 100} %`));
  }
  for (const policy of DATA.policies) {
    const points = policy.perceived;
    if (!points.length) continue;
    let path = `M${axis.left},${y(answeredWithin(policy, 0)).toFixed(1)}`;
    points.forEach((value, n) => {
      const share = ((n + 1) / points.length) * answeredShare(policy);
      if (value >= AT_ONCE) path += `H${axis.x(value).toFixed(1)}V${y(share).toFixed(1)}`;
    });
    path += `H${axis.right}`;
    const ours = policy.name === "tabahead";
    svg.append(shape("path", { d: path, fill: "none", stroke: `var(--${policy.name})`, "stroke-width": ours ? 3 : 1.8 }));
  }
  if (!curves.some((curve) => curve.length)) {
    svg.append(shape("text", { x: width / 2, y: height / 2, "text-anchor": "middle", class: "name" }, "nothing was answered"));
  }
  const line = shape("line", { y1: top, y2: bottom, stroke: "var(--ink)", visibility: "hidden" });
  svg.append(line);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    if (x < axis.left || x > axis.right) return hideTip(line);
    const value = axis.value(x);
    const shares = DATA.policies.map((policy) => `${policy.name}: ${percent(answeredWithin(policy, value))}`);
    for (const end of ["x1", "x2"]) line.setAttribute(end, x);
    line.setAttribute("visibility", "visible");
    showTip(event, `within ${ms(value)}\n${shares.join("\n")}`);
  });
  svg.addEventListener("pointerleave", () => hideTip(line));
  byId("perceived").replaceChildren(svg);
}

// Draws one row of bars per policy: one bar for "at once", then four bars per decade.
function drawNext() {
  const [width, left, row, top] = [640, 80, 48, 4];
  const policies = DATA.policies;
  const bottom = top + row * policies.length;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${bottom + 24}`, role: "img", "aria-labelledby": "next-title" });
  const axis = timeAxis(left, width - left - 16, policies.map((policy) => policy.accept_to_next));
  drawAxis(svg, axis, top, bottom);
  const place = (value) => value < AT_ONCE ? -1 : Math.floor(Math.log10(value / AT_ONCE) * 4);
  policies.forEach((policy, n) => {
    const base = top + row * (n + 1) - 4;
    svg.append(shape("text", { x: left - 8, y: base - 12, "text-anchor": "end", class: "name" }, policy.name));
    svg.append(shape("line", { x1: left, x2: axis.right, y1: base, y2: base, stroke: "var(--line)" }));
    const total = at(policy.figures, "accept_to_next_ms.count") || 0;
    const counts = new Map();
    for (const value of policy.accept_to_next) counts.set(place(value), (counts.get(place(value)) || 0) + 1);
    for (const [bar, count] of counts) {
      const share = count / policy.accept_to_next.length;
      const from = bar < 0 ? axis.left + 6 : axis.x(AT_ONCE * 10 ** (bar / 4)) + 1;
      const to = bar < 0 ? axis.log - 6 : Math.min(axis.right, axis.x(AT_ONCE * 10 ** ((bar + 1) / 4)) - 1);
      const tall = Math.max(2, share * (row - 12));
      const rect = shape("rect", {
        x: from, y: base - tall, width: Math.max(2, to - from), height: tall, fill: `var(--${policy.name})`, rx: 1.5,
      });
      const times = bar < 0 ? "at once" : `${ms(AT_ONCE * 10 ** (bar / 4))} to ${ms(AT_ONCE * 10 ** ((bar + 1) / 4))}`;
      rect.addEventListener("pointermove", (event) =>
        showTip(event, `${policy.name}, ${times}: ${percent(share)} of ${total}`));
      rect.addEventListener("pointerleave", () => hideTip());
      svg.append(rect);
    }
    const missed = at(policy.figures, "accepts_with_next") - total;
    if (!total || missed > 0) {
      const text = missed > 0 ? `${missed} not in time` : "no accept has a next one";
      svg.append(shape("text", { x: axis.right, y: base - row + 18, "text-anchor": "end" }, text));
    }
  });
  byId("next").replaceChildren(svg);
}

function writeLegends() {
  const entry = (colour, text) => {
    const made = element("span");
    made.append(element("i", { style: `background: var(${colour})` }), document.createTextNode(text));
    return made;
  };
  for (const legend of document.querySelectorAll("[data-legend]")) {
    for (const policy of DATA.policies) legend.append(entry(`--${policy.name}`, policy.name));
  }
  const legend = byId("timeline-legend");
  legend.append(entry("--ink", "accept (tall), insert, jump (short)"), entry("--soft", "key, Enter (taller); shown in the recording"));
  legend.append(entry("--waited", "waited for the model"), entry("--joined", "waited for the rest of what ran"));
  legend.append(entry("--from-exact", "known for this very state"), entry("--along", "typed along"));
  legend.append(entry("--ahead", "computed ahead"), entry("--given-up", "given up before an answer, or deleted"));
}

// ---- timeline ----

const view = { from: 0, to: 1, length: 1, drag: null, hits: [] };

function sessionLength() {
  const recording = DATA.recordings[byId("recording").value];
  if (!recording) return 1000;
  const last = recording.timelines.flatMap((timeline) =>
    [timeline.edits, timeline.shown, timeline.generations].map((list) => (list.length ? list[list.length - 1][0] : 0)));
  return Math.max(1000, ...last) * 1.01;
}

function setView(from, to) {
  const least = 20;
  const span = Math.min(Math.max(to - from, least), view.length);
  view.from = Math.min(Math.max(0, from), view.length - span);
  view.to = view.from + span;
  drawTimeline();
}

function zoom(factor, around = (view.from + view.to) / 2) {
  setView(around - (around - view.from) * factor, around + (view.to - around) * factor);
}

// Returns the index of the first item of `list` that is not before `time`. The list is ordered by
// the first field of its items.
function firstFrom(list, time) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle][0] < time) low = middle + 1; else high = middle;
  }
  return low;
}

function drawTimeline() {
  const canvas = byId("timeline");
  colours.clear();
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  view.hits = [];
  const left = 78;
  const x = (time) => left + ((time - view.from) / (view.to - view.from)) * (width - left - 8);
  drawTicks(context, x, left, width, height);
  const recording = DATA.recordings[byId("recording").value];
  if (!recording) return;
  const half = (height - 24) / 2;
  [byId("above").value, byId("below").value].forEach((policy, n) => {
    const timeline = recording.timelines[policy];
    const name = recording.policies[policy] && recording.policies[policy].name;
    if (timeline) drawSession(context, timeline, name, x, left, width, 4 + n * half, half - 10);
  });
}

function drawTicks(context, x, left, width, height) {
  const span = view.to - view.from;
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5];
  const step = steps.find((candidate) => span / candidate <= (width - left) / 90) || 36e5;
  context.fillStyle = css("--soft");
  context.strokeStyle = css("--line");
  context.textAlign = "center";
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    const place = Math.round(x(time)) + 0.5;
    context.beginPath();
    context.moveTo(place, 0);
    context.lineTo(place, height - 18);
    context.stroke();
    // A label at the edge would be cut off.
    if (place < width - 24) context.fillText(clock(time, step), place, height - 5);
  }
}

function clock(time, step) {
  const minutes = Math.floor(time / 60000);
  const seconds = (time % 60000) / 1000;
  const digits = step < 10 ? 3 : step < 100 ? 2 : step < 1000 ? 1 : 0;
  const text = seconds.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return `${minutes}:${text}`;
}

function drawSession(context, timeline, name, x, left, width, top, height) {
  const lane = height / 4;
  const lanes = [["keys", 0], ["shown", 1], ["waited for", 2], ["ahead", 3]];
  context.textAlign = "left";
  context.fillStyle = css(`--${name}`);
  context.fillText(name, 2, top + 10);
  context.fillStyle = css("--soft");
  context.textAlign = "right";
  for (const [text, n] of lanes) context.fillText(text, left - 6, top + lane * n + lane / 2 + (n ? 4 : 10));
  drawMarks(context, timeline.edits, x, left, width, top, lane, ([, kind, accept]) => {
    const [colour, tall] = KEYS[accept ? "accept" : kind] || KEYS.other;
    return { colour, tall, text: accept ? "accept" : kind };
  });
  drawReading(context, timeline, x, width, top + lane, lane);
  drawMarks(context, timeline.shown, x, left, width, top + lane, lane, (shown) => ({
    colour: ORIGINS[shown[2]] || "--soft",
    tall: 0.8,
    text: `shown, ${shown[2]}: ${plural(shown[1], "character")}`,
  }));
  drawBars(context, timeline.generations, x, left, width, top + lane * 2, lane);
}

// Draws a pale bar from each suggestion to the next change or suggestion: the time in which the
// user reads it.
function drawReading(context, { edits, shown }, x, width, top, lane) {
  // Over minutes the cursor has moved away, which the data do not record.
  if (view.to - view.from > READING) return;
  context.globalAlpha = 0.28;
  for (let n = Math.max(0, firstFrom(shown, view.from) - 1); n < shown.length && shown[n][0] <= view.to; n++) {
    const [began, , origin] = shown[n];
    // Times are whole microseconds: this finds the first change that is later than `began`.
    const change = edits[firstFrom(edits, began + 0.0005)];
    const until = Math.min(change ? change[0] : Infinity, n + 1 < shown.length ? shown[n + 1][0] : Infinity, view.to);
    const from = Math.max(x(view.from), x(began));
    if (x(until) - from < 1) continue;
    context.fillStyle = css(ORIGINS[origin] || "--soft");
    context.fillRect(from, top + lane * 0.2 + 2, Math.min(x(until), width - 8) - from, lane * 0.8 - 5);
  }
  context.globalAlpha = 1;
}

// Draws the marks of one lane. Of the marks on one pixel, the tallest is drawn.
function drawMarks(context, list, x, left, width, top, lane, describe) {
  let [column, tallest] = [-1, 0];
  for (let n = firstFrom(list, view.from); n < list.length && list[n][0] <= view.to; n++) {
    const mark = describe(list[n]);
    const place = Math.round(x(list[n][0]));
    if (place === column && mark.tall <= tallest) continue;
    [column, tallest] = [place, mark.tall];
    context.fillStyle = css(mark.colour);
    const tall = mark.tall * (lane - 6);
    context.fillRect(place - 1, top + lane - 3 - tall, 2, tall);
    view.hits.push({ from: place - 3, to: place + 3, top, bottom: top + lane, text: `${mark.text}\nat ${clock(list[n][0], 1)}` });
  }
}

// Draws generations as bars. Those that end before the view are skipped, and those that share a
// pixel are drawn once.
function drawBars(context, list, x, left, width, top, lane) {
  const longest = 10000;
  const drawn = [-1, -1];
  for (let n = firstFrom(list, view.from - longest); n < list.length && list[n][0] <= view.to; n++) {
    const [began, ended, ahead, givenUp] = list[n];
    const end = ended === null ? view.to : ended;
    if (end < view.from) continue;
    const row = ahead ? 1 : 0;
    const from = Math.max(left, x(began));
    const to = Math.min(width - 8, Math.max(x(end), from + 1));
    if (Math.round(to) === drawn[row]) continue;
    drawn[row] = Math.round(to);
    const y = top + lane * row + 4;
    context.fillStyle = css(givenUp ? "--given-up" : ahead ? "--ahead" : "--waited");
    context.fillRect(from, y, to - from, lane - 8);
    const how = ended === null ? "still running" : givenUp ? "given up" : "over";
    const text = `${ahead ? "computed ahead" : "waited for"}, ${how} after ${ms(end - began)}\nfrom ${clock(began, 1)}`;
    view.hits.push({ from: from - 1, to: to + 1, top: y, bottom: y + lane - 8, text });
  }
}

// Scrolls to the next or previous accept of the upper session, one third into the view, which is a
// few seconds wide.
function goToAccept(direction) {
  const recording = DATA.recordings[byId("recording").value];
  const timeline = recording && recording.timelines[byId("above").value];
  if (!timeline) return;
  const span = Math.min(view.to - view.from, 6000);
  const all = view.to - view.from >= view.length;
  const now = all ? (direction > 0 ? -1 : Infinity) : view.from + span / 3;
  const accepts = timeline.edits.filter((edit) => edit[2]).map((edit) => edit[0]);
  // The position of a view is exact to a fraction of a microsecond only.
  const next = direction > 0 ? accepts.find((time) => time > now + 0.01) : accepts.findLast((time) => time < now - 0.01);
  if (next === undefined) return;
  setView(next - span / 3, next + span * 2 / 3);
  byId("position").textContent = `Accept ${accepts.indexOf(next) + 1} of ${accepts.length}, at ${clock(next, 10)}`;
}

function controlTimeline() {
  const canvas = byId("timeline");
  const timeAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return view.from + ((event.clientX - box.left - 78) / (box.width - 86)) * (view.to - view.from);
  };
  let scrolled = -Infinity;
  document.addEventListener("scroll", () => { scrolled = performance.now(); });
  canvas.addEventListener("wheel", (event) => {
    // The page scrolls if it was scrolling already, or if there is nothing left to zoom out to.
    const all = view.to - view.from >= view.length;
    if (performance.now() - scrolled < 300 || (all && event.deltaY > 0)) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    view.drag = { x: event.clientX, from: view.from, to: view.to };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragged");
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      view.drag = null;
      canvas.classList.remove("dragged");
    });
  }
  canvas.addEventListener("pointermove", (event) => {
    if (view.drag) {
      const moved = ((event.clientX - view.drag.x) / (canvas.clientWidth - 86)) * (view.drag.to - view.drag.from);
      return setView(view.drag.from - moved, view.drag.to - moved);
    }
    const box = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const hit = view.hits.findLast((one) => px >= one.from && px <= one.to && py >= one.top && py <= one.bottom);
    if (hit) showTip(event, hit.text); else hideTip();
  });
  canvas.addEventListener("pointerleave", () => hideTip());
  const acts = {
    in: () => zoom(0.5), out: () => zoom(2), all: () => setView(0, view.length),
    left: () => setView(view.from - (view.to - view.from) / 4, view.to - (view.to - view.from) / 4),
    right: () => setView(view.from + (view.to - view.from) / 4, view.to + (view.to - view.from) / 4),
    previous: () => goToAccept(-1), next: () => goToAccept(1),
  };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => acts[button.dataset.zoom]());
  }
  canvas.addEventListener("keydown", (event) => {
    const act = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "all", 0: "all", p: "previous",
      n: "next" }[event.key];
    if (act && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      acts[act]();
    }
  });
}

function fillChoices() {
  const option = (value, text) => element("option", { value }, text);
  DATA.recordings.forEach((recording, n) => byId("recording").append(option(n, recording.name)));
  byId("table-of").append(option("", "all recordings together"));
  DATA.recordings.forEach((recording, n) => byId("table-of").append(option(n, recording.name)));
  const policies = DATA.recordings.length ? DATA.recordings[0].policies : [];
  for (const id of ["above", "below"]) {
    policies.forEach((policy, n) => byId(id).append(option(n, policy.name)));
  }
  byId("below").append(option("", "nothing"));
  const ours = Math.max(0, policies.findIndex((policy) => policy.name === "tabahead"));
  byId("above").value = ours;
  const other = policies.findIndex((_, n) => n !== ours);
  byId("below").value = other < 0 ? "" : other;
  byId("recording").addEventListener("change", newSession);
  for (const id of ["above", "below"]) byId(id).addEventListener("change", drawTimeline);
  byId("table-of").addEventListener("change", writeTable);
}

// The address may select a part of the session: #from=1000&to=2000, in milliseconds.
function newSession() {
  view.length = sessionLength();
  const wanted = new URLSearchParams(location.hash.slice(1));
  const time = (name, fallback) => (wanted.has(name) ? Number(wanted.get(name)) || 0 : fallback);
  setView(time("from", 0), time("to", view.length));
}

// ---- table ----

const SOURCES = [
  ["miss", "answers that waited for the model", "A generation was started for them.", "low"],
  ["joined", "answers that joined a running generation", "They waited for its rest only."],
  ["exact", "answers known for this very state", "An earlier request had asked there."],
  ["typed_through", "answers typed along", "What was known was typed into."],
  ["speculated", "answers computed ahead", "They were there before any request."],
  ["untold", "answers of unknown origin", "In real time, what shows nothing has no known origin."],
].flatMap(([name, text, title, better]) => [
  [text, title, `perceived_ms.${name}.count`, number, better],
  ...["p50", "p90", "p99"].map((quantile) =>
    [`their time, ${quantile}`, `From request to answer, of the ${text}.`, `perceived_ms.${name}.${quantile}`, ms, "low"]),
]);

const PROMPTS = [
  ["key", "key", "Prompt tokens computed while the request after a typed key waited."],
  ["enter", "Enter", "Prompt tokens computed while the request after a typed line end waited."],
  ["accept", "accept", "Prompt tokens computed while the request after a whole accept waited."],
  ["accept_base_stood", "accept, base stood", "Where the prompt after the accept continues where the one before it ended."],
  ["accept_base_moved", "accept, base moved", "Where the prompt after the accept begins or continues otherwise than the one before it."],
  ["jump", "jump", "Prompt tokens computed while the request after a first change elsewhere waited."],
].flatMap(([field, name, title]) => [
  [`prompt tokens per ${name}, p50`, title, `prefilled_tokens_per_${field}.p50`, number, "low"],
  [`prompt tokens per ${name}, p90`, title, `prefilled_tokens_per_${field}.p90`, number, "low"],
  [`prompt tokens per ${name}, mean`, title, `prefilled_tokens_per_${field}.mean`, number, "low"],
  [`counted for that`, `Requests that were counted: ${name}.`, `prefilled_tokens_per_${field}.count`, number],
]);

const MOVES = [
  ["1", "one line"],
  ["2", "two lines"],
  ["3_to_5", "three to five lines"],
  ["more", "more lines"],
].flatMap(([field, name]) => [
  [`accepts of ${name}`, "Lines that the accept wrote or continued.", `base_moves_by_lines.${field}.accepts`, number],
  ["of them moved the base", "The prompt after them had to be read from some earlier place.", `base_moves_by_lines.${field}.moved`, number, "low"],
]);

const ROWS = [
  ["requests", "One after each change.", "requests", number],
  ["of them answered with a suggestion", "Before the next change.", "shown", number],
  ["of them answered with nothing to suggest", "Before the next change.", "silent", number],
  ["of them overtaken by the next change", "No answer came in time.", "superseded", number, "low"],
  ["answers that were timed", "Quantiles are of these; overtaken requests have no time.", "perceived_ms.all.count", number],
  ["request to answer, p50", "Median time from a request to its answer.", "perceived_ms.all.p50", ms, "low"],
  ["request to answer, p90", "Nine of ten answers took no longer.", "perceived_ms.all.p90", ms, "low"],
  ["request to answer, p99", "99 of 100 answers took no longer.", "perceived_ms.all.p99", ms, "low"],
  ...SOURCES,
  ["accepts", "Suggestions accepted as a whole.", "accepts", number],
  ["accepts by line or word", "Suggestions accepted in part.", "partial_accepts", number],
  ["accepts with a next suggestion", "A fresh process would show something after them.", "accepts_with_next", number],
  ["their share of accepts", "Where it is low, the model has few suggestions.", "non_empty_next_share", percent],
  ["next suggestion there before the next change", "Of the accepts that have one.", "next_ready", number],
  ["their share", "Of the accepts that have a next suggestion.", "next_ready_share", percent, "high"],
  ["accepts to next that were timed", "Only those whose next suggestion came in time.", "accept_to_next_ms.count", number],
  ["accept to next, p50", "Median time from accept to the next suggestion.", "accept_to_next_ms.p50", ms, "low"],
  ["accept to next, p90", "Nine of ten came within this time.", "accept_to_next_ms.p90", ms, "low"],
  ["accept to next, p99", "99 of 100 came within this time.", "accept_to_next_ms.p99", ms, "low"],
  ["hit rate after accept", "Answered without waiting for the model.", "hit_rate_after_accept", percent, "high"],
  ["joined after accept", "Answered by a generation that ran already.", "joined_rate_after_accept", percent],
  ["keys along a suggestion", "Keys that agree with what was shown.", "keys_along", number],
  ["of them served at once", "Without waiting for the model.", "typed_through_rate", percent, "high"],
  ["diverging keys", "Keys that differ from what was shown.", "keys_diverging", number],
  ["of them served at once", "Without waiting for the model.", "hit_rate_diverging", percent, "high"],
  ["stale shows", "Suggestions for a text that was no longer there.", "stale_shows", number, "low"],
  ["shows unlike a fresh answer", "A fresh process would have shown something else.", "unlike_fresh", number, "low"],
  ["accepted characters", "Characters that accepts inserted.", "accepted_characters", number],
  ["kept characters per request", "Characters that accepts inserted, per request.", "kept_characters_per_request", number, "high"],
  ["wasted tokens", "Computed ahead and never shown.", "wasted_tokens", number, "low"],
  ["wasted tokens per accept", "Computed ahead and never shown, per whole accept.", "wasted_tokens_per_accept", number, "low"],
  ...PROMPTS,
  ...MOVES,
  ["base moves computed ahead", "Of all accepts that moved the base: answered without waiting for the model.", "base_moves_ahead", number, "high"],
  ["prompt tokens computed, waited for", "While a request waited.", "prefilled_tokens.waiting", number, "low"],
  ["prompt tokens computed, ahead", "Before any request.", "prefilled_tokens.ahead", number],
  ["tokens decoded, waited for", "While a request waited.", "decoded_tokens.waiting", number, "low"],
  ["tokens decoded, ahead", "Before any request.", "decoded_tokens.ahead", number],
  ["generations started", "Runs of the model.", "generations.started", number],
  ["generations given up", "Before their end.", "generations.cancelled", number],
  ["computing time waited for (s)", "While a request waited.", "cpu_seconds.waiting", number, "low"],
  ["computing time ahead (s)", "Before any request.", "cpu_seconds.ahead", number, "low"],
  ["seconds per accepted character", "Computing time.", "cpu_seconds_per_accepted_character", number, "low"],
  ["recorded time (s)", "How long the sessions lasted.", "recorded_seconds", number],
];

function writeTable() {
  const of = byId("table-of").value;
  const policies = of === "" ? DATA.policies : DATA.recordings[of].policies;
  const head = element("tr");
  head.append(element("th", { scope: "col" }, ""));
  for (const policy of policies) {
    head.append(element("th", { scope: "col", style: `color: var(--${policy.name})` }, policy.name));
  }
  const body = element("tbody");
  for (const [text, title, path, format, better] of ROWS) {
    const row = element("tr");
    row.append(element("th", { scope: "row", title, "data-figure": path }, text));
    const values = policies.map((policy) => at(policy.figures, path));
    const numbers = values.filter((value) => typeof value === "number");
    // Without answers of that origin there are no times either.
    if (text.startsWith("their time") && !numbers.length) continue;
    const best = better && (better === "low" ? Math.min(...numbers) : Math.max(...numbers));
    const differ = new Set(numbers).size > 1;
    for (const value of values) {
      const cell = element("td", { "data-value": String(value ?? "") }, format(value));
      if (better && differ && value === best) cell.className = "best";
      row.append(cell);
    }
    body.append(row);
  }
  const top = element("thead");
  top.append(head);
  byId("table").replaceChildren(top, body);
}

// ---- tips and themes ----

function showTip(event, text) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
  const top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip(line) {
  byId("tip").hidden = true;
  if (line) line.setAttribute("visibility", "hidden");
}

function useTheme(theme) {
  document.documentElement.dataset.theme = theme;
  drawTimeline();
}

function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = dark.matches ? "dark" : "light";
  dark.addEventListener("change", () => useTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () =>
    useTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  writeAbout();
  writeHeadline();
  drawPerceived();
  drawNext();
  writeLegends();
  fillChoices();
  controlTimeline();
  newSession();
  writeTable();
  window.addEventListener("resize", drawTimeline);
  window.addEventListener("hashchange", newSession);
}

start();
