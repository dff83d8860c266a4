// One cell, opened: the check in words, what went in, what came out, what is allowed, why, and how to run it again.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);
const pythonString = (text) => {
  const escaped = text.replaceAll("\\", "\\\\");
  return text.includes("'") && !text.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
};
const figureOf = (data, column, cell) => (data.cells[column][cell] < 0 ? undefined : data.figures[data.cells[column][cell]]);

// What went in: the cell's own witness, or the inputs that the spec pins.
const inputsOf = (data, cell) => {
  const own = data.detail.get(cell);
  if (own) {
    const [, shape, prediction, target, weight, upstream, element, expected, observed, allowed, recipe, program] = own;
    return { shape, arrays: { prediction, target, weight, upstream }, element, expected, observed, allowed, recipe, program };
  }
  const dtype = data.targets[data.target[cell]][5];
  const pinned = data.pinned.find((row) => row[0] === data.check[cell] && row[1].includes(dtype));
  if (!pinned) return undefined;
  const [, , shape, prediction, target, weight, upstream, stated, stricter] = pinned;
  const quantity = data.quantities[data.quantity[cell]];
  return { shape, arrays: { prediction, target, weight, upstream }, element: 0, stated: stated[quantity], stricter, allowed: [], program: -1 };
};

const programOf = (data, cell, inputs) => {
  const literals = (name) => data.arrays[inputs.arrays[name]][1];
  if (literals("prediction").includes("…") || (!literals("prediction") && !inputs.shape.includes(0))) return "";
  const many = literals("upstream").includes(" ");
  const form = Number(Boolean(literals("weight"))) + 2 * Number(many);
  const place = [data.target[cell], data.operation[cell], data.quantity[cell], form].join(":");
  const template = inputs.program >= 0 ? inputs.program : (data.programs[place] ?? -1);
  if (template < 0) return "";
  const shape = (sizes) => (sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(", ")})`);
  const expected = inputs.expected ?? inputs.stated ?? "";
  const blanks = {
    id: idOf(data, cell),
    shape: shape(inputs.shape),
    samples: shape(inputs.shape.slice(0, 1)),
    expected: expected && pythonString(inputs.stated && inputs.expected === undefined ? expected : `element ${inputs.element}: ${expected}`),
    allowed: inputs.allowed.length ? pythonString(inputs.allowed.join(" or ")) : "",
  };
  for (const name of ["prediction", "target", "weight", "upstream"]) {
    const written = literals(name) || (name === "upstream" ? "1.0" : "");
    blanks[name] = `[${written.split(" ").join(", ")}]`;
  }
  const lines = data.templates[template].map((line) => data.lines[line]);
  const names = (line) => [...line.matchAll(/\0(\w+)\0/g)].map((blank) => blank[1]);
  const kept = lines.filter((line) => names(line).every((name) => blanks[name]));
  return kept.map((line) => line.replace(/\0(\w+)\0/g, (_, name) => blanks[name])).join("\n");
};

const numeral = (hexadecimal, decimal) => {
  const parts = [make("code", {}, hexadecimal)];
  if (decimal && decimal !== hexadecimal) parts.push(" ", make("span", { class: "dec" }, decimal.replace(/^float\('(.*)'\)$/, "$1")));
  return make("span", {}, ...parts);
};

// The numbers of an array, equal neighbours once.
const arrayOf = (data, index) => {
  const [hexadecimals, decimals] = data.arrays[index].map((numbers) => (numbers ? numbers.split(" ") : []));
  const shown = [];
  for (let at = 0; at < hexadecimals.length; ) {
    let end = at + 1;
    while (end < hexadecimals.length && hexadecimals[end] === hexadecimals[at]) end++;
    const element = numeral(hexadecimals[at], decimals[at]);
    if (end - at > 1) element.append(` × ${end - at}`);
    shown.push(element, " ");
    at = end;
  }
  return shown;
};

const lineOf = (name, ...parts) => make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "arr" }, ...parts));
const hexadecimal = (text) => {
  const found = /^([-+]?)0x([0-9a-f]+)(?:\.([0-9a-f]*))?p([-+]?\d+)$/.exec(text);
  if (!found) return "";
  const [, sign, whole, rest = "", power] = found;
  const value = Number(`0x${whole}${rest}`) * 2 ** (Number(power) - 4 * rest.length);
  return Number.isFinite(value) && (value || !Number(`0x${whole}${rest}`)) ? `${sign === "-" ? "-" : ""}${value}` : "";
};
const measured = (text) => numeral(text, hexadecimal(text));

const derivationOf = (data, cell, inputs) => {
  const [, kind] = data.checks[data.check[cell]];
  if (kind === "law") return undefined;
  if (inputs.stricter) return make("p", { class: "where" }, `The case is stricter than the error model: ${inputs.stricter}.`);
  const ones = data.arrays[inputs.arrays.upstream][0].split(" ").every((number) => number === "" || number === "0x1p+0");
  const dtype = data.targets[data.target[cell]][5];
  const place = [data.operation[cell], data.quantities[data.quantity[cell]], dtype, inputs.shape.join("x"), Number(ones)].join(":");
  const found = data.derivations[place];
  if (!found) return undefined;
  const [roundings, together] = found;
  const list = make("ul", { class: "checks" });
  for (const [index, count, format] of roundings) {
    const [step, because] = data.roundings[index];
    list.append(make("li", {}, make("b", {}, `${step}: ${counted(count)} in ${format}`), ` ${because}`));
  }
  return make("details", {}, make("summary", {}, `Roundings that a result in ${dtype} may commit: together ${together} u`), list);
};

const button = (words, act) => {
  const element = make("button", { type: "button" }, words);
  element.addEventListener("click", act);
  return element;
};
const command = (words) => make("pre", { tabindex: "0" }, words);

// The whole of it, as the children of the dialog.
const cellParts = (data, cell, elsewhere, close) => {
  const letter = WORST_FIRST[data.outcome[cell]];
  const [check, kind, level] = data.checks[data.check[cell]];
  const quantity = data.quantities[data.quantity[cell]];
  const [section, , named, device, mode, dtype] = data.targets[data.target[cell]];
  const [implementation, entry] = data.implementations[named];
  const id = idOf(data, cell);
  const [why, source, consequences] = data.said[data.check[cell]] || ["", "", []];
  const parts = [button("close", close)];
  const sign = make("span", { class: `sign ${letter}`, "aria-hidden": "true" }, GLYPHS[letter]);
  parts.push(make("h2", { id: "cell-title", tabindex: "-1" }, sign, ` ${OUTCOMES[letter]}: `, make("code", {}, check), ` ${quantity}`));
  const now = elsewhere ? ", as the specs are now: the results were judged by others" : "";
  if (why) parts.push(make("p", {}, why, " ", make("span", { class: "den" }, source + now)));
  for (const words of letter === "f" || letter === "d" || letter === "e" ? consequences : []) parts.push(make("p", { class: "where" }, words));
  if (data.reasons[data.reason[cell]]) parts.push(make("p", { class: "reason" }, data.reasons[data.reason[cell]]));
  const table = make("table", { class: "kv" });
  table.append(lineOf("target", `${data.sections[section][1]} · `, make("code", {}, implementation), ` · ${device} · ${mode} · ${dtype}`));
  table.append(lineOf("entry point", make("code", {}, entry)));
  table.append(lineOf("kind", `${kind}, ${level}`));
  const units = [["error", "u"], ["ulp", "ulp"], ["share", "× the bound"]];
  const errors = units.map(([column, unit]) => [figureOf(data, column, cell), unit]).filter(([error]) => error !== undefined);
  if (errors.length) table.append(lineOf("error", errors.map(([error, unit]) => `${error} ${unit}`).join(" · ")));
  if (data.grade[cell]) table.append(lineOf("grade", GRADES[data.grade[cell]]));
  const changed = data.since.get(cell);
  if (changed) table.append(lineOf("since the run before", `${changed.became}; it was: ${changed.before}`));
  const flags = data.flags[data.flag[cell]];
  if (flags.length) table.append(lineOf("observed", flags.join(" · ")));
  const inputs = inputsOf(data, cell);
  if (inputs) {
    if (inputs.stated) table.append(lineOf("exactly", inputs.stated));
    if (inputs.expected) table.append(lineOf("expected", measured(inputs.expected)));
    if (inputs.allowed.length) table.append(lineOf("allowed", ...inputs.allowed.flatMap((bound, at) => [at ? " … " : "", measured(bound)])));
    if (inputs.observed) table.append(lineOf("observed", measured(inputs.observed)));
    table.append(lineOf("shape", `(${inputs.shape.join(", ")})${inputs.expected === undefined ? "" : `, element ${inputs.element}`}`));
    for (const [name, index] of Object.entries(inputs.arrays)) if (data.arrays[index][0]) table.append(lineOf(name, ...arrayOf(data, index)));
    if (inputs.recipe) table.append(lineOf("recipe", make("code", {}, inputs.recipe)));
  }
  parts.push(table);
  const derivation = inputs && derivationOf(data, cell, inputs);
  if (derivation) parts.push(derivation);
  const ran = letter !== "n" && letter !== "u";
  const generated = "A check of many inputs: the page keeps the worst of each place, and the results file what this one has.";
  const missing = kind === "case" ? "The page has not its inputs: the spec does." : generated;
  if (ran && !inputs) parts.push(make("p", { class: "where" }, missing));
  if (check !== ANY) parts.push(make("p", { class: "where" }, "Why this interval:"), command(`conformance explain ${quoted(id)}`));
  if (ran) parts.push(make("p", { class: "where" }, "Run it again:"), command(`conformance replay ${quoted(id)}`));
  const program = ran && inputs ? programOf(data, cell, inputs) : "";
  if (program) parts.push(make("p", { class: "where" }, "Or without this suite:"), command(program));
  parts.push(make("p", { class: "where" }, make("a", { href: `#framework-${section + 1}` }, "the environment it ran in")));
  return parts;
};
