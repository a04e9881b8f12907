// The page of a generator: images of chosen classes, walks, and attention.
// It loads only the files beside this one, and nothing else from the network.

import { Generator } from "./numpy_random.js";

const find = (id) => document.getElementById(id);
const fail = (error) => {
  find("status").textContent = `This does not work here: ${error.message ?? error}`;
};
addEventListener("error", (event) => fail(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => fail(event.reason));
const site = await (await fetch("site.json")).json();
const [height, width, channels] = site.image_shape;
const names = site.class_names;
const chosen = new Set(names.map((_, i) => i));
const state = { images: [], index: 0, point: null, scores: {}, walks: 0 };

const { ort, session, device } = await start();

// Starts the runtime on the GPU if it can use one, and otherwise on WebAssembly.
async function start() {
  const options = { graphOptimizationLevel: "all" };
  if (site.webgpu && navigator.gpu && (await navigator.gpu.requestAdapter())) {
    try {
      return await load("ort.webgpu.min.mjs", "webgpu", options);
    } catch (error) {
      console.warn("WebGPU does not work here:", error);
    }
  }
  return load("ort.wasm.min.mjs", "wasm", options);
}

async function load(file, device, options) {
  const ort = await import(`./runtime/${file}`);
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  ort.env.wasm.numThreads = 1; // More threads need headers that few hosts send.
  const session = await ort.InferenceSession.create("generator.onnx", {
    ...options,
    executionProviders: [device],
  });
  // Run one image: if the device cannot run the network, this fails.
  await session.run(inputsOf(ort, new Float32Array(site.latent_dim), [0]), ["images"]);
  return { ort, session, device };
}

function inputsOf(ort, latents, labels) {
  const n = latents.length / site.latent_dim;
  const inputs = {
    latents: new ort.Tensor("float32", latents, [n, site.latent_dim]),
  };
  if (names.length) {
    const ids = BigInt64Array.from(labels, (label) => BigInt(label));
    inputs.labels = new ort.Tensor("int64", ids, [n]);
  }
  return inputs;
}

// Runs the generator, one call at a time; `outputs` are the names of the outputs
// to return. Scores are requested only for one image, because they may be large.
let running = Promise.resolve();
function generate(latents, labels, outputs) {
  const inputs = inputsOf(ort, latents, labels);
  const result = running.then(() => session.run(inputs, outputs));
  running = result.catch(() => {});
  return result;
}

function toImages(tensor) {
  const size = height * width;
  const count = tensor.dims[0];
  return Array.from({ length: count }, (_, n) => {
    const image = new ImageData(width, height);
    for (let i = 0; i < size; i++) {
      const at = (n * size + i) * channels;
      const byte = (c) => {
        // Rounds to the nearest integer, and halves to even, as NumPy does.
        const value = Math.min(255, Math.max(0, (tensor.data[at + c] + 1) * 127.5));
        const low = Math.floor(value);
        const half = value - low === 0.5;
        return half ? low + (low % 2) : Math.round(value);
      };
      const gray = channels === 1;
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = byte(gray ? 0 : c);
      image.data[4 * i + 3] = channels === 4 ? byte(3) : 255;
    }
    return image;
  });
}

function settings() {
  const whole = (id, low, high) => {
    const field = find(id);
    const value = Math.trunc(Number(field.value));
    const kept = Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));
    field.value = kept;
    return kept;
  };
  const seed = whole("seed", 0, Number.MAX_SAFE_INTEGER);
  const count = whole("count", 1, 64);
  const place = Number(find("truncation").value);
  const bound = place > 20 ? Infinity : place / 10;
  const classes = [...chosen].sort((a, b) => a - b);
  const labels = names.length
    ? Array.from({ length: count }, (_, i) => classes[i % classes.length] ?? 0)
    : null;
  return { seed, count, bound, labels };
}

function latentsOf({ seed, count, bound }) {
  return new Generator(seed).latents(count, site.latent_dim, bound);
}

// Draws what the controls say. Of several requests in a row, only the last counts.
let asked = 0;
async function draw() {
  const request = ++asked;
  await running;
  if (request !== asked || (names.length && !chosen.size)) return;
  const now = settings();
  find("bound").textContent = now.bound === Infinity ? "none" : now.bound;
  find("python").textContent = python(now);
  await show(latentsOf(now), now.labels);
}

async function show(latents, labels) {
  const { images } = await generate(latents, labels, ["images"]);
  state.images = toImages(images);
  state.latents = latents;
  state.labels = labels;
  state.index = Math.min(state.index, state.images.length - 1);
  showAll();
  await choose(state.index);
}

