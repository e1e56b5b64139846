// One axis of a sliding window, and the field behind several: archlens/geometry.py said again, line by line.
// tests/test_explorer.py holds both against each other over thousands of cases.

/**
 * @typedef {object} Window
 * @property {number} kernel
 * @property {number} stride
 * @property {number} before
 * @property {number} after
 * @property {number} dilation
 * @property {boolean} ceil
 * @property {boolean} transposed
 */

/**
 * @typedef {object} Field
 * @property {number[]} starts
 * @property {number[]} stops
 * @property {number} step
 */

const MAX_PERIOD = 1024;
const MAX_POSITION = 1e15;

/** @param {number} a @param {number} b */
const floorDiv = (a, b) => Math.floor(a / b);
/** @param {number} a @param {number} b */
const mod = (a, b) => a - Math.floor(a / b) * b;
/** @param {number} a @param {number} b @returns {number} */
const gcd = (a, b) => (b ? gcd(b, mod(a, b)) : Math.abs(a));
/** @param {number} a @param {number} b */
const ceilDiv = (a, b) => -Math.floor(-a / b) || 0;

/** @param {Partial<Window> & {kernel: number}} given @returns {Window} */
export function windowOf(given) {
  return { stride: 1, before: 0, after: 0, dilation: 1, ceil: false, transposed: false, ...given };
}

/** Positions from the first to the last one looked at. @param {Window} w */
export const extent = (w) => w.dilation * (w.kernel - 1) + 1;

/** Positions that do not fit a step. @param {Window} w @param {number} size */
export const remainder = (w, size) => mod(size + w.before + w.after - extent(w), w.stride);

/** Output positions; below 1 where the window does not fit. @param {Window} w @param {number} size */
export function output(w, size) {
  if (w.transposed) return (size - 1) * w.stride - w.before - w.after + extent(w);
  const room = size + w.before + w.after - extent(w);
  let steps = w.ceil ? ceilDiv(room, w.stride) : floorDiv(room, w.stride);
  if (w.ceil && steps * w.stride >= size + w.before) steps -= 1;
  return steps + 1;
}

/** Input positions at the end that no window reaches. @param {Window} w @param {number} size */
export function unseen(w, size) {
  if (!w.transposed) {
    const last = (output(w, size) - 1) * w.stride + extent(w) - w.before;
    return Math.min(Math.max(size - last, 0), size);
  }
  const far = w.before - (size - 1) * w.stride;
  for (let tap = Math.max(ceilDiv(far, w.dilation), 0); tap < w.kernel; tap++) {
    const least = w.before - tap * w.dilation;
    const last = Math.min(floorDiv(least + output(w, size) - 1, w.stride), size - 1);
    if (last * w.stride >= Math.max(least, 0)) return size - 1 - last;
  }
  return size;
}

/** The formula in the field's letters. @param {Window} w */
export function formula(w) {
  if (w.transposed) {
    const spare = w.before !== w.after ? " + o" : "";
    return `(n - 1)s - 2p + ${w.dilation > 1 ? "d(f - 1) + 1" : "f"}${spare}`;
  }
  const padding = w.before === w.after ? "2p" : "p1 + p2";
  return `(n + ${padding} - ${w.dilation > 1 ? "d(f - 1) - 1" : "f"})/s + 1`;
}

