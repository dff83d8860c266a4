// The cells: unpacked from the page itself, one typed array for each column.
const OUTCOMES = { e: "error", f: "fail", d: "deviation", n: "not-run", u: "unsupported", p: "pass" };
const WORST_FIRST = "efdnup";
const GLYPHS = { e: "!", f: "✗", d: "≠", n: "?", u: "–", p: "✓" };
const PARTIAL = "◐";
const GRADES = ["", "rounded", "faithful", "O(1)", "O(log n)", "O(√n)", "O(n)"];
const ANY = "*";

const unpack = async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};

const spread = (runs, size) => {
  const column = new Int32Array(size);
  for (let at = 0, run = 0; run < runs.length; run += 2) {
    column.fill(runs[run], at, at + runs[run + 1]);
    at += runs[run + 1];
  }
  return column;
};

// What the document says, with every cell's check, operation, quantity and so on looked up once.
const load = async (text) => {
  const data = await unpack(text);
  const { cells } = data;
  const size = cells.pair.length;
  data.size = size;
  data.target = spread(cells.target, size);
  data.reason = spread(cells.reason, size);
  data.flag = spread(cells.flags, size);
  data.error = Int32Array.from(cells.error);
  data.outcome = Uint8Array.from(cells.outcome, (letter) => WORST_FIRST.indexOf(letter));
  data.grade = Uint8Array.from(cells.grade, Number);
  data.check = new Int32Array(size);
  data.operation = new Int32Array(size);
  data.quantity = new Int32Array(size);
  data.section = new Int32Array(size);
  data.dtype = new Int32Array(size);
  data.mode = new Int32Array(size);
  const dtypes = [...data.dtypes, ANY];
  const modes = new Map();
  data.modeOf = data.targets.map(([, , , device, mode]) => {
    const name = device === "cpu" || device === ANY ? mode : mode === ANY ? device : `${device} ${mode}`;
    if (!modes.has(name)) modes.set(name, modes.size);
    return modes.get(name);
  });
  data.modes = [...modes.keys()];
  const dtypeOf = data.targets.map((target) => dtypes.indexOf(target[5]));
  for (let cell = 0; cell < size; cell++) {
    const [check, quantity] = data.pairs[cells.pair[cell]];
    const target = data.target[cell];
    data.check[cell] = check;
    data.operation[cell] = data.checks[check][3];
    data.quantity[cell] = quantity;
    data.section[cell] = data.targets[target][0];
    data.dtype[cell] = dtypeOf[target];
    data.mode[cell] = data.modeOf[target];
  }
  data.detail = new Map(data.details.map((row) => [row[0], row]));
  data.since = new Map(data.changed.map(([cell, became, before]) => [cell, { became, before }]));
  return data;
};

const idOf = (data, cell) => {
  const [, framework, implementation, device, mode, dtype] = data.targets[data.target[cell]];
  const name = data.implementations[implementation][0];
  return `${data.checks[data.check[cell]][0]}:${data.quantities[data.quantity[cell]]}@${framework}/${name}/${device}/${mode}/${dtype}`;
};

// An element with attributes and children; strings become text, never markup.
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== "") element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
};
const counted = (number) => number.toLocaleString("en-US");
