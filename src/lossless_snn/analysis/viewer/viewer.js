// Spikes and membranes come packed, see encoding.py. All else, counts and differences included, is counted here.

const data = JSON.parse(document.getElementById("data").textContent);
const state = { image: 0, network: 0, variant: "signed", step: 0, mode: "spikes", layer: 0, neuron: 0, playing: null };
const MILLISECONDS_A_STEP = 1100;

const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const size = ([channels, height, width]) => channels * height * width;
const sizes = data.layers.map((layer) => size(layer.shape));
const neurons = sizes.reduce((sum, n) => sum + n, 0);
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function drawn(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// ---- Unpacking ----

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** A function that returns the next of the packed integers. */
async function reader(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  return () => {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
      unit *= 128;
    }
  };
}

const signed = (value) => (value % 2 ? -(value + 1) / 2 : value / 2);

/** A run with or without negative spikes, with what follows from its spikes: counts, and how they differ from the ANN. */
async function variantOf(packed, kept, activations) {
  const { steps } = packed;
  const [next, nextMembrane] = await Promise.all([reader(packed.spikes), reader(packed.membranes)]);
  const counts = [sizes.map((n) => new Int32Array(n))];
  const tallies = [sizes.map((_, i) => ({ plus: 0, minus: 0, differ: differing(counts[0][i], activations[i]) }))];
  const spikes = [sizes.map(() => ({ at: [], sign: [] }))];
  for (let t = 1; t <= steps; t++) {
    const after = counts[t - 1].map((layer) => layer.slice());
    spikes.push(after.map((layer) => {
      const total = next();
      const at = new Int32Array(total);
      const sign = new Int8Array(total);
      for (let i = 0, position = 0; i < total; i++) {
        const value = next();
        position += Math.floor(value / 2);
        at[i] = position;
        sign[i] = value % 2 ? -1 : 1;
        layer[position] += sign[i];
      }
      return { at, sign };
    }));
    tallies.push(spikes[t].map(({ sign }, i) => {
      const minus = sign.reduce((sum, s) => sum + (s < 0), 0);
      return { plus: sign.length - minus, minus, differ: differing(after[i], activations[i]) };
    }));
    counts.push(after);
  }
  const membranes = kept.map((positions) => new Map(positions.map((position) => {
    let value = 0;
    return [position, Array.from({ length: steps }, () => (value += signed(nextMembrane())))];
  })));
  const operations = [0];
  for (const count of packed.operations) operations.push(operations.at(-1) + count);
  return { ...packed, counts, tallies, spikes, membranes, operations };
}

function differing(counts, activations) {
  let count = 0;
  for (let i = 0; i < counts.length; i++) count += counts[i] !== activations[i];
  return count;
}

const unpacked = new Map();

function run(image, network) {
  const key = `${image} ${network}`;
  if (!unpacked.has(key)) unpacked.set(key, unpack(data.runs[image][network]));
  return unpacked.get(key);
}

async function unpack(packed) {
  const next = await reader(packed.ann.activations);
  const activations = sizes.map((n) => Int32Array.from({ length: n }, next));
  const nextNeuron = await reader(packed.neurons);
  const kept = sizes.map(() => {
    let position = 0;
    return Array.from({ length: nextNeuron() }, () => (position += nextNeuron()));
  });
  const [withNegative, without] = await Promise.all(
    [packed.signed, packed.unsigned].map((variant) => variantOf(variant, kept, activations)));
  return { ann: { ...packed.ann, activations }, signed: withNegative, unsigned: without };
}

// ---- What is shown ----