// Shows an image large, with what its points attend to.
async function choose(index) {
  state.index = index;
  showAll();
  const layers = site.attention.map((layer) => layer.name);
  if (layers.length) {
    const size = site.latent_dim;
    const latents = state.latents.slice(index * size, (index + 1) * size);
    const labels = state.labels && [state.labels[index]];
    const scores = await generate(latents, labels, layers);
    if (state.index !== index) return;
    state.scores = scores;
  }
  showOne();
}

function python({ seed, count, bound, labels }) {
  const given = [];
  if (labels) given.push(`labels=[${labels.join(", ")}]`);
  else given.push(`num_images=${count}`);
  given.push(`seed=${seed}`);
  if (bound !== Infinity) given.push(`truncation=${bound}`);
  if (!site.ema) given.push("ema=False");
  return `model.generate(${given.join(", ")})`;
}

const nameOf = (i) => (state.labels ? names[state.labels[i]] : `image ${i + 1}`);

function showAll() {
  const place = find("images");
  while (place.children.length > state.images.length) place.lastChild.remove();
  state.images.forEach((image, i) => {
    let button = place.children[i];
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      const canvas = document.createElement("canvas");
      canvas.width = width;
      canvas.height = height;
      button.append(canvas, document.createElement("span"));
      button.addEventListener("click", () => choose(i));
      place.append(button);
    }
    button.querySelector("canvas").getContext("2d").putImageData(image, 0, 0);
    button.querySelector("span").textContent = nameOf(i);
    button.setAttribute("aria-pressed", i === state.index);
  });
}

function showOne() {
  const image = state.images[state.index];
  const scale = Math.max(1, Math.floor(384 / Math.max(width, height)));
  const canvas = find("image");
  paint(canvas, image, scale);
  find("caption").textContent = nameOf(state.index);
  const layer = site.attention.find((x) => x.name === find("layer").value);
  find("attention").hidden = !layer;
  if (!layer) return;
  const point = state.point ?? { x: Math.floor(width / 2), y: Math.floor(height / 2) };
  const heat = heatOf(layer, point);
  const overlay = new ImageData(width * scale, height * scale);
  const [rows, columns] = layer.keys;
  const most = Math.max(...heat, 3 / heat.length);
  for (let y = 0; y < overlay.height; y++) {
    for (let x = 0; x < overlay.width; x++) {
      const at = (Math.floor(y / scale) * width + Math.floor(x / scale)) * 4;
      const value = smooth(
        heat,
        rows,
        columns,
        ((y + 0.5) / overlay.height) * rows - 0.5,
        ((x + 0.5) / overlay.width) * columns - 0.5,
      ) / most;
      const alpha = image.data[at + 3] / 255;
      const light = (image.data[at] + image.data[at + 1] + image.data[at + 2]) / 3;
      const gray = 0.6 * (alpha * light + (1 - alpha) * 255);
      const share = 0.8 * Math.min(1, value) ** 0.7;
      const color = colorOf(value);
      const to = 4 * (y * overlay.width + x);
      for (let c = 0; c < 3; c++) {
        overlay.data[to + c] = (1 - share) * gray + share * color[c];
      }
      overlay.data[to + 3] = 255;
    }
  }
  const target = find("heat");
  target.width = overlay.width;
  target.height = overlay.height;
  target.getContext("2d").putImageData(overlay, 0, 0);
  for (const place of [canvas, target]) dot(place, point, scale);
}

function heatOf(layer, { x, y }) {
  const [rows, columns] = layer.map;
  const keys = layer.keys[0] * layer.keys[1];
  const location =
    Math.floor((y * rows) / height) * columns + Math.floor((x * columns) / width);
  const begin = location * keys;
  return state.scores[layer.name].data.subarray(begin, begin + keys);
}

// Interpolates between the keys, so that the map does not look like squares.
function smooth(heat, rows, columns, y, x) {
  const clamp = (value, high) => Math.min(high, Math.max(0, value));
  y = clamp(y, rows - 1);
  x = clamp(x, columns - 1);
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [bottom, right] = [clamp(top + 1, rows - 1), clamp(left + 1, columns - 1)];
  const [down, across] = [y - top, x - left];
  const row = (i) =>
    heat[i * columns + left] * (1 - across) + heat[i * columns + right] * across;
  return row(top) * (1 - down) + row(bottom) * down;
}

const HEAT = [
  [0, 0, 0],
  [80, 20, 110],
  [190, 55, 80],
  [250, 145, 20],
  [255, 250, 170],
];

