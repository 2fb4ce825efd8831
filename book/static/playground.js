"use strict";
// The playground on a page: reads what is typed, asks modbpTheory, and draws what it answers.

(() => {
  const T = modbpTheory, LAST = 40;
  const ADDRESS = /^#play=(.*)$/;
  const word = { true: "holds", false: "fails", null: "not asked" };
  const low = (n) => String(n).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
  const high = (n) => String(n).replace(/[-\d]/g, (d) => (d === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]));
  const listed = (items) =>
    [items.slice(0, -1).join(", "), ...items.slice(-1)].filter(Boolean).join(" and ");

  function number(x, digits = 4) {
    if (Number.isNaN(x)) return "–";
    if (x === 0 || (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e6))
      return String(Number(x.toPrecision(digits))).replace("-", "−");
    return power(Math.log10(Math.abs(x)), x < 0);
  }
  function power(log, negative = false) {
    if (log === -Infinity) return "0";
    let exponent = Math.floor(log), front = (10 ** (log - exponent)).toFixed(1);
    if (front === "10.0") { front = "1.0"; exponent += 1; }
    return `${negative ? "−" : ""}${front} · 10${high(exponent)}`;
  }
  const size = (log) => (log > -3 ? number(10 ** log, 3) : power(log));

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (value !== false) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  function draw(tag, attributes = {}, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function picture(width, height, alt) {
    return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": alt });
  }

  // ---- Pictures ---------------------------------------------------------------------------

  function arrow(svg, [x, y], j, at) {
    const [x0, y0] = at([0, 0]), [x1, y1] = at([x, y]), [tx, ty] = at([1.1 * x, 1.1 * y]);
    const angle = Math.atan2(y1 - y0, x1 - x0), head = [2.8, -2.8].map((turn) =>
      `${x1 + 9 * Math.cos(angle + turn)},${y1 + 9 * Math.sin(angle + turn)}`);
    svg.append(draw("line", { x1: x0, y1: y0, x2: x1, y2: y1, class: `column c${j + 1}` }),
      draw("polygon", { points: `${x1},${y1} ${head.join(" ")}`, class: `head c${j + 1}` }),
      draw("text", { x: tx, y: ty + 4, class: `name c${j + 1}` }, j + 1));
  }
  const unit = (v) => { const n = Math.hypot(...v); return v.map((x) => x / n); };
  const widest = (M) => (Math.acos(Math.min(1, T.minCosine(M))) * 180) / Math.PI;

  function coneInThePlane(M, width, alt) {
    const side = Math.min(width, 320), signed = M.flat().some((x) => x < 0);
    const from = signed ? -1.2 : -0.1, span = 1.2 - from;
    const at = ([x, y]) => [((x - from) / span) * side, side - ((y - from) / span) * side];
    const svg = picture(side, side, alt);
    const ends = T.columns(M).map(unit);
    const order = [...ends].sort((u, v) => Math.atan2(u[1], u[0]) - Math.atan2(v[1], v[0]));
    const points = [[0, 0], ...order].map(at).map((p) => p.join(",")).join(" ");
    svg.append(draw("polygon", { points, class: "cone" }));
    for (const [name, end] of [["input 1", [1.15, 0]], ["input 2", [0, 1.15]]]) {
      const [x0, y0] = at(end.map((x) => (signed ? -x : 0))), [x, y] = at(end);
      svg.append(draw("line", { x1: x0, y1: y0, x2: x, y2: y, class: "axis" }),
        draw("text", { x: end[0] ? x - 45 : x + 6, y: end[0] ? y + 14 : y + 10, class: "label" }, name));
    }
    ends.forEach((end, j) => arrow(svg, end, j, at));
    return svg;
  }

  function coneInSpace(M, width, alt, turn) {
    const side = Math.min(width, 360), phi = (turn * Math.PI) / 180, theta = (25 * Math.PI) / 180;
    const seen = (v) => [-Math.sin(phi) * v[0] + Math.cos(phi) * v[1],
      -Math.sin(theta) * (Math.cos(phi) * v[0] + Math.sin(phi) * v[1]) + Math.cos(theta) * v[2]];
    const signed = M.flat().some((x) => x < 0);
    const height = signed ? side : side * 0.72, scale = side / 2.7;
    const at = ([x, y]) => [side / 2 + x * scale, height - (signed ? 1.35 : 0.62) * scale - y * scale];
    const svg = picture(side, height, alt);
    const path = (u, v) => T.range(25).map((k) =>
      seen(unit(u.map((x, i) => x * (1 - k / 24) + v[i] * (k / 24)))));
    const points = (curve) => curve.map(at).map((p) => p.join(",")).join(" ");
    const axes = T.range(3).map((k) => T.range(3).map((i) => Number(i === k)));
    const ends = T.columns(M).map(unit);
    for (const [i, j] of T.pairs(ends.length))
      for (const k of T.range(ends.length).slice(j + 1)) {
        const [u, v, w] = [ends[i], ends[j], ends[k]];
        const edge = [...path(u, v), ...path(v, w), ...path(w, u)];
        svg.append(draw("polygon", { points: points(edge), class: "cone solid" }));
      }
    for (const [k, axis] of axes.entries()) {
      const [x, y] = at(seen(axis.map((a) => 1.1 * a))), [x0, y0] = at([0, 0]);
      const [tx, ty] = at(seen(axis.map((a) => 1.22 * a)));
      svg.append(draw("line", { x1: x0, y1: y0, x2: x, y2: y, class: "axis" }),
        draw("text", { x: tx, y: ty + 4, class: "label middle" }, `input ${k + 1}`));
    }
    for (const [i, j] of T.pairs(3))
      svg.append(draw("polyline", { points: points(path(axes[i], axes[j])), class: "axis dotted" }));
    for (const [i, j] of T.pairs(ends.length))
      svg.append(draw("polyline", { points: points(path(ends[i], ends[j])), class: "axis" }));
    ends.forEach((end, j) => arrow(svg, seen(end), j, at));
    return svg;
  }

  function angleChart(M, width, alt) {
    const C = T.cosines(M), all = T.pairs(C.length), full = M.flat().some((x) => x < 0) ? 180 : 90;
    const svg = picture(width, 28 * all.length + 24, alt), left = 42, right = width - 60;
    for (const degrees of [0, full / 2, full]) {
      const x = left + ((right - left) * degrees) / full;
      svg.append(draw("line", { x1: x, y1: 0, x2: x, y2: 28 * all.length, class: "axis" }),
        draw("text", { x, y: 28 * all.length + 16, class: "label middle" }, `${degrees}°`));
    }
    for (const [k, [i, j]] of all.entries()) {
      const degrees = (Math.acos(C[i][j]) * 180) / Math.PI, long = ((right - left) * degrees) / full;
      svg.append(draw("rect", { x: left, y: 28 * k + 5, width: long, height: 16, class: "bar" }),
        draw("text", { x: 0, y: 28 * k + 18, class: "label" }, `${i + 1}, ${j + 1}`),
        draw("text", { x: left + long + 5, y: 28 * k + 18, class: "label" }, `${degrees < 1e-3 ? 0 : number(degrees, 3)}°`));
    }
    return svg;
  }

  function curves(found, n, width) {
    const lines = [{ name: "1 − s", values: found.gaps, kind: "c0" }, ...found.bounds
      .filter((bound) => bound.values?.some(Number.isFinite))
      .map((bound, k) => ({ name: bound.name, values: bound.values, kind: `c${k + 1}` }))];
    const finite = lines.flatMap((line) => line.values).filter(Number.isFinite);
    const top = 0.5, least = Math.min(-1, Math.floor(Math.min(...finite, -1)));
    const height = 240, left = 52, right = width - 78, bottom = height - 34;
    const count = found.gaps.length;
    const x = (k) => left + ((right - left) * k) / Math.max(1, count - 1);
    const y = (log) => 8 + ((bottom - 8) * (top - log)) / (top - least);
    const svg = picture(width, height, `One minus s, and each bound on it, after 1 to ${count} ` +
      `factors on a logarithmic scale; at n = ${n}, 1 − s is ${size(found.gaps[n - 1])}.`);
    const step = Math.ceil(-least / 5);
    for (let log = 0; log >= least; log -= step)
      svg.append(draw("line", { x1: left, y1: y(log), x2: right, y2: y(log), class: "axis" }),
        draw("text", { x: left - 6, y: y(log) + 4, class: "label end" }, log ? `10${high(log)}` : "1"));
    svg.append(draw("line", { x1: x(n - 1), y1: 8, x2: x(n - 1), y2: bottom, class: "axis dotted" }),
      draw("text", { x: x(n - 1), y: bottom + 15, class: "label middle" }, `n = ${n}`),
      draw("text", { x: (left + right) / 2, y: height - 4, class: "label middle" },
        "factors multiplied"));
    const ends = [];
    for (const { name, values, kind } of lines.reverse()) {
      const points = values.map((log, k) => [x(k), Math.min(bottom, Math.max(0, y(log)))])
        .filter((_, k) => values[k] < top && values[k] > -Infinity);
      if (!points.length) continue;
      const attributes = { points: points.map((p) => p.join(",")).join(" "), class: `curve ${kind}` };
      svg.append(draw("polyline", attributes));
      if (points.length === 1)
        svg.append(draw("circle", { cx: points[0][0], cy: points[0][1], r: 4, class: `head ${kind}` }));
      ends.push({ name, kind, x: points.at(-1)[0], y: points.at(-1)[1] });
    }
    // Names apart: each at least a line below the one above it, from the bottom up.
    ends.sort((a, b) => b.y - a.y).reduce((above, end) => {
      end.y = Math.min(end.y, above - 15);
      return end.y;
    }, bottom + 15);
    for (const end of ends)
      svg.append(draw("text", { x: end.x + 6, y: end.y + 4, class: `label ${end.kind}` }, end.name));
    return svg;
  }

  // ---- Words ------------------------------------------------------------------------------

  const columnsOf = (indices, k) =>
    `column${indices.length > 1 ? "s" : ""} ${listed(indices.map((j) => j + 1))} of A${low(k + 1)}`;

  function overlapWords(mixed, which) {
    const wrong = which.flatMap((k) => [
      ...(mixed[k].zero.length ? [`${columnsOf(mixed[k].zero, k)} ${
        mixed[k].zero.length > 1 ? "are" : "is"} zero`] : []),
      ...mixed[k].orthogonal.map((pair) => `${columnsOf(pair, k)} share no row`)]);
    return wrong.length ? `${listed(wrong.slice(0, 3))}${wrong.length > 3 ? ", and more" : ""}.` : "";
  }

  function publishedWords(mats, h, again) {
    const negative = mats.findIndex((A) => A.flat().some((x) => x < 0));
    const empty = h.zero.findIndex((each) => each.length);
    const names = listed(h.limits.map((k) => `A${low(k + 1)}`));
    const items = [
      [h.nonnegative, "No entry is negative.",
        negative < 0 ? "" : `A${low(negative + 1)} has a negative entry.`],
      [h.noZero, "No matrix has a zero column.",
        empty < 0 ? "" : `${columnsOf(h.zero[empty], empty)} of zeros.`],
      [true, "Neighbours fit, and sizes are bounded.", ""],
      [h.limitExists, "The limit exists, for each size.",
        !again ? "The sequence ends, so there is no limit." : h.clash
          ? `${listed(h.clash.map((k) => `A${low(k + 1)}`))} have the same size and differ, ` +
            "so the sequence goes on jumping between them."
          : `It is ${names}.`],
      [h.limitExists && h.mixed ? h.limits.every((k) => h.mixed[k].holds) : null,
        "In the limit no column is zero, and no two are orthogonal.",
        h.limitExists && h.mixed ? overlapWords(h.mixed, h.limits) : ""],
    ];
    const end = h.published === null
      ? "The theorem is not about a product that ends. Let it begin again."
      : !h.published ? "So the published theorem says nothing here."
      : h.converges ? "So the published theorem says that s tends to one. Here it is right."
      : "So the published theorem says that s tends to one. It does not: these matrices refute it.";
    return { items, end };
  }

  function growth(h) {
    return h.block.classes.map((each) => `${each.final ? "the final class " : ""}{${
      each.indices.map((i) => i + 1).join(", ")}} grows by ${number(each.radius)}`).join("; ");
  }

  function repairedWords(mats, h, again) {
    const off = mats.findIndex((A) => T.columns(A).some((column) =>
      Math.abs(column.reduce((a, b) => a + b) - 1) > 1e-9));
    const repeat = mats.length > 1 ? `the block A₁⋯A${low(mats.length)}` : "A₁";
    const everywhere = h.mixed ? overlapWords(h.mixed, h.mixed.map((_, k) => k)) : "";
    const items = [
      [h.theoremB, "Theorem B: columns sum to one, and any two overlap.",
        off >= 0 ? `Not all columns of A${low(off + 1)} sum to one.` :
          h.nonnegative ? everywhere : "They do, with signs; then the bound alone holds."],
      [h.theoremC, "Theorem C: all entries are positive.", ""],
      [h.block ? h.block.powerMixing : null, `Theorem E, first half: a power of ${repeat} is mixing.`,
        h.block && !h.block.powerMixing ? (h.block.classes.filter((c) => c.final).length > 1
          ? "Two classes of neurons never meet." : "The final class takes turns for ever.") : ""],
      [h.block ? h.block.positivePerron : null,
        `Theorem E, second half: ${repeat} has a strictly positive left Perron vector.`,
        h.block ? `In each round ${growth(h)}.` : ""],
    ];
    let end = "The bounds in the table hold for every non-negative chain.";
    if (h.converges === true && h.theoremE)
      end = "So s tends to one, exponentially.";
    else if (h.converges === true)
      end = "Still s tends to one for this sequence, though slowly, about like 1/n². For others " +
        "with the same limit it does not.";
    else if (h.converges === false) end = "And s does not tend to one.";
    else if (again) end = "Theorem B's bound may still hold: see the table.";
    return { items, end };
  }

  function hypothesisList(title, { items, end }) {
    const rows = items.map(([holds, text, why]) => make("li", { class: `is-${holds}` },
      make("strong", {}, word[holds]),
      make("span", {}, `${text} `, make("span", { class: "why" }, why))));
    return make("section", {}, make("h3", {}, title), make("ul", {}, ...rows),
      make("p", { class: "so" }, end));
  }

  function table(caption, head, rows, kind) {
    const body = rows.map(([first, ...rest]) => make("tr", {}, make("th", { scope: "row" }, first),
      ...rest.map((cell) => make("td", {}, cell))));
    return make("table", { class: kind }, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
      make("tbody", {}, ...body));
  }

  function productTable(mats, found, n) {
    let raw = found.chain[0];
    for (const A of found.chain.slice(1, n)) raw = T.multiply(raw, A);
    const seen = raw.flat().map(Math.abs).filter(Boolean);
    const plain = Math.max(...seen) < 1e6 && Math.min(...seen) >= 1e-3;
    const M = plain ? raw : found.products[n - 1];
    const caption = `M${low(n)}${plain ? "" : ", divided by one common number"}`;
    return table(caption, ["column", ...M[0].map((_, j) => `${j + 1}`)],
      M.map((row, i) => [`input ${i + 1}`, ...row.map((x) => number(x))]), "product");
  }

  function boundTable(found, n) {
    const rows = found.bounds.map((bound) => {
      const log = bound.values?.[n - 1];
      const value = log === undefined ? "not for these"
        : log >= 0 ? `${size(log)}, says nothing` : `≤ ${size(log)}`;
      const factor = bound.factors?.[n - 1];
      return [bound.name, value, factor === undefined || Number.isNaN(factor) ? "–"
        : `${bound.symbol} = ${number(factor)}`, bound.what];
    });
    const gap = Number.isNaN(found.gaps[n - 1]) ? "–" : `= ${size(found.gaps[n - 1])}`;
    return table(`What bounds 1 − s${low(n)}`, ["", "1 − s", `step ${n}`, "the step’s number"],
      [["itself", gap, "–", "measured"], ...rows], "bounds");
  }

  // ---- The page ---------------------------------------------------------------------------

  function start(root, number_) {
    const presets = JSON.parse(root.dataset.presets), id = `playground-${number_}`;
    const state = { texts: [], again: true, n: 4, turn: 40 };
    const status = make("p", { role: "status", class: "said" });
    const problem = make("p", { role: "alert", class: "problem", id: `${id}-problem` });
    const fields = make("div", { class: "fields" });
    const results = make("div", { class: "results" });
    const choice = make("select", { id: `${id}-preset` }, make("option", { value: "" }, "my own"),
      ...presets.map((preset, k) => make("option", { value: k }, preset.name)));
    const modes = ["again and again", "once"].map((name, k) =>
      make("input", { type: "radio", name: `${id}-mode`, id: `${id}-mode-${k}`, value: name }));
    const count = make("input", { type: "range", min: 1, id: `${id}-n` });
    const turn = make("input", { type: "range", min: 0, max: 90, step: 5, id: `${id}-turn` });
    const turning = make("p", {}, make("label", { for: turn.id }, "Seen from"), turn);
    const add = make("button", { type: "button" }, "Add a matrix");
    const link = make("a", { class: "share" }, "Link to these matrices");

    const show = ({ texts, again, n }) => {
      Object.assign(state, { texts: [...texts], again, n });
      buildFields();
      update();
    };
    const fromPreset = (k) => {
      choice.value = k;
      show({ texts: presets[k].matrices, again: presets[k].again, n: presets[k].n });
      choice.value = k;
    };

    function buildFields() {
      fields.replaceChildren(...state.texts.map((text, k) => {
        const area = make("textarea", { id: `${id}-A${k}`, rows: 4, cols: 12, spellcheck: "false",
          autocapitalize: "off", autocomplete: "off", "aria-describedby": `${problem.id} ${id}-help` });
        area.value = text;
        area.addEventListener("input", () => {
          state.texts[k] = area.value;
          choice.value = "";
          update();
        });
        const remove = make("button", { type: "button", "aria-label": `Remove A${k + 1}` }, "Remove");
        remove.addEventListener("click", () => {
          state.texts.splice(k, 1);
          choice.value = "";
          buildFields();
          update();
          fields.querySelector("textarea").focus();
        });
        return make("div", { class: "field" }, make("label", { for: area.id }, `A${low(k + 1)}`),
          area, ...(state.texts.length > 1 ? [remove] : []));
      }));
      add.disabled = state.texts.length >= T.LARGEST_CHAIN;
    }

    function read() {
      const mats = state.texts.map((text, k) => {
        try {
          return T.readMatrix(text);
        } catch (error) {
          if (!(error instanceof T.Unreadable)) throw error;
          fields.querySelectorAll("textarea")[k].setAttribute("aria-invalid", "true");
          throw new T.Unreadable(`A${k + 1}: ${error.message}`);
        }
      });
      T.checkSizes(mats, state.again);
      return mats;
    }

    function update() {
      modes[0].checked = state.again;
      modes[1].checked = !state.again;
      for (const area of fields.querySelectorAll("textarea")) area.removeAttribute("aria-invalid");
      let mats;
      try {
        mats = read();
      } catch (error) {
        if (!(error instanceof T.Unreadable)) throw error;
        problem.textContent = error.message;
        status.textContent = "";
        results.classList.add("stale");
        return;
      }
      problem.textContent = "";
      results.classList.remove("stale");
      const total = state.again ? LAST : mats.length;
      state.n = Math.min(state.n, total);
      Object.assign(count, { max: total, value: state.n, disabled: total === 1 });
      count.setAttribute("aria-valuetext", `${state.n} of ${total}`);
      turn.value = state.turn;
      turn.setAttribute("aria-valuetext", `${state.turn} degrees`);
      turning.hidden = mats[0].length !== 3;
      const code = state.texts.map((text) => T.readMatrix(text).map((row) => row.join(",")).join("_"));
      link.href = `#play=${code.join("~")}~${state.again ? "again" : "once"}~${state.n}`;
      report(mats, T.analyse(mats, total), T.hypotheses(mats, state.again));
    }

    function report(mats, found, h) {
      const { n, again, turn: from } = state, s = found.s[n - 1];
      const M = found.directions[n - 1], gap = found.gaps[n - 1];
      const said = Number.isNaN(s) ? `M${low(n)} has a zero column, which has no angle.`
        : `n = ${n}: s = ${gap < -5 ? `1 − ${size(gap)}` : s.toFixed(5).replace("-", "−")}, ` +
          `widest angle ${gap < -5 ? size(Math.log10(Math.sqrt(2) * 180 / Math.PI) + gap / 2)
            : number(widest(M), 4)}°.`;
      const truth = h.converges === null ? "" : h.converges
        ? " Continued for ever, s tends to one." : " Continued for ever, s stays below one.";
      status.textContent = said + truth;
      const width = Math.max(260, Math.min(640, results.clientWidth || 640));
      const pictures = [];
      if (!Number.isNaN(s) && M[0].length > 1) {
        const alt = `The ${M[0].length} columns of the product of ${n} matrices; ${said}`;
        const cone = M.length === 2 ? coneInThePlane(M, width, alt)
          : M.length === 3 ? coneInSpace(M, width, alt, from) : angleChart(M, width, alt);
        const caption = M.length === 2 || M.length === 3
          ? "The columns at length one, and the cone between them."
          : "The angles between each two columns.";
        pictures.push(make("figure", {}, cone, make("figcaption", {}, caption)));
        pictures.push(make("figure", {}, curves(found, n, width),
          make("figcaption", {}, "1 − s, and what bounds it.")));
      }
      const lengths = found.lengths?.[n - 1];
      const ratio = lengths ? (Math.max(...lengths) - Math.min(...lengths)) / Math.LN10 : null;
      const drift = ratio === null ? ""
        : ratio < 0.01 ? `All columns of M${low(n)} have the same length.` : `The longest column of M${low(n)} is ${
        ratio < 3 ? number(10 ** ratio, 3) : power(ratio)} times as long as the shortest.`;
      results.replaceChildren(make("div", { class: "pictures" }, ...pictures),
        make("div", { class: "tables" }, productTable(mats, found, n)), make("p", {}, drift),
        make("div", { class: "tables" }, boundTable(found, n)),
        make("div", { class: "hypotheses" },
          hypothesisList("The theorem as published", publishedWords(mats, h, again)),
          hypothesisList("The theorem as repaired", repairedWords(mats, h, again))));
    }

    function fromAddress() {
      const found = decodeURIComponent(location.hash).match(ADDRESS);
      if (!found) return false;
      const parts = found[1].split("~");
      const n = Math.max(1, Math.min(LAST, Number.parseInt(parts.pop(), 10) || 1));
      const again = parts.pop() !== "once";
      const texts = parts.map((part) => part.replaceAll("_", "\n").replaceAll(",", " "));
      if (!texts.length) return false;
      choice.value = "";
      show({ texts: texts.slice(0, T.LARGEST_CHAIN), again, n });
      root.scrollIntoView();
      return true;
    }

    choice.addEventListener("change", () => choice.value && fromPreset(choice.value));
    modes.forEach((mode) => mode.addEventListener("change", () => {
      state.again = modes[0].checked;
      update();
    }));
    count.addEventListener("input", () => { state.n = Number(count.value); update(); });
    turn.addEventListener("input", () => { state.turn = Number(turn.value); update(); });
    add.addEventListener("click", () => {
      state.texts.push(state.texts.at(-1));
      choice.value = "";
      buildFields();
      update();
      fields.querySelector(".field:last-child textarea").focus();
    });
    const labelled = (control, text) =>
      make("span", {}, control, make("label", { for: control.id }, text));
    root.replaceChildren(
      make("p", {}, make("label", { for: choice.id }, "Start from"), choice),
      fields, make("p", { class: "help", id: `${id}-help` },
        "One row per line, with spaces between; fractions like 1/3 are fine. A₁ is next to the input."),
      make("p", {}, add),
      make("fieldset", {}, make("legend", {}, "Multiply them"),
        labelled(modes[0], "again and again"), labelled(modes[1], "once")),
      make("p", {}, make("label", { for: count.id }, "Factors n"), count), turning,
      problem, status, results, make("p", {}, link));
    if (!fromAddress()) fromPreset(presets.findIndex((preset) => preset.key === root.dataset.start));
    window.addEventListener("hashchange", fromAddress);
    let before = results.clientWidth;
    new ResizeObserver(() => {
      if (results.clientWidth !== before) { before = results.clientWidth; update(); }
    }).observe(root);
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".modbp-playground").forEach(start));
})();