let current = await run(0, 0);
const shown = () => current[state.variant];
const network = () => data.networks[state.network];
const sum = (tallies, key) => tallies.reduce((total, tally) => total + tally[key], 0);
const className = (label) => data.classes[label];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function rgb(name) {
  const hex = colour(name);
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function joules(value) {
  for (const [unit, scale] of [["J", 1], ["mJ", 1e-3], ["µJ", 1e-6], ["nJ", 1e-9]]) {
    if (value >= scale) return `${(value / scale).toPrecision(3)} ${unit}`;
  }
  return value ? `${(value / 1e-12).toPrecision(3)} pJ` : "0 J";
}

function statusText() {
  const { steps, atRest, tallies, predictions } = shown();
  const t = state.step;
  const differ = sum(tallies[t], "differ");
  if (t === 0) return `Before step 1 of ${steps}. Nothing has been sent; ${number(differ)} of ${number(neurons)} neurons differ from the ANN.`;
  const right = predictions[t - 1] === data.images[state.image].label ? "right" : "wrong";
  const start = `Step ${t} of ${steps}: ${plural(sum(tallies[t], "plus"), "positive spike")}, ${number(sum(tallies[t], "minus"))} negative. ` +
    `Prediction ${className(predictions[t - 1])}, ${right}. `;
  if (t < steps || !atRest) {
    const end = t === steps ? "Not yet at rest: " : "";
    return `${start}${end}${number(differ)} of ${number(neurons)} neurons differ from the ANN.`;
  }
  if (differ === 0) return `${start}At rest: all ${number(neurons)} net counts equal the ANN's activations.`;
  return `${start}At rest, but ${number(differ)} counts differ from the ANN's: what was sent too early cannot be taken back.`;
}

function renderPrediction() {
  const { logits, predictions, steps } = shown();
  const t = state.step;
  const now = t ? logits[t - 1] : data.classes.map(() => 0);
  const label = data.images[state.image].label;
  const prediction = t ? predictions[t - 1] : null;
  byId("verdict-class").textContent = t ? className(prediction) : "?";
  byId("verdict-class").classList.toggle("word", t > 0 && className(prediction).length > 3);
  const verdict = prediction === label ? "✓ right" : `✗ wrong: it is ${className(label)}`;
  byId("verdict-text").replaceChildren(
    t ? verdict : `An image of ${className(label)}`, element("br"),
    element("span", { class: "small" }, `The ANN says ${className(current.ann.prediction)}`));
  const all = [0, ...current.ann.logits, ...logits.flat()];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const share = (value) => (100 * (value - low)) / (high - low || 1);
  byId("classes").replaceChildren(...data.classes.map((name, i) => {
    const [from, to] = [share(Math.min(now[i], 0)), share(Math.max(now[i], 0))];
    return element("div", { class: i === prediction ? "class first" : "class" },
      element("span", {}, name),
      element("span", { class: "track", "aria-hidden": "true" },
        element("i", { style: `left:${from}%;width:${to - from}%` }),
        element("b", { style: `left:${share(current.ann.logits[i])}%` })),
      element("span", {}, now[i].toFixed(2).replace("-", "−")));
  }));
  byId("history").replaceChildren(...predictions.map((predicted, i) => element("li", {
    class: `${i < t ? "done" : ""} ${i === t - 1 ? "now" : ""} ${predicted === label ? "" : "wrong"}`,
    ...(i === t - 1 ? { "aria-current": "step" } : {}),
  }, i < t || steps < 2 ? className(predicted) : "·")));
}

/** How both runs end, beside the ANN. */
function renderEnds() {
  const label = data.images[state.image].label;
  const said = (prediction) => `${className(prediction)} ${prediction === label ? "✓ right" : "✗ wrong"}`;
  const row = (name, variant) => {
    const { predictions, tallies, steps, atRest } = current[variant];
    const differ = number(sum(tallies[steps], "differ"));
    return element("tr", variant === state.variant ? { class: "now" } : {}, element("th", { scope: "row" }, name),
      ...[said(predictions[steps - 1]), differ, atRest ? steps : `over ${steps}`].map((cell) => element("td", {}, String(cell))));
  };
  byId("ends-note").textContent = `Differ: of ${number(neurons)} neurons, those whose net count is not the ANN's activation.`;
  byId("ends").tBodies[0].replaceChildren(
    element("tr", {}, element("th", { scope: "row" }, "ANN"), element("td", {}, said(current.ann.prediction)), element("td", {}, "–"), element("td", {}, "–")),
    row("with negative spikes", "signed"), row("without", "unsigned"));
}

function renderCost() {
  const { operations, tallies } = shown();
  const t = state.step;
  const past = tallies.slice(0, t + 1);
  const [plus, minus] = ["plus", "minus"].map((key) => past.reduce((total, layers) => total + sum(layers, key), 0));
  const equal = 1 - sum(tallies[t], "differ") / neurons;
  const energy = operations[t] * data.energy.joulesPerOperation;
  const row = (term, value) => [element("dt", {}, term), element("dd", {}, value)];
  const gauge = (share) => element("div", { class: "gauge", "aria-hidden": "true" }, element("i", { style: `width:${100 * share}%` }));
  byId("cost").replaceChildren(
    ...row("▲ positive spikes", number(plus)), ...row("▼ negative spikes", number(minus)),
    // Rounded down: all are equal only where it says 100.
    ...row("counts as the ANN's", `${Math.floor(1000 * equal) / 10} %`), gauge(equal),
    ...row("synaptic operations", number(operations[t])),
    ...row("the ANN's operations", number(data.energy.annOperations)),
    ...row("energy, estimate", joules(energy)), ...row("the ANN's, estimate", joules(data.energy.annJoules)),
    gauge(energy / data.energy.annJoules));
  byId("terms").textContent = `Energy: an estimate, not measured on a chip. ${data.energy.terms}.`;
}

// ---- Charts over time ----

function timeChart(container, label, height, columns) {
  const width = Math.max(container.clientWidth, 200);
  const { steps } = shown();
  const unit = width / (steps + 1);
  const chart = drawn("svg", { width, height: height + 16, role: "img", "aria-label": label });
  for (let t = 0; t <= steps; t++) {
    const column = drawn("g", { opacity: t <= state.step ? 1 : 0.3 });
    column.append(
      drawn("rect", { x: t * unit, y: 0, width: unit, height: height + 16, fill: t === state.step ? colour("still") : "transparent" }),
      ...columns(t, (t + 0.5) * unit, Math.max(Math.min(unit * 0.7, 40), 2)));
    if (isLabelled(t, Math.ceil(steps / Math.floor(width / 26)))) {
      column.append(drawn("text", { x: (t + 0.5) * unit, y: height + 13, "text-anchor": "middle", "font-weight": t === state.step ? 700 : 400 }, t));
    }
    column.addEventListener("click", () => goTo(t));
    column.style.cursor = "pointer";
    chart.append(column);
  }
  container.replaceChildren(chart);
}

/** Whether step t has its number below: every one in `stride`, and the present one, with space around it. */
const isLabelled = (t, stride) => t === state.step || (t % stride === 0 && Math.abs(t - state.step) >= stride);

/** Text over a bar, kept inside the chart at both ends. */
function anchored(t, x, width) {
  const { steps } = shown();
  if (t < steps / 5) return ["start", x - width / 2];
  return t > (4 * steps) / 5 ? ["end", x + width / 2] : ["middle", x];
}

function renderTime() {
  const { tallies } = shown();
  const totals = tallies.map((layers) => ({ plus: sum(layers, "plus"), minus: sum(layers, "minus"), differ: sum(layers, "differ") }));
  const [most, least] = ["plus", "minus"].map((key) => Math.max(...totals.map((total) => total[key]), 1));
  const height = 120;
  const axis = 14 + ((height - 28) * most) / (most + least);
  const scale = (height - 28) / (most + least);
  const bar = (x, y, width, tall, fill) => drawn("rect", { x: x - width / 2, y, width, height: tall, fill });
  const list = (key) => totals.slice(1).map((total) => total[key]).join(", ");
  timeChart(byId("spikes-chart"), `Positive spikes by step: ${list("plus")}. Negative: ${list("minus")}.`, height, (t, x, width) => {
    const { plus, minus } = totals[t];
    const parts = [
      bar(x, axis - plus * scale, width, plus && Math.max(plus * scale, 1), colour("plus")),
      bar(x, axis + 1, width, minus && Math.max(minus * scale, 1), colour("minus"))];
    if (t && t === state.step) {
      const [anchor, edge] = anchored(t, x, width);
      parts.push(drawn("text", { x: edge, y: axis - plus * scale - 3, "text-anchor": anchor }, `▲ ${number(plus)}`),
        drawn("text", { x: edge, y: axis + minus * scale + 13, "text-anchor": anchor }, `▼ ${number(minus)}`));
    }
    return parts;
  });
  const largest = Math.max(...totals.map((total) => total.differ), 1);
  timeChart(byId("differ-chart"), `Neurons that differ from the ANN, by step: ${list("differ")}.`, height, (t, x, width) => {
    const tall = ((height - 18) * totals[t].differ) / largest;
    const parts = [bar(x, height - tall, width, tall, colour("muted"))];
    if (t === state.step) {
      const [anchor, edge] = anchored(t, x, width);
      parts.push(drawn("text", { x: edge, y: height - tall - 4, "text-anchor": anchor, "font-weight": 700 }, number(totals[t].differ)));
    }
    return parts;
  });
}

// ---- Maps ----

/** Where the maps of a layer lie: `columns` maps a row, `scale` CSS pixels a neuron, `gap` neurons between maps. */
function arrangement([channels, height, width], available) {
  const gap = height * width > 1 ? 1 : 0;
  const most = available < 420 ? 220 : 190;
  for (let scale = 8; scale >= 1; scale--) {
    const columns = Math.min(Math.floor((available / scale + gap) / (width + gap)), channels);
    if (columns < 1) continue;
    const rows = Math.ceil(channels / columns);
    if ((rows * (height + gap) - gap) * scale <= most || scale === 1) return { columns, rows, scale, gap };
  }
  return { columns: 1, rows: channels, scale: 1, gap };
}

const maps = data.layers.map(({ token, shape }, index) => {
  const canvas = element("canvas", { role: "img" });
  const ring = element("div", { class: "ring", hidden: "" });
  const text = element("span", { class: "text" });
  const [channels, height, width] = shape;
  const form = height * width > 1 ? `${channels} maps of ${height} × ${width}` : `${channels} neurons`;
  const figure = element("figure", { class: "layer" },
    element("figcaption", {}, element("b", {}, `${index + 1}: ${token}`), element("span", { class: "text" }, form), text),
    element("div", { class: "frame" }, canvas, ring));
  byId("maps").append(figure);
  const map = { canvas, ring, text, shape, layout: null };
  canvas.addEventListener("click", (event) => {
    const { columns, scale, gap } = map.layout;
    const [x, y] = [event.offsetX / scale, event.offsetY / scale];
    const [column, row] = [Math.floor(x / (width + gap)), Math.floor(y / (height + gap))];
    const channel = row * columns + column;
    if (channel >= channels) return;
    const inside = (value, limit) => Math.max(0, Math.min(Math.floor(value), limit - 1));
    const at = [channel, inside(y - row * (height + gap), height), inside(x - column * (width + gap), width)];
    select(index, nearestAlive(index, at));
  });
  return map;
});

const positionOf = ([, height, width], [channel, y, x]) => (channel * height + y) * width + x;
const placeOf = ([, height, width], position) =>
  [Math.floor(position / (height * width)), Math.floor(position / width) % height, position % width];

/** The neuron at a place, or one beside it that spikes: single ones are small to hit. */
function nearestAlive(index, place) {
  const { shape } = data.layers[index];
  const reach = maps[index].layout.scale < 6 ? 2 : 0;
  const [channel, y, x] = place;
  let [best, distance] = [positionOf(shape, place), Infinity];
  for (let row = y - reach; row <= y + reach; row++) {
    for (let column = x - reach; column <= x + reach; column++) {
      if (row < 0 || column < 0 || row >= shape[1] || column >= shape[2]) continue;
      const position = positionOf(shape, [channel, row, column]);
      const away = (row - y) ** 2 + (column - x) ** 2;
      if (away < distance && shown().membranes[index].has(position)) [best, distance] = [position, away];
    }
  }
  return best;
}

const CAPTIONS = {
  spikes: ({ plus, minus }) => `▲ ${number(plus)}  ▼ ${number(minus)} in this step`,
  counts: (_, total) => `net count ${number(total)} so far`,
  differ: ({ differ }) => (differ ? `${plural(differ, "neuron")} ${differ === 1 ? "differs" : "differ"}` : "all as the ANN's"),
};
const ALTERNATIVES = {
  spikes: ({ plus, minus }) => `${plural(plus, "positive spike")} and ${number(minus)} negative in step ${state.step}`,
  counts: (_, total) => `net spike count ${number(total)} after step ${state.step}`,
  differ: ({ differ }) => `${number(differ)} net counts differ from the ANN's activations after step ${state.step}`,
};

/** A value in −1 … 1 for each neuron of a layer: its shade between negative, still and positive. */
function shades(index) {
  const { spikes, counts } = shown();
  const t = state.step;
  const values = new Float32Array(sizes[index]);
  const ann = current.ann.activations[index];
  if (state.mode === "spikes") {
    const { at, sign } = spikes[t][index];
    at.forEach((position, i) => { values[position] = sign[i]; });
  } else if (state.mode === "counts") {
    const most = Math.max(ann.reduce((a, b) => Math.max(a, b), 1), counts[t][index].reduce((a, b) => Math.max(a, b), 1));
    counts[t][index].forEach((count, i) => { values[i] = count && 0.15 + (0.85 * count) / most; });
  } else {
    counts[t][index].forEach((count, i) => { values[i] = Math.sign(count - ann[i]); });
  }
  return values;
}

function renderMaps() {
  const [plus, minus, still, card] = ["plus", "minus", "still", "card"].map(rgb);
  maps.forEach((map, index) => {
    const [channels, height, width] = map.shape;
    const { columns, rows, scale, gap } = (map.layout = arrangement(map.shape, byId("maps").clientWidth));
    const [wide, high] = [columns * (width + gap) - gap, rows * (height + gap) - gap];
    map.canvas.width = wide;
    map.canvas.height = high;
    map.canvas.style.width = `${wide * scale}px`;
    map.canvas.style.height = `${high * scale}px`;
    const context = map.canvas.getContext("2d");
    const picture = context.createImageData(wide, high);
    for (let i = 0; i < wide * high; i++) picture.data.set([...card, 255], 4 * i);
    shades(index).forEach((shade, position) => {
      const [channel, y, x] = placeOf(map.shape, position);
      const at = (Math.floor(channel / columns) * (height + gap) + y) * wide + (channel % columns) * (width + gap) + x;
      const full = shade < 0 ? minus : plus;
      for (let c = 0; c < 3; c++) picture.data[4 * at + c] = still[c] + (full[c] - still[c]) * Math.abs(shade);
    });
    context.putImageData(picture, 0, 0);
    const tally = shown().tallies[state.step][index];
    const total = shown().counts[state.step][index].reduce((a, b) => a + b, 0);
    map.text.textContent = CAPTIONS[state.mode](tally, total);
    map.canvas.setAttribute("aria-label", `Layer ${index + 1}, ${data.layers[index].token}: ${ALTERNATIVES[state.mode](tally, total)}.`);
    map.ring.hidden = index !== state.layer;
    if (index === state.layer) {
      const [channel, y, x] = placeOf(map.shape, state.neuron);
      const [left, top] = [(channel % columns) * (width + gap) + x, Math.floor(channel / columns) * (height + gap) + y];
      const around = Math.max(scale, 4) + 6;
      map.ring.style.cssText = `width:${around}px;height:${around}px;left:${(left + 0.5) * scale - around / 2}px;top:${(top + 0.5) * scale - around / 2}px`;
    }
  });
  const swatch = (background, text) => element("span", {}, element("i", { style: `background:${background}` }), text);
  const names = { spikes: ["▲ positive spike", "▼ negative spike", "no spike"], counts: ["the highest count", null, "0"], differ: ["too many", "too few", "as the ANN's"] }[state.mode];
  byId("legend").replaceChildren(...["plus", "minus", "still"].flatMap((name, i) => (names[i] ? [swatch(`var(--${name})`, names[i])] : [])));
}

// ---- One neuron ----

const inThresholds = (value) => value.toFixed(2).replace("-", "−");
/** Of a membrane recorded as floor(parts (V - b) / theta): the middle of what it may be. */
const membraneOf = (part) => (part + 0.5) / data.parts;

function neuronOf(layer, position) {
  const { membranes, counts, steps } = shown();
  const channel = placeOf(data.layers[layer].shape, position)[0];
  const [theta, base] = [network().thresholds[layer][channel], network().bases[layer][channel]];
  const parts = membranes[layer].get(position);
  const n = Array.from({ length: steps + 1 }, (_, t) => counts[t][layer][position]);
  const v = parts && [-base / theta, ...parts.map(membraneOf)];
  return { channel, theta, base, n, v, ann: current.ann.activations[layer][position] };
}

/** d / theta, of the membrane of step t and the spikes sent before. */
const distance = ({ v, n }, t) => Math.max(v[t], 0) - n[t - 1];

function explain(neuron) {
  const t = state.step;
  const { v, n, ann } = neuron;
  const still = `The ANN's activation is ${ann}.`;
  if (!v) {
    const silent = "This neuron never spikes for this image: after every step its membrane is below b + θ.";
    return [`${n.some(Boolean) ? "Of this neuron the page has the spikes only, not the membrane." : silent} ${still}`, ""];
  }
  if (t === 0) return [`Before the first step V = 0 and Q = b. ${still}`, ""];
  const passed = Math.max(Math.floor(v[t]), 0);
  const d = distance(neuron, t);
  const facts = `V has passed ${plural(passed, "threshold")}; ${plural(n[t - 1], "spike")} sent before, net. d = ${inThresholds(d)} θ`;
  const spike = n[t] - n[t - 1];
  if (spike > 0) return [`Step ${t}. ${facts}, above θ: ▲ a positive spike. Now n = ${n[t]}; the ANN's activation is ${ann}.`, "up"];
  if (spike < 0) return [`Step ${t}. ${facts}, below 0: ▼ a negative spike takes one back. Now n = ${n[t]}; the ANN's activation is ${ann}.`, "down"];
  if (d < 0) return [`Step ${t}. ${facts}, below 0. Without negative spikes nothing can be taken back: n stays ${n[t]}; the ANN's activation is ${ann}.`, "down"];
  const end = t === shown().steps && shown().atRest ? `At rest, n = ${n[t]}${n[t] === ann ? ": the ANN's activation" : `; the ANN's activation is ${ann}`}.` : `n = ${n[t]}; the ANN's activation is ${ann}.`;
  return [`Step ${t}. ${facts}, between 0 and θ: no spike. ${end}`, ""];
}

function renderNeuron() {
  const neuron = neuronOf(state.layer, state.neuron);
  const [text, kind] = explain(neuron);
  byId("explanation").textContent = text;
  byId("explanation").className = kind;
  const place = placeOf(data.layers[state.layer].shape, state.neuron);
  const limits = data.layers[state.layer].shape;
  byId("n-layer").value = state.layer;
  ["n-channel", "n-row", "n-column"].forEach((id, i) => {
    byId(id).value = place[i];
    byId(id).max = limits[i] - 1;
    byId(id).parentElement.hidden = i > 0 && limits[i] === 1;
  });
  membraneChart(byId("membrane"), neuron);
  byId("steps").tBodies[0].replaceChildren(...neuron.n.map((count, t) => {
    const spike = t ? count - neuron.n[t - 1] : 0;
    const cells = [
      t, neuron.v ? inThresholds(neuron.v[t]) : "–", neuron.v && t ? inThresholds(distance(neuron, t)) : "–",
      spike > 0 ? "▲ +1" : spike < 0 ? "▼ −1" : "0", count];
    return element("tr", t === state.step ? { class: "now", "aria-current": "step" } : {}, ...cells.map((cell) => element("td", {}, String(cell))));
  }));
}

function membraneChart(container, neuron) {
  const { n, v, ann, theta, base } = neuron;
  const { steps } = shown();
  const width = Math.max(container.clientWidth, 240);
  const height = 290;
  const [left, right, top, bottom] = [52, 58, 10, 36];
  const shownV = v || n.map(() => 0);
  const low = Math.max(Math.min(-0.6, ...shownV) - 0.3, -2.6);
  const high = Math.max(...shownV, ...n, ann) + 1.25;
  const unit = (width - left - right) / (steps + 1);
  const x = (t) => left + (t + 0.5) * unit;
  const y = (value) => top + ((high - Math.max(value, low)) / (high - low)) * (height - top - bottom);
  const name = (m) => (m === 0 ? "b" : m === 1 ? "b + θ" : `b + ${m}θ`);
  const chart = drawn("svg", { width, height, role: "img", "aria-label":
    `Membrane of the neuron against its thresholds. Net count by step: ${n.join(", ")}. The ANN's activation: ${ann}. The numbers are in the table below.` });
  const add = (tag, attributes, ...children) => chart.append(drawn(tag, attributes, ...children));
  add("rect", { x: left + state.step * unit, y: top, width: unit, height: height - top - bottom, fill: colour("still") });
  // Where V must end for a count of `ann`: the ANN's level.
  const roof = y(ann + 1);
  const floor = ann === 0 ? y(low) : y(ann);
  add("rect", { x: width - right + 4, y: roof, width: 6, height: floor - roof, fill: colour("ink") });
  add("text", { x: width - right + 14, y: (roof + floor) / 2 - 3 }, "ANN");
  add("text", { x: width - right + 14, y: (roof + floor) / 2 + 11, "font-weight": 700 }, `n = ${ann}`);
  const stride = Math.ceil((high - low) / 9);
  for (let m = 0; m < high; m += stride) {
    add("line", { x1: left, x2: width - right, y1: y(m), y2: y(m), stroke: colour("muted"), "stroke-width": m ? 0.7 : 1.4, "stroke-dasharray": m ? "3 3" : "none" });
    add("text", { x: left - 6, y: y(m) + 4, "text-anchor": "end", "font-style": "italic" }, name(m));
  }
  for (let t = 0; t <= steps; t++) {
    const faint = t <= state.step ? 1 : 0.22;
    // Between Q and Q + theta nothing is to be corrected.
    add("rect", { x: left + t * unit, y: y(n[t] + 1), width: unit, height: y(n[t]) - y(n[t] + 1), fill: colour("band"), opacity: faint });
    add("line", { x1: left + t * unit, x2: left + (t + 1) * unit, y1: y(n[t]), y2: y(n[t]), stroke: colour("ink"), "stroke-width": 2.5, opacity: faint });
    if (isLabelled(t, Math.ceil(steps / Math.floor((width - left - right) / 26)))) {
      add("text", { x: x(t), y: height - bottom + 15, "text-anchor": "middle", opacity: Math.max(faint, 0.6), "font-weight": t === state.step ? 700 : 400 }, t);
    }
  }
  for (let t = 1; t <= steps; t++) {
    const spike = n[t] - n[t - 1];
    if (!spike) continue;
    const [from, to] = [y(n[t - 1]), y(n[t])];
    const edge = left + t * unit;
    const half = Math.min(unit * 0.35, 8);
    const tip = to + (spike > 0 ? 1 : -1);
    const foot = tip + (spike > 0 ? 1 : -1) * half * 1.5;
    const fill = colour(spike > 0 ? "plus" : "minus");
    const opacity = t <= state.step ? 1 : 0.22;
    add("line", { x1: edge, x2: edge, y1: from, y2: to, stroke: fill, "stroke-width": 3, opacity });
    add("path", { d: `M${edge - half} ${foot}L${edge + half} ${foot}L${edge} ${tip}Z`, fill, opacity });
  }
  if (v) {
    const points = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${x(from + i)},${y(v[from + i])}`).join(" ");
    const line = { fill: "none", stroke: colour("focus"), "stroke-width": 1.6 };
    add("polyline", { ...line, points: points(0, state.step) });
    if (state.step < steps) add("polyline", { ...line, points: points(state.step, steps), opacity: 0.22 });
    v.forEach((value, t) => add("circle", { cx: x(t), cy: y(value), r: Math.min(4, unit * 0.3), fill: colour("focus"), stroke: colour("card"), opacity: t <= state.step ? 1 : 0.22 }));
  }
  add("text", { x: left + (width - left - right) / 2, y: height - 1, "text-anchor": "middle" }, "time step");
  container.replaceChildren(chart);
  const mark = (...shapes) => drawn("svg", { width: 22, height: 14, "aria-hidden": "true" }, ...shapes);
  const entry = (picture, words) => element("li", {}, picture, words);
  byId("membrane-legend").replaceChildren(
    entry(mark(drawn("line", { x1: 0, x2: 22, y1: 7, y2: 7, stroke: colour("focus"), "stroke-width": 1.6 }), drawn("circle", { cx: 11, cy: 7, r: 4, fill: colour("focus") })), "membrane V"),
    entry(mark(drawn("rect", { x: 0, y: 1, width: 22, height: 12, fill: colour("band") }), drawn("line", { x1: 0, x2: 22, y1: 13, y2: 13, stroke: colour("ink"), "stroke-width": 2.5 })), "Q = b + nθ, and up to Q + θ: no spike is due"),
    entry(mark(drawn("path", { d: "M4 13L18 13L11 1Z", fill: colour("plus") })), "positive spike"),
    entry(mark(drawn("path", { d: "M4 1L18 1L11 13Z", fill: colour("minus") })), "negative spike"),
    element("li", {}, `b = ${base.toPrecision(3).replace("-", "−")}, θ = ${theta.toPrecision(3)} in map ${neuron.channel}`));
}

/**
 * Neurons that take spikes back, one layer after the other. First those with about four spikes that end above 0,
 * whose membrane falls well below Q, and which without negative spikes would end with too high a count.
 */
function examples() {
  const { spikes, counts, steps, membranes } = current.signed;
  const ends = current.unsigned.counts.at(-1);
  const awkward = ({ layer, position, spikes: total, step }) => {
    const fall = membraneOf(membranes[layer].get(position)[step - 1]) - counts[step - 1][layer][position];
    const end = current.ann.activations[layer][position];
    return Math.abs(total - 4) + (end > 0 ? 0 : 8) + (fall > -0.3 ? 2 : 0) + (ends[layer][position] > end ? 0 : 4);
  };
  const candidates = data.layers.map((_, layer) => {
    const seen = new Map();
    for (let t = 1; t <= steps; t++) {
      const { at, sign } = spikes[t][layer];
      at.forEach((position, i) => {
        const entry = seen.get(position) || { layer, position, spikes: 0, step: 0 };
        entry.spikes += 1;
        if (sign[i] < 0 && !entry.step) entry.step = t;
        seen.set(position, entry);
      });
    }
    return [...seen.values()]
      .filter(({ position, step }) => step && membranes[layer].has(position))
      .map((entry) => ({ ...entry, awkward: awkward(entry) }))
      .sort((a, b) => a.awkward - b.awkward || a.position - b.position);
  });
  const rounds = Math.max(...candidates.map((layer) => layer.length));
  return Array.from({ length: Math.min(rounds, 50) }, (_, i) => candidates.map((layer) => layer[i])).flat().filter(Boolean);
}

let taught = -1;
function showExample() {
  const all = examples();
  if (!all.length) return;
  taught = (taught + 1) % all.length;
  const { layer, position, step } = all[taught];
  Object.assign(state, { layer, neuron: position });
  stop();
  goTo(step);
}

// ---- Changes ----

function render() {
  const { steps } = shown();
  byId("step").max = steps;
  byId("step").value = state.step;
  byId("step").setAttribute("aria-valuetext", `step ${state.step} of ${steps}`);
  // Not `disabled`, which would take the focus away from whoever has just pressed it.
  for (const id of ["first", "back"]) byId(id).setAttribute("aria-disabled", state.step === 0);
  for (const id of ["next", "last"]) byId(id).setAttribute("aria-disabled", state.step === steps);
  byId("status").textContent = statusText();
  renderEnds();
  renderPrediction();
  renderCost();
  renderTime();
  renderMaps();
  renderNeuron();
}

function goTo(step) {
  state.step = Math.max(0, Math.min(step, shown().steps));
  if (state.step === shown().steps) stop();
  render();
}

function select(layer, position) {
  state.layer = layer;
  state.neuron = position;
  render();
}

function stop() {
  clearInterval(state.playing);
  state.playing = null;
  byId("play").classList.remove("playing");
  byId("play").setAttribute("aria-label", "Play");
  byId("status").setAttribute("aria-live", "polite");
}

function play() {
  if (state.playing) {
    stop();
    render();
    return;
  }
  // Announced when it stops: a sentence a second cannot be listened to.
  byId("status").setAttribute("aria-live", "off");
  byId("play").classList.add("playing");
  byId("play").setAttribute("aria-label", "Pause");
  state.playing = setInterval(() => goTo(state.step + 1), MILLISECONDS_A_STEP);
  goTo(state.step === shown().steps ? 0 : state.step + 1);
}

async function choose(change) {
  const atEnd = state.step === shown().steps;
  Object.assign(state, change);
  const { image, network: chosen } = state;
  const unpackedRun = await run(image, chosen);
  // Another choice may have been made meanwhile.
  if (image !== state.image || chosen !== state.network) return;
  current = unpackedRun;
  if ("image" in change || "network" in change) {
    drawPicture(byId("picture"), image);
    const all = examples();
    taught = all.length ? 0 : -1;
    byId("example").hidden = !all.length;
    if (all.length) Object.assign(state, { layer: all[0].layer, neuron: all[0].position });
  }
  state.step = atEnd ? shown().steps : Math.min(state.step, shown().steps);
  render();
}

function drawPicture(canvas, index) {
  const [channels, height, width] = data.shape;
  const pixels = bytesOf(data.images[index].pixels);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = pixels[(channels === 3 ? c : 0) * height * width + i];
    picture.data[4 * i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  if (canvas.id) canvas.setAttribute("aria-label", `Test image ${data.images[index].index}, of class ${className(data.images[index].label)}`);
}

function radio(group, value, ...content) {
  const input = element("input", { type: "radio", name: group, value });
  input.checked = value === 0;
  return element("label", {}, input, element("span", {}, ...content));
}

data.images.forEach((image, i) => {
  const canvas = element("canvas", { "aria-hidden": "true" });
  drawPicture(canvas, i);
  const label = radio("image", i, canvas, className(image.label));
  label.title = `test image ${image.index}: ${image.reason}`;
  label.querySelector("input").setAttribute("aria-label", `${className(image.label)}, test image ${image.index}, ${image.reason}`);
  byId("images").querySelector(".options").append(label);
});
data.networks.forEach(({ precision, k }, i) => byId("networks").querySelector(".options").append(radio("network", i, `k = ${k}`)));
data.layers.forEach(({ token }, i) => byId("n-layer").append(element("option", { value: i }, `${i + 1}: ${token}`)));

byId("images").addEventListener("change", (event) => choose({ image: Number(event.target.value) }));
byId("networks").addEventListener("change", (event) => choose({ network: Number(event.target.value) }));
byId("variants").addEventListener("change", (event) => choose({ variant: event.target.value }));
byId("modes").addEventListener("change", (event) => choose({ mode: event.target.value }));
byId("step").addEventListener("input", (event) => { stop(); goTo(Number(event.target.value)); });
byId("first").addEventListener("click", () => { stop(); goTo(0); });
byId("back").addEventListener("click", () => { stop(); goTo(state.step - 1); });
byId("next").addEventListener("click", () => { stop(); goTo(state.step + 1); });
byId("last").addEventListener("click", () => { stop(); goTo(shown().steps); });
byId("play").addEventListener("click", play);
byId("example").addEventListener("click", showExample);
byId("neuron").addEventListener("submit", (event) => event.preventDefault());
byId("neuron").addEventListener("change", () => {
  const layer = Number(byId("n-layer").value);
  const { shape } = data.layers[layer];
  const place = ["n-channel", "n-row", "n-column"].map((id, i) => Math.max(0, Math.min(Number(byId(id).value) || 0, shape[i] - 1)));
  select(layer, positionOf(shape, place));
});

// The arrows and space belong to whatever control has them already.
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  const pressed = event.target.closest("button, summary, a");
  const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  if (event.key in moves) {
    event.preventDefault();
    stop();
    goTo(state.step + moves[event.key]);
  } else if (event.key === " " && !pressed) {
    event.preventDefault();
    play();
  }
});

let wide = 0;
new ResizeObserver(() => {
  if (document.documentElement.clientWidth !== wide) {
    wide = document.documentElement.clientWidth;
    render();
  }
}).observe(document.documentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);

await choose({ image: 0 });
goTo(examples()[0]?.step ?? 0);
document.documentElement.dataset.ready = "true";