function colorOf(value) {
  const place = Math.min(1, Math.max(0, value)) * (HEAT.length - 1);
  const low = Math.min(HEAT.length - 2, Math.floor(place));
  return HEAT[low].map((c, i) => c + (HEAT[low + 1][i] - c) * (place - low));
}

function paint(canvas, image, scale) {
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d").putImageData(image, 0, 0);
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
}

function dot(canvas, { x, y }, scale) {
  const pen = canvas.getContext("2d");
  pen.beginPath();
  pen.arc((x + 0.5) * scale, (y + 0.5) * scale, Math.max(3, canvas.width / 50), 0, 7);
  pen.fillStyle = "#e63232";
  pen.strokeStyle = "#fff";
  pen.lineWidth = 2;
  pen.fill();
  pen.stroke();
}

function spherical(a, b, share) {
  const size = site.latent_dim;
  const result = new Float32Array(a.length);
  for (let begin = 0; begin < a.length; begin += size) {
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = begin; i < begin + size; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    const angle = Math.acos(Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb))));
    const sine = Math.sin(angle);
    const flat = sine < 1e-6;
    const from = flat ? 1 - share : Math.sin((1 - share) * angle) / sine;
    const to = flat ? share : Math.sin(share * angle) / sine;
    for (let i = begin; i < begin + size; i++) result[i] = from * a[i] + to * b[i];
  }
  return result;
}

// Walks from seed to seed until the button is pressed again.
async function walk() {
  const button = find("walk");
  const pressed = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", !pressed);
  const run = ++state.walks;
  const goesOn = () => run === state.walks && !pressed;
  while (goesOn()) {
    const now = settings();
    const after = { ...now, seed: now.seed + 1 };
    const [from, to] = [latentsOf(now), latentsOf(after)];
    const begun = performance.now();
    for (let share = 0; share < 1 && goesOn(); ) {
      await show(spherical(from, to, share), now.labels);
      await new Promise(requestAnimationFrame);
      share = (performance.now() - begun) / 2000;
    }
    if (goesOn()) find("seed").value = after.seed;
  }
  if (run === state.walks) await draw();
}

function move(event, x, y) {
  state.point = {
    x: Math.min(width - 1, Math.max(0, x)),
    y: Math.min(height - 1, Math.max(0, y)),
  };
  showOne();
  event.preventDefault();
}

function listen() {
  const draws = ["seed", "count"];
  for (const id of draws) find(id).addEventListener("change", draw);
  find("truncation").addEventListener("input", draw);
  const step = (by) => () => {
    find("seed").value = Math.max(0, Number(find("seed").value) + by);
    draw();
  };
  find("previous").addEventListener("click", step(-1));
  find("next").addEventListener("click", step(1));
  find("walk").addEventListener("click", walk);
  find("save").addEventListener("click", () => {
    const small = document.createElement("canvas");
    small.width = width;
    small.height = height;
    small.getContext("2d").putImageData(state.images[state.index], 0, 0);
    const link = document.createElement("a");
    link.download = `${nameOf(state.index)}_${find("seed").value}.png`;
    link.href = small.toDataURL("image/png");
    link.click();
  });
  const image = find("image");
  image.addEventListener("pointerdown", (event) => {
    const box = image.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    image.focus();
    move(event, Math.floor(x), Math.floor(y));
  });
  const keys = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  image.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    const at = state.point ?? { x: Math.floor(width / 2), y: Math.floor(height / 2) };
    move(event, at.x + keys[event.key][0], at.y + keys[event.key][1]);
  });
  find("layer").addEventListener("change", showOne);
}

function offerClasses() {
  find("classes").hidden = !names.length;
  const chips = names.map((name, i) => {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.textContent = name;
    chip.addEventListener("click", () => {
      chosen.has(i) ? chosen.delete(i) : chosen.add(i);
      press();
    });
    return chip;
  });
  find("chips").append(...chips);
  const press = () => {
    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", chosen.has(i)));
    draw();
  };
  find("all").addEventListener("click", () => {
    names.forEach((_, i) => chosen.add(i));
    press();
  });
  find("none").addEventListener("click", () => {
    chosen.clear();
    press();
  });
  chips.forEach((chip, i) => chip.setAttribute("aria-pressed", chosen.has(i)));
}

find("count").value = Math.min(26, Math.max(8, names.length));
document.title = site.title;
find("title").textContent = site.title;
for (const { name } of site.attention) find("layer").add(new Option(name));
find("layer").hidden = site.attention.length < 2;
offerClasses();
listen();
await draw();
find("status").textContent = `Ready, on ${device === "wasm" ? "the CPU" : "the GPU"}.`;
// For tests: the bytes of the images that are shown.
window.keras_sagan = { state, settings };
