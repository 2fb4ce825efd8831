"use strict";
// What the playground computes: modbp.theory for matrices up to 4 × 4, by the same formulas.
// tests/book/test_playground.py holds both against each other. Pure functions, no page here.
// Matrices are arrays of rows; a chain is [A_1, A_2, …] with A_1 next to the input.

const modbpTheory = (() => {
  const LARGEST_SIZE = 4, LARGEST_CHAIN = 6;
  // Products of six such matrices keep every entry inside the range of float64.
  const SMALLEST = 1e-20, LARGEST = 1e20;
  const SUM_TOLERANCE = 1e-9, TIE = 1e-9;  // as in modbp.theory

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const columns = (A) => A[0].map((_, j) => A.map((row) => row[j]));
  const transpose = columns;
  const dot = (u, v) => sum(u.map((x, i) => x * v[i]));
  const multiply = (A, B) => { const b = columns(B);
    return A.map((row) => b.map((column) => dot(row, column))); };
  const map = (A, f) => A.map((row, i) => row.map((x, j) => f(x, i, j)));
  const identity = (n) => range(n).map((i) => range(n).map((j) => Number(i === j)));
  const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
  const pairs = (n) => range(n).flatMap((i) => range(n).slice(i + 1).map((j) => [i, j]));

  // ---- What a reader types ----------------------------------------------------------------

  class Unreadable extends Error {}

  function readEntry(text, where) {
    const number = "[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?";
    const found = text.match(new RegExp(`^(${number})(?:/(${number}))?$`, "i"));
    if (!found)
      throw new Unreadable(`“${text}” in ${where} is no number. Write 2, 0.5, 1e-3 or 1/3.`);
    if (found[2] !== undefined && Number(found[2]) === 0)
      throw new Unreadable(`${text} in ${where} divides by zero. Write another number below.`);
    const value = Number(found[1]) / Number(found[2] ?? 1);
    const size = Math.abs(value);
    if (size && !(size >= SMALLEST && size <= LARGEST))
      throw new Unreadable(`${text} in ${where} is too ${size < 1 ? "small" : "large"} for this ` +
        "page. Take 0, or sizes from 1e-20 to 1e20.");
    return value;
  }

  function readMatrix(text) {
    const lines = text.replaceAll("−", "-").replace(/\]\s*,?\s*\[/g, "\n").replace(/[[\]()]/g, " ")
      .replace(/\s*\/\s*/g, "/").split(/[\n;]/).map((line) => line.trim().replace(/,$/, "").trim());
    const rows = lines.filter(Boolean).map((line) => line.split(/[\s,]+/));
    if (!rows.length)
      throw new Unreadable("it is empty. Type its rows, one per line, as in 2 1.");
    for (const [i, row] of rows.entries())
      if (row.length !== rows[0].length)
        throw new Unreadable(`row ${i + 1} has ${row.length} numbers and row 1 has ` +
          `${rows[0].length}. Give all rows the same; decimals are written with a point.`);
    if (Math.max(rows.length, rows[0].length) > LARGEST_SIZE)
      throw new Unreadable(`it is ${rows.length} × ${rows[0].length}. This page takes up to ` +
        "4 × 4; larger ones are for modbp.theory.");
    return rows.map((row, i) => row.map((entry) => readEntry(entry, `row ${i + 1}`)));
  }

  function checkSizes(mats, again) {
    if (mats.length > LARGEST_CHAIN)
      throw new Unreadable(`there are ${mats.length} matrices. This page takes up to six.`);
    for (const [k, A] of mats.slice(1).entries())
      if (mats[k][0].length !== A.length)
        throw new Unreadable(`A${k + 1} has ${mats[k][0].length} columns, but A${k + 2} has ` +
          `${A.length} rows. They have to be equal for the product A${k + 1} A${k + 2}.`);
    const rows = mats[0].length, last = mats.at(-1)[0].length;
    if (again && rows !== last)
      throw new Unreadable(`to begin again, the last matrix needs as many columns as the first ` +
        `has rows: it has ${last}, not ${rows}. Change a size, or choose “once”.`);
  }

  // ---- Chains: products, gauge, gaps ------------------------------------------------------

  function powerOfTwo(top) {
    let scale = 2 ** -(Math.floor(Math.log2(top)) + 1);
    while (top * scale >= 1) scale /= 2;
    while (top * scale < 0.5) scale *= 2;
    return scale;
  }
  function rescaled(M) {
    const top = largest(M.flat().map(Math.abs));
    if (!top) return M;
    const scale = powerOfTwo(top);
    return map(M, (x) => x * scale);
  }
  function products(mats) {
    const out = [];
    for (const A of mats) out.push(rescaled(out.length ? multiply(out.at(-1), rescaled(A)) : A));
    return out;
  }
  const isNonnegative = (mats) => mats.every((A) => A.flat().every((x) => x >= 0));
  const zeroColumns = (A) =>
    columns(A).flatMap((column, j) => (column.some((x) => x !== 0) ? [] : [j]));
  const sumsToOne = (mats) => mats.every((A) =>
    columns(A).every((column) => Math.abs(sum(column) - 1) <= SUM_TOLERANCE));

  // Logarithms, because the entries of D_k may drift apart without bound.
  function gauged(mats) {
    let logD = range(mats[0].length).map(() => 0);
    const chain = [], logs = [];
    for (const A of mats) {
      const log = map(A, (x, i) => Math.log(x) + logD[i]);
      const top = columns(log).map(largest);
      const shares = map(log, (x, i, j) => Math.exp(x - top[j]));
      const total = columns(shares).map(sum);
      logD = top.map((t, j) => t + Math.log(total[j]));
      chain.push(map(shares, (x, i, j) => x / total[j]));
      logs.push(logD);
    }
    return { chain, logs };
  }
  const gauge = (mats) => gauged(mats).chain;
  const conserving = (mats) => (sumsToOne(mats) ? mats : gauge(mats));

  function cosines(M) {
    const units = columns(M).map((v) => {
      const scale = powerOfTwo(largest(v.map(Math.abs))), u = v.map((x) => x * scale);
      return u.map((x) => x / Math.sqrt(dot(u, u)));
    });
    return units.map((u, i) => units.map((v, j) =>
      (i === j ? 1 : Math.min(1, Math.max(-1, dot(u, v))))));
  }
  const minCosine = (M) => cosines(M).flat().reduce((a, b) => Math.min(a, b));

  // log₁₀(1 - s_n) for every n, however small it gets: modbp.theory.gaps.
  function gaps(mats) {
    const chain = conserving(mats);
    let c = range(chain[0].length).map(() => 0), G = identity(chain[0].length), logScale = 0;
    return chain.map((A) => {
      G = multiply(G, A);
      const mean = G.map((row) => sum(row) / row.length);
      c = c.map((x, i) => x + Math.exp(logScale) * mean[i]);
      G = map(G, (x, i) => x - mean[i]);
      const size = Math.sqrt(sum(G.flat().map((x) => x * x)));
      if (size) { G = map(G, (x) => x / size); logScale += Math.log(size); }
      return widestGap(c, columns(G), logScale);
    });
  }
  function widestGap(c, directions, logScale) {
    const scale = Math.exp(logScale), size = Math.sqrt(dot(c, c));
    const H = directions.map((g) => {
      const u = c.map((x, i) => x + scale * g[i]);
      const length = Math.sqrt(dot(u, u));
      const excess = dot(g, c.map((x, i) => x + u[i])) / (length + size);
      return g.map((x, i) => (x - (c[i] / size) * excess) / length);
    });
    const chords = pairs(H.length).map(([i, j]) =>
      sum(H[i].map((x, k) => (x - H[j][k]) ** 2)));
    return Math.log10(largest([0, ...chords]) / 2) + (2 * logScale) / Math.LN10;
  }

  // ---- How much one factor narrows the cone -----------------------------------------------

  function dobrushin(A) {
    const v = columns(A);
    return largest([0, ...pairs(v.length).map(([i, j]) =>
      sum(v[i].map((x, k) => Math.abs(x - v[j][k]))) / 2)]);
  }
  function birkhoff(A) {
    const support = A.map((row) => row.filter((x) => x > 0).length);
    if (support.some((count) => count && count < A[0].length)) return 1;
    const logs = columns(A.filter((row) => row[0] > 0)).map((v) => v.map(Math.log));
    return Math.tanh(largest([0, ...pairs(logs.length).map(([i, j]) => {
      const d = logs[i].map((x, k) => x - logs[j][k]);
      return largest(d) + largest(d.map((x) => -x));
    })]) / 4);
  }
  // The overlap of Theorem A: `logLengths` are those of the columns of the product so far.
  function overlap(logLengths, A) {
    const weighted = columns(A).map((a) => {
      const logs = a.map((x, i) => Math.log(x) + logLengths[i]);
      const shares = logs.map((x) => Math.exp(x - largest(logs)));
      return shares.map((x) => x / sum(shares));
    });
    return pairs(weighted.length).reduce(
      (least, [i, j]) => Math.min(least, dot(weighted[i], weighted[j])), 1);
  }
  function logLengths(mats) {
    const { chain, logs } = gauged(mats);
    let M = identity(mats[0].length);
    return chain.map((A, k) => {
      M = multiply(M, A);
      return columns(M).map((v, j) => logs[k][j] + Math.log(dot(v, v)) / 2);
    });
  }

  // ---- Bounds on 1 - s_n: log₁₀ for every n. One entry more here is one line more on the page.

  // A factor is what one matrix contributes. One entry more here is one line more on the page.

  function running(steps) {
    let total = 0;
    return steps.map((step) => (total += step));
  }
  // log₁₀(1 - cos θ) of t = log₁₀ tan(θ/2).
  const gapOf = (t) => Math.log10(2) + 2 * t - Math.log10(1 + 10 ** (2 * t));
  const BOUNDS = [
    { name: "Theorem A", symbol: "o", what: "overlap, by lengths",
      applies: (mats) => isNonnegative(mats),
      factors(mats) {
        const lengths = logLengths(mats);
        return mats.map((A, k) => (k ? overlap(lengths[k - 1], A) : NaN));
      },
      logs: (mats, factors) => running([gaps(mats.slice(0, 1))[0],
        ...factors.slice(1).map((o) => Math.log1p(-o) / Math.LN10)]) },
    { name: "Theorem B", symbol: "δ", what: "distance of two columns, in the relevance matrix",
      applies: (mats) => isNonnegative(mats) || sumsToOne(mats),
      factors: (mats) => conserving(mats).map(dobrushin),
      logs: (mats, factors) => running(factors.map(Math.log10))
        .map((log) => gapOf(Math.log10(mats[0].length / 2) / 2 + log)) },
    { name: "Theorem C", symbol: "τ", what: "1 as soon as zeros differ between columns",
      applies: (mats) => isNonnegative(mats),
      factors: (mats) => mats.map(birkhoff),
      logs: (mats, factors) => running(factors.map(Math.log10)).map(gapOf) },
  ];

  // ---- Hypotheses -------------------------------------------------------------------------

  function mixing(A) {
    const zero = zeroColumns(A), v = columns(A);
    const orthogonal = pairs(v.length).filter(([i, j]) => !zero.includes(i) && !zero.includes(j)
      && !v[i].some((x, k) => x > 0 && v[j][k] > 0));
    return { zero, orthogonal, holds: !zero.length && !orthogonal.length };
  }

  const booleanSquare = (S) => map(multiply(S, S), (x) => Number(x > 0));
  function reach(A) {  // [j][i]: index j gets to index i along edges a_ij > 0
    let S = map(transpose(A), (x, i, j) => Number(x > 0 || i === j));
    for (let k = 0; k < 3; k++) S = booleanSquare(S);
    return S;
  }
  function primitive(A) {  // Wielandt: positive from power k² - 2k + 2 ≤ 10 on
    let S = map(A, (x) => Number(x > 0));
    for (let k = 0; k < 4; k++) S = booleanSquare(S);
    return S.flat().every(Boolean);
  }
  // ρ of an irreducible block: its left and right Perron vectors from a high power.
  function spectralRadius(block) {
    if (block.length === 1) return block[0][0];
    const scale = powerOfTwo(largest(block.flat()));
    let A = map(block, (x) => x * scale);
    const places = range(A.length);
    // A diagonal change of basis, until rows are about as long as columns.
    for (let far = true, sweep = 0; far && sweep < 200; sweep++) {
      far = false;
      for (const i of places) {
        const off = (line) => sum(line.filter((_, j) => j !== i));
        const f = Math.sqrt(off(A[i]) / off(columns(A)[i]));
        A = map(A, (x, r, c) => x * (r === i ? 1 / f : 1) * (c === i ? f : 1));
        far ||= f > 2 || f < 0.5;
      }
    }
    const shift = largest(A.flat());
    let P = map(A, (x, i, j) => x + (i === j ? shift : 0));
    for (let k = 0; k < 64; k++) P = rescaled(multiply(P, P));
    const right = P.map(sum), left = columns(P).map(sum);
    return dot(left, A.map((row) => dot(row, right))) / dot(left, right) / scale;
  }
  function structure(A) {
    const S = reach(A), seen = new Set(), classes = [];
    for (const j of range(A.length)) {
      if (seen.has(j)) continue;
      const indices = range(A.length).filter((i) => S[j][i] && S[i][j]);
      indices.forEach((i) => seen.add(i));
      const block = indices.map((r) => indices.map((c) => A[r][c]));
      classes.push({ indices, radius: spectralRadius(block), primitive: primitive(block),
        final: range(A.length).every((i) => !S[j][i] || S[i][j]) });
    }
    const radius = largest(classes.map((each) => each.radius)), least = radius * (1 - TIE);
    const final = classes.filter((each) => each.final);
    const powerMixing = final.length === 1 && final[0].primitive;
    const positivePerron = classes.every((each) => each.final === (each.radius >= least));
    return { classes, radius, powerMixing, positivePerron,
      conditionE: powerMixing && positivePerron,
      constantConverges: powerMixing && final[0].radius >= least };
  }

  const sameSize = (A, B) => A.length === B.length && A[0].length === B[0].length;
  const equal = (A, B) => sameSize(A, B) && A.flat().every((x, k) => x === B.flat()[k]);

  // What holds of the sequence that repeats `mats` for ever (`again`), or stops after them.
  // null: the question makes no sense here.
  function hypotheses(mats, again) {
    const nonnegative = isNonnegative(mats);
    const zero = mats.map(zeroColumns), noZero = zero.every((each) => !each.length);
    const shares = sumsToOne(mats), sound = nonnegative && noZero;
    const clash = pairs(mats.length).find(([i, j]) =>
      sameSize(mats[i], mats[j]) && !equal(mats[i], mats[j])) ?? null;
    const limits = mats.flatMap((A, k) =>
      (mats.slice(0, k).some((B) => equal(A, B)) ? [] : [k]));
    const mixed = nonnegative ? mats.map(mixing) : null;
    const allMix = nonnegative && mixed.every((each) => each.holds);
    const block = again && sound ? structure(mats.reduce(multiply)) : null;
    return { nonnegative, zero, noZero, shares, clash, limits, mixed, block,
      limitExists: again ? !clash : null,
      published: again ? sound && !clash && allMix : null,
      theoremB: again ? sound && shares && allMix : null,
      theoremC: again ? sound && mats.flat(2).every((x) => x > 0) : null,
      theoremE: again ? Boolean(block?.conditionE) : null,
      converges: block ? block.constantConverges : null };
  }

  // Everything about the first n factors, for n = 1, …, length of the list.
  function analyse(mats, count) {
    const chain = range(count).map((k) => mats[k % mats.length]);
    const safe = isNonnegative(chain) && chain.every((A) => !zeroColumns(A).length);
    const conserved = chain.every((A) => !zeroColumns(A).length) && sumsToOne(chain);
    // Columns of the product may underflow, those in the gauge may not.
    const found = products(safe ? gauge(chain) : chain);
    const s = found.map((M) => (zeroColumns(M).length ? NaN : minCosine(M)));
    // Without the gauge 1 - s is a difference, and below that size nothing but rounding.
    const log = safe || conserved ? gaps(chain)
      : s.map((x) => (1 - x < 1e-13 ? NaN : Math.log10(1 - x)));
    const bounds = BOUNDS.map((bound) => {
      const speaks = (safe || conserved) && bound.applies(chain);
      const factors = speaks ? bound.factors(chain) : null;
      return { ...bound, factors, values: speaks ? bound.logs(chain, factors) : null };
    });
    return { chain, products: products(chain), directions: found, s, gaps: log, bounds,
      lengths: safe ? logLengths(chain) : null };
  }

  return { LARGEST_CHAIN, Unreadable, readMatrix, checkSizes, products, gauge, cosines, minCosine,
    gaps, dobrushin, birkhoff, overlap, logLengths, BOUNDS, mixing, structure, hypotheses, analyse,
    columns, multiply, pairs, range, zeroColumns };
})();
