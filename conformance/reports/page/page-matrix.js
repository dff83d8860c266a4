// The matrix of a view: which cells are in it, what is a row and what a column, and what stands in each place.
const FILTERS = ["q", "outcome", "operation", "quantity", "framework", "mode", "dtype", "implementation", "differ", "since"];

const lookup = (names) => (value) => (value === undefined ? -1 : names.indexOf(value));

// The cells that every filter lets through but the comparison of frameworks.
const matching = (data, view) => {
  const wanted = {
    outcome: view.outcome === undefined ? -1 : WORST_FIRST.split("").findIndex((letter) => OUTCOMES[letter] === view.outcome),
    operation: lookup(data.operations)(view.operation),
    quantity: lookup(data.quantities)(view.quantity),
    section: lookup(data.sections.map(([key]) => key))(view.framework),
    mode: lookup(data.modes)(view.mode),
    dtype: lookup([...data.dtypes, ANY])(view.dtype),
  };
  const named = { outcome: "outcome", operation: "operation", quantity: "quantity", section: "framework", mode: "mode", dtype: "dtype" };
  const keys = Object.keys(wanted).filter((key) => view[named[key]] !== undefined);
  const words = (view.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const holding = (texts) => words.map((word) => Uint8Array.from(texts, (text) => text.toLowerCase().includes(word)));
  const inCheck = holding(data.checks.map((check) => check[0]));
  const inReason = holding(data.reasons);
  const inFlag = holding(data.flags.map((flags) => flags.join(" ")));
  const inQuantity = holding(data.quantities);
  const said = ([section, framework, named, ...rest]) => [data.sections[section][1], framework, ...data.implementations[named], ...rest].join(" ");
  const inTarget = holding(data.targets.map(said));
  const implementation = data.targets.map((target) => data.implementations[target[2]][0]);
  const found = [];
  next: for (let cell = 0; cell < data.size; cell++) {
    for (const key of keys) if (data[key][cell] !== wanted[key]) continue next;
    if (view.implementation !== undefined && implementation[data.target[cell]] !== view.implementation) continue;
    if (view.since !== undefined && !(data.since.has(cell) && (view.since === "any" || data.since.get(cell).became === view.since))) continue;
    for (let word = 0; word < words.length; word++) {
      if (inCheck[word][data.check[cell]] || inTarget[word][data.target[cell]] || inReason[word][data.reason[cell]]) continue;
      if (!inFlag[word][data.flag[cell]] && !inQuantity[word][data.quantity[cell]]) continue next;
    }
    found.push(cell);
  }
  return found;
};

// Of these cells, those where frameworks do not agree on the same check, quantity and dtype: only what has a verdict is compared.
const differing = (data, cells, how) => {
  const places = new Map();
  const keyOf = (cell) => (data.check[cell] * 64 + data.quantity[cell]) * 64 + data.dtype[cell];
  for (const cell of cells) {
    const outcome = data.outcome[cell];
    if (outcome === 3 || outcome === 4) continue;
    const key = keyOf(cell);
    if (!places.has(key)) places.set(key, new Map());
    const worst = places.get(key);
    const section = data.section[cell];
    worst.set(section, Math.min(outcome, worst.get(section) ?? 9));
  }
  const differ = new Set();
  for (const [key, worst] of places) {
    const counts = new Map();
    for (const outcome of worst.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    const alone = counts.size === 2 && worst.size > 2 && [...counts.values()].includes(1);
    if (how === "one" ? alone : counts.size > 1) differ.add(key);
  }
  return cells.filter((cell) => data.outcome[cell] !== 3 && data.outcome[cell] !== 4 && differ.has(keyOf(cell)));
};

const chosen = (data, view) => {
  const cells = matching(data, view);
  return view.differ === undefined ? cells : differing(data, cells, view.differ);
};

// What a number of cells come to: outcomes and worst of everything, by dtype and in all.
class Heap {
  constructor(dtypes) {
    this.counts = Array.from({ length: dtypes + 1 }, () => new Int32Array(6));
    this.error = -1;
    this.grade = 0;
  }
  add(data, cell) {
    this.counts[data.dtype[cell]][data.outcome[cell]]++;
    if (data.outcome[cell] === 5) this.error = Math.max(this.error, data.error[cell]);
    this.grade = Math.max(this.grade, data.grade[cell]);
  }
  get total() {
    return this.counts.reduce((all, counts) => all.map((count, outcome) => count + counts[outcome]), new Int32Array(6));
  }
  // The worst first: what must not be, then what is not known, then the error.
  get badness() {
    return [...this.total.slice(0, 5), this.error];
  }
}
const worseFirst = (one, other) => {
  const [a, b] = [one.badness, other.badness];
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : b[at] - a[at];
};
const sum = (counts) => counts.reduce((all, count) => all + count, 0);
const worstOf = (counts) => counts.findIndex((count) => count);
const isPartial = (counts) => counts[5] > 0 && [3, 4].includes(worstOf(counts));
const denominator = (counts) => {
  const words = ["error", "fail", "deviation", "not run", "unsupported"];
  const plural = (at) => (counts[at] > 1 && (at === 0 || at === 2) ? "s" : "");
  const apart = words.flatMap((word, at) => (counts[at] ? [`${counted(counts[at])} ${word}${plural(at)}`] : []));
  return [`${counted(counts[5])}/${counted(sum(counts))}`, ...apart].join(" · ");
};

// One place: a sign for each dtype, the worst error and the worst grade; the same as the page has without scripts.
const placeOf = (data, heap) => {
  const dtypes = [...data.dtypes, ANY];
  const shown = heap.counts.slice(0, -1).some(sum) ? heap.counts.slice(0, -1) : heap.counts.slice(-1);
  const said = new Map();
  heap.counts.forEach((counts, at) => {
    if (!sum(counts)) return;
    const words = isPartial(counts) ? "passes where it could run" : OUTCOMES[WORST_FIRST[worstOf(counts)]];
    said.set(words, [...(said.get(words) ?? []), dtypes[at]]);
  });
  const words = [...said].map(([outcome, names]) => (said.size > 1 ? `${outcome} in ${names.join(", ")}` : outcome)).join("; ");
  const marks = shown.map((counts) => {
    if (!sum(counts)) return make("i");
    const partial = isPartial(counts);
    const letter = WORST_FIRST[worstOf(counts)];
    return make("i", { class: partial ? "h" : letter }, partial ? PARTIAL : GLYPHS[letter]);
  });
  const strip = make("span", { class: "strip", role: "img", "aria-label": words }, ...marks);
  if (heap.error < 0 && !heap.grade) return [strip];
  const measured = make("span", { class: "m" }, heap.error < 0 ? "" : `${data.figures[heap.error]} u`);
  if (heap.grade) measured.append(make("b", { class: `g${heap.grade}` }, GRADES[heap.grade]));
  return [strip, measured];
};

// Rows and columns of a view: it opens what it is restricted to.
const axes = (data, view) => {
  const section = (cell) => data.section[cell];
  const rows = { name: "operation", of: (cell) => data.operation[cell], names: data.operations };
  const quantities = { name: "quantity", of: (cell) => data.quantity[cell], names: data.quantities };
  const columns = { name: "framework", of: section, names: data.sections.map(([key]) => key) };
  const modes = { name: "mode", of: (cell) => data.mode[cell], names: data.modes };
  if (view.operation === undefined) return view.framework === undefined ? [rows, columns] : [rows, modes];
  if (view.framework === undefined) return [quantities, columns];
  const names = data.implementations.map(([name]) => name);
  const distinct = [...new Set(names)];
  const index = names.map((name) => distinct.indexOf(name));
  const implementations = { name: "implementation", of: (cell) => index[data.targets[data.target[cell]][2]], names: distinct };
  return view.implementation === undefined ? [implementations, quantities] : [quantities, modes];
};

const heapsOf = (data, cells, [rows, columns]) => {
  const size = data.dtypes.length;
  const heaps = { row: new Map(), column: new Map(), place: new Map() };
  const into = (kind, key, cell) => {
    if (!heaps[kind].has(key)) heaps[kind].set(key, new Heap(size));
    heaps[kind].get(key).add(data, cell);
  };
  for (const cell of cells) {
    const [row, column] = [rows.of(cell), columns.of(cell)];
    into("row", row, cell);
    into("column", column, cell);
    into("place", row * 4096 + column, cell);
  }
  return heaps;
};

const STATES = { "conforms": "p", "conforms with deviations": "d", "does not conform": "f" };

const head = (data, axis, key, heap, link) => {
  const parts = [];
  if (axis.name === "framework") {
    const [, title, verdict, framework] = data.sections[key];
    const state = STATES[verdict] ?? "n";
    parts.push(make("a", { href: link }, make("span", { class: `sign ${state}`, "aria-hidden": "true" }, GLYPHS[state]), framework));
    parts.push(make("span", { class: "den version" }, title.slice(framework.length).trim()), make("span", { class: "vh" }, `, ${verdict}`));
  } else parts.push(make("a", { href: link }, axis.names[key]));
  const total = heap.total;
  parts.push(make("span", { class: "den counts", title: denominator(total) }, `${counted(total[5])}/${counted(sum(total))}`));
  return parts;
};

// Put the view's matrix into the table of the page.
const drawMatrix = (data, cells, view, linkTo) => {
  const both = axes(data, view);
  const [rows, columns] = both;
  const heaps = heapsOf(data, cells, both);
  const ordered = (heap) => {
    const keys = [...heap.keys()].sort((a, b) => a - b);
    return view.sort === "worst" ? keys.sort((a, b) => worseFirst(heap.get(a), heap.get(b))) : keys;
  };
  // Who has no cell in the widest view still has a column there, and what nothing could be enumerated of has no row.
  if (rows.name === "operation" && columns.name === "framework" && !FILTERS.some((name) => view[name] !== undefined)) {
    for (const key of data.sections.keys()) if (!heaps.column.has(key)) heaps.column.set(key, new Heap(data.dtypes.length));
  }
  heaps.row.delete(rows.names.indexOf(ANY));
  const across = ordered(heaps.column).filter((key) => columns.names[key] !== ANY || heaps.column.size === 1);
  const names = make("span", { class: "dts", "aria-hidden": "true" });
  names.append(...data.dtypes.map((dtype) => make("i", {}, dtype.replace("bfloat", "b").replace("float", ""))));
  const top = make("tr", {}, make("td", { class: "corner" }));
  for (const key of across) {
    const link = linkTo({ [columns.name]: columns.names[key] });
    top.append(make("th", { scope: "col" }, ...head(data, columns, key, heaps.column.get(key), link), names.cloneNode(true)));
  }
  const body = make("tbody");
  for (const row of ordered(heaps.row)) {
    const line = make("tr", {}, make("th", { scope: "row" }, ...head(data, rows, row, heaps.row.get(row), linkTo({ [rows.name]: rows.names[row] }))));
    for (const column of across) {
      const heap = heaps.place.get(row * 4096 + column);
      const link = linkTo({ [rows.name]: rows.names[row], [columns.name]: columns.names[column] });
      line.append(heap ? make("td", {}, make("a", { class: "place", href: link }, ...placeOf(data, heap))) : make("td"));
    }
    body.append(line);
  }
  document.getElementById("matrix-table").replaceChildren(make("thead", {}, top), body);
};