/** The formula with its numbers, up to the result. @param {Window} w @param {number} size */
export function arithmetic(w, size) {
  const out = output(w, size);
  if (w.transposed) {
    const long = w.dilation > 1 ? `${w.dilation}*(${w.kernel} - 1) + 1` : `${w.kernel}`;
    const spare = w.before !== w.after ? ` + ${w.before - w.after}` : "";
    return `(${size} - 1)*${w.stride} - 2*${w.before} + ${long}${spare} = ${out}`;
  }
  const even = w.before >= 0 ? `2*${w.before}` : `2*(${w.before})`;
  const padding = w.before === w.after ? even : `${w.before} + ${w.after}`;
  const long = w.dilation > 1 ? `${w.dilation}*(${w.kernel} - 1) - 1` : `${w.kernel}`;
  let division = `(${size} + ${padding} - ${long})/${w.stride}`;
  if (remainder(w, size)) division = `${w.ceil ? "ceil" : "floor"}(${division})`;
  if (w.ceil && out < ceilDiv(size + w.before + w.after - extent(w), w.stride) + 1) {
    return `${division} + 1 - 1 window that would start in the padding = ${out}`;
  }
  return `${division} + 1 = ${out}`;
}

/** What each position of the input itself sees. @type {Field} */
export const INPUT = { starts: [0], stops: [1], step: 1 };

/** Positions from the first to the last one seen. @param {Field} field */
export const fieldSize = (field) => Math.max(...field.starts.map((start, i) => field.stops[i] - start));

/** What one output sees, from and to. @param {Field} field @param {number} out @returns {[number, number]} */
export function at(field, out) {
  const period = field.starts.length;
  const phase = mod(out, period);
  const turns = floorDiv(out, period);
  return [field.starts[phase] + turns * field.step, field.stops[phase] + turns * field.step];
}

/**
 * The field of what a window makes of a tensor that has this one; null where no interval and step says it.
 * @param {Field} field @param {Window} w @returns {Field | null}
 */
export function through(field, w) {
  if (w.transposed) return transposed(field, w);
  const reach = w.dilation * (w.kernel - 1);
  const shared = gcd(field.starts.length, w.stride);
  const ends = [];
  for (let phase = 0; phase < field.starts.length / shared; phase++) {
    const first = phase * w.stride - w.before;
    ends.push(over(field, first, first + reach, w.dilation));
  }
  const found = from(ends, (field.step * w.stride) / shared);
  if (Math.max(found.stops[0], found.step, -found.starts[0]) > MAX_POSITION) return null;
  return found;
}

/** @param {Field} field @param {Window} w @returns {Field | null} */
function transposed(field, w) {
  const { kernel, stride, before, dilation } = w;
  if (field.starts.length * stride > MAX_PERIOD) return null;
  if (kernel < stride || gcd(dilation, stride) > 1) return null;
  const ends = [];
  for (let phase = 0; phase < field.starts.length * stride; phase++) {
    let least = 0;
    while (mod(least * dilation, stride) !== mod(phase + before, stride)) least += 1;
    const most = least + floorDiv(kernel - 1 - least, stride) * stride;
    const [first, last] = [most, least].map((tap) => floorDiv(phase + before - tap * dilation, stride));
    ends.push(over(field, first, last, dilation));
  }
  return from(ends, field.step);
}

/** @param {Field} field @param {number} first @param {number} last @param {number} apart @returns {[number, number]} */
function over(field, first, last, apart) {
  const count = Math.min(floorDiv(last - first, apart) + 1, field.starts.length);
  let [start, stop] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let k = 0; k < count; k++) {
    start = Math.min(start, at(field, first + k * apart)[0]);
    stop = Math.max(stop, at(field, last - k * apart)[1]);
  }
  return [start, stop];
}

/** With the shortest period. @param {[number, number][]} ends @param {number} step @returns {Field} */
function from(ends, step) {
  const period = ends.length;
  for (let short = 1; short < period; short++) {
    if (period % short || mod(step * short, period)) continue;
    const by = (step * short) / period;
    const repeats = ends.every(
      ([start, stop], k) =>
        k + short >= period || (ends[k + short][0] === start + by && ends[k + short][1] === stop + by),
    );
    if (repeats) {
      return {
        starts: ends.slice(0, short).map((e) => e[0]),
        stops: ends.slice(0, short).map((e) => e[1]),
        step: by,
      };
    }
  }
  return { starts: ends.map((e) => e[0]), stops: ends.map((e) => e[1]), step };
}
