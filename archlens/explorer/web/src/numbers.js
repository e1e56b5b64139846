// How figures are said, and where they lie on an axis.

/** @typedef {{key: string, called: string, title: string, unit: string, better: number}} Metric */

const UNITS = /** @type {[number, string][]} */ ([
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
]);

/** A whole number with its thousands apart. @param {number} value */
export const whole = (value) => `${value}`.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/** A number for an axis or a headline. @param {number} value */
export function rounded(value) {
  for (const [size, letter] of UNITS) {
    if (Math.abs(value) >= size) return `${+(value / size).toPrecision(3)} ${letter}`;
  }
  return `${+value.toPrecision(3)}`;
}

/**
 * A value of a network in full, as a label says it.
 * @param {Metric} metric @param {number} value @param {Record<string, string>} said
 */
export function full(metric, value, said) {
  if (metric.unit === "percent") return `${said[metric.key] ?? value} %`;
  if (said[metric.key]) return said[metric.key];
  if (metric.unit === "year") return `${value}`;
  return metric.unit === "bytes" ? `${whole(value)} B` : whole(value);
}

/**
 * An axis over some values.
 * @typedef {{low: number, high: number, log: boolean, at: (value: number) => number, ticks: number[]}} Axis
 */

/**
 * @param {number[]} values @param {boolean} log @param {boolean} fromZero @param {number} [most]
 * @returns {Axis}
 */
export function axis(values, log, fromZero, most = 6) {
  const found = values.filter((value) => !log || value > 0);
  let low = Math.min(...found);
  let high = Math.max(...found);
  if (!found.length) [low, high] = [log ? 1 : 0, 10];
  if (log) {
    const from = Math.floor(Math.log10(low));
    const to = Math.max(Math.ceil(Math.log10(high)), from + 1);
    // a bar of the least value is seen, too
    const first = Math.log10(low) - from < 0.05 && fromZero ? from - 1 : from;
    const every = Math.ceil((to - first) / most);
    const ticks = [];
    for (let power = first; power <= to; power += every) ticks.push(10 ** power);
    return {
      low: 10 ** first,
      high: 10 ** to,
      log,
      at: (value) => (value > 0 ? (Math.log10(value) - first) / (to - first) : 0),
      ticks,
    };
  }
  if (fromZero) low = 0;
  if (low === high) [low, high] = fromZero ? [0, high || 1] : [low - 1, high + 1];
  const step = nice((high - low) / most);
  low = Math.floor(low / step + 1e-9) * step;
  high = Math.ceil(high / step - 1e-9) * step;
  const ticks = [];
  for (let i = 0; low + i * step <= high * (1 + 1e-9); i++) ticks.push(+(low + i * step).toPrecision(12));
  return { low, high, log, at: (value) => (value - low) / (high - low), ticks };
}

/** @param {number} rough */
function nice(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  return (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10) * power;
}

/** A number beside an axis. @param {Metric} metric @param {number} value */
export function tick(metric, value) {
  if (metric.unit === "year") return `${value}`;
  return metric.unit === "bytes" ? `${rounded(value)}B`.replace(/(\d)B$/, "$1 B") : rounded(value);
}

/**
 * The Pareto front: those of which no other is as good in one way and better in the other.
 * archlens/analysis/comparison.py has the same.
 * @param {[number, number][]} values @param {[number, number]} better @returns {number[]}
 */
export function front(values, better) {
  const goods = values.map(([x, y]) => [x * better[0], y * better[1]]);
  const order = goods
    .map((_, i) => i)
    .sort((i, j) => goods[j][0] - goods[i][0] || goods[j][1] - goods[i][1] || i - j);
  /** @type {number[]} */
  const found = [];
  for (const i of order) {
    const last = found.length ? goods[found[found.length - 1]] : null;
    if (!last || goods[i][1] > last[1] || (goods[i][0] === last[0] && goods[i][1] === last[1])) found.push(i);
  }
  return found;
}
