// Normal numbers that equal NumPy's, so that a seed gives the same images here
// as in Python: `numpy.random.default_rng(seed).standard_normal(n)`.
//
// This is SeedSequence (O'Neill's seed_seq_fe), PCG64 XSL-RR (O'Neill, 2014), and
// the ziggurat of Marsaglia and Tsang (2000) with 256 steps, combined as in NumPy.

const M32 = 0xffffffffn;
const M64 = (1n << 64n) - 1n;
const M128 = (1n << 128n) - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

// Returns four 64-bit words for a non-negative integer.
function seedWords(seed) {
  const entropy = [];
  for (let left = BigInt(seed); left > 0n; left >>= 32n) {
    entropy.push(Number(left & M32));
  }
  if (!entropy.length) entropy.push(0);
  const mul = (a, b) => Math.imul(a, b) >>> 0;
  let hash = 0x43b0d7e5;
  const mixIn = (value) => {
    value = (value ^ hash) >>> 0;
    hash = mul(hash, 0x931e8875);
    value = mul(value, hash);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mix = (x, y) => {
    const result = (mul(0xca01f9dd, x) - mul(0x4973f715, y)) >>> 0;
    return (result ^ (result >>> 16)) >>> 0;
  };
  const pool = [];
  for (let i = 0; i < 4; i++) pool.push(mixIn(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) {
      if (from !== to) pool[to] = mix(pool[to], mixIn(pool[from]));
    }
  }
  for (let from = 4; from < entropy.length; from++) {
    for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], mixIn(entropy[from]));
  }
  let other = 0x8b51f9dd;
  const words = [];
  for (let i = 0; i < 8; i++) {
    let value = (pool[i % 4] ^ other) >>> 0;
    other = mul(other, 0x58f38ded);
    value = mul(value, other);
    words.push((value ^ (value >>> 16)) >>> 0);
  }
  return [0, 2, 4, 6].map((i) => BigInt(words[i]) | (BigInt(words[i + 1]) << 32n));
}

// The steps of the ziggurat: 256 parts of equal area below exp(-x^2 / 2).
const R = 3.6541528853610088;
const AREA = 0.004928673233974658;
const WIDTH = new Float64Array(256); // Width of a step, divided by 2^52.
const INSIDE = new Array(256); // Below this, no further check is needed.
const HEIGHT = new Float64Array(256);
{
  const scale = 2 ** 52;
  const f = (x) => Math.exp(-0.5 * x * x);
  let x = R;
  const tail = AREA / f(R);
  INSIDE[0] = Math.floor((R / tail) * scale);
  INSIDE[1] = 0;
  WIDTH[0] = tail / scale;
  WIDTH[255] = R / scale;
  HEIGHT[0] = 1;
  HEIGHT[255] = f(R);
  for (let i = 254; i >= 1; i--) {
    const next = Math.sqrt(-2 * Math.log(AREA / x + f(x)));
    INSIDE[i + 1] = Math.floor((next / x) * scale);
    x = next;
    HEIGHT[i] = f(x);
    WIDTH[i] = x / scale;
  }
}

export class Generator {
  constructor(seed) {
    const [high, low, incHigh, incLow] = seedWords(seed);
    this.increment = ((((incHigh << 64n) | incLow) << 1n) | 1n) & M128;
    this.state = 0n;
    this.step();
    this.state = (this.state + ((high << 64n) | low)) & M128;
    this.step();
  }

  step() {
    this.state = (this.state * MULTIPLIER + this.increment) & M128;
  }

  uint64() {
    this.step();
    const mixed = (this.state >> 64n) ^ (this.state & M64);
    const turn = this.state >> 122n;
    return ((mixed >> turn) | (mixed << ((64n - turn) & 63n))) & M64;
  }

  double() {
    return Number(this.uint64() >> 11n) / 2 ** 53;
  }

  normal() {
    for (;;) {
      const bits = this.uint64();
      const i = Number(bits & 0xffn);
      const negative = (bits >> 8n) & 1n;
      const part = Number((bits >> 9n) & 0xfffffffffffffn);
      const x = negative ? -part * WIDTH[i] : part * WIDTH[i];
      if (part < INSIDE[i]) return x;
      if (i === 0) {
        for (;;) {
          const a = -Math.log1p(-this.double()) / R;
          const b = -Math.log1p(-this.double());
          if (b + b > a * a) return (part >> 8) & 1 ? -(R + a) : R + a;
        }
      }
      const y = (HEIGHT[i - 1] - HEIGHT[i]) * this.double() + HEIGHT[i];
      if (y < Math.exp(-0.5 * x * x)) return x;
    }
  }

  // Returns rows of normal numbers; those beyond a bound are drawn again.
  latents(rows, columns, bound = Infinity) {
    const x = Float64Array.from({ length: rows * columns }, () => this.normal());
    for (;;) {
      const beyond = [];
      x.forEach((value, i) => {
        if (Math.abs(value) > bound) beyond.push(i);
      });
      if (!beyond.length) return Float32Array.from(x);
      for (const i of beyond) x[i] = this.normal();
    }
  }
}
