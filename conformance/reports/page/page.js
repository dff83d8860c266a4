// The page: a view is what its address says, and everything shown follows from it.
const source = document.getElementById("data");
const form = document.getElementById("filters");
const dialog = document.getElementById("cell");
const byId = (name) => document.getElementById(name);
const STEP = 60;
const RANK = [0, 1, 2, 4, 5, 3]; // in the list, what passes stands before what has no verdict
let data;
let view = {};
let listed = [];
let shown = 0;
let open;

const viewOf = (hash) => (hash.startsWith("#?") ? Object.fromEntries([...new URLSearchParams(hash.slice(2))].filter(([, value]) => value)) : {});
const hashOf = (wanted) => {
  const known = Object.entries(wanted).filter(([, value]) => value !== undefined && value !== "");
  return known.length ? `#?${new URLSearchParams(known)}` : "#?";
};
const linkTo = (change) => hashOf({ ...view, cell: undefined, ...change });
const isFiltered = () => FILTERS.some((name) => view[name] !== undefined);

// What a place or a row of the list leads to.
const drawList = () => {
  const table = byId("cells-table");
  if (!shown) {
    const names = ["outcome", "check", "quantity", "target", "error", "reason"];
    table.replaceChildren(make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))), make("tbody"));
  }
  const body = table.tBodies[0];
  for (const cell of listed.slice(shown, shown + STEP)) {
    const letter = WORST_FIRST[data.outcome[cell]];
    const [section, , named, device, mode, dtype] = data.targets[data.target[cell]];
    const error = figureOf(data, "error", cell);
    const sign = [make("span", { class: `sign ${letter}`, "aria-hidden": "true" }, GLYPHS[letter]), ` ${OUTCOMES[letter].replace("-", " ")}`];
    const where = `${data.sections[section][0]} · ${data.implementations[named][0]} · ${device} · ${mode} · ${dtype}`;
    const measuredError = [error === undefined ? "" : `${error} u`, GRADES[data.grade[cell]]].filter(Boolean).join(" ");
    const link = make("a", { href: linkTo({ cell: idOf(data, cell) }) }, data.checks[data.check[cell]][0]);
    const texts = [link, data.quantities[data.quantity[cell]], where].map((text) => make("td", {}, text));
    const last = [make("td", { class: "nw" }, measuredError), make("td", {}, data.reasons[data.reason[cell]])];
    if (data.since.has(cell)) last[1].append(make("span", { class: "den" }, ` ${data.since.get(cell).became}, before: ${data.since.get(cell).before}`));
    body.append(make("tr", {}, make("td", { class: "nw" }, ...sign), ...texts, ...last));
  }
  shown = Math.min(listed.length, shown + STEP);
  byId("more").hidden = shown >= listed.length;
  byId("cells-title").textContent = `Cells: ${counted(shown)} of ${counted(listed.length)}, the worst first`;
};

const drawCell = () => {
  const cell = view.cell === undefined ? -1 : find(view.cell);
  if (view.cell !== undefined && cell < 0) byId("shown").textContent = `no cell ${view.cell} in these results`;
  if (cell < 0) {
    if (dialog.open) dialog.close();
    return;
  }
  open = view.cell;
  dialog.replaceChildren(...cellParts(data, cell, source.dataset.elsewhere, () => dialog.close()));
  if (!dialog.open) dialog.showModal();
  byId("cell-title").focus();
  dialog.scrollTop = 0;
};
const find = (id) => {
  for (let cell = 0; cell < data.size; cell++) if (id.startsWith(data.checks[data.check[cell]][0]) && idOf(data, cell) === id) return cell;
  return -1;
};

let drawn;
const draw = () => {
  for (const name of FILTERS) {
    const wanted = view[name] ?? "";
    const control = form.elements[name];
    if (control && control.value !== wanted) control.value = wanted; // what is being typed keeps its cursor
  }
  byId("worst-first").setAttribute("aria-pressed", String(view.sort === "worst"));
  byId("everything").hidden = !isFiltered();
  const { cell: _, ...rest } = view;
  if (hashOf(rest) !== drawn) {
    drawn = hashOf(rest);
    const cells = chosen(data, view);
    drawMatrix(data, cells, view, linkTo);
    byId("shown").textContent = isFiltered() ? `${counted(cells.length)} of ${counted(data.size)} cells` : "";
    byId("cells").hidden = !isFiltered();
    if (isFiltered()) {
      listed = cells.sort((a, b) => RANK[data.outcome[a]] - RANK[data.outcome[b]] || data.error[b] - data.error[a] || a - b);
      shown = 0;
      drawList();
    }
    drawPath();
  }
  drawCell();
};

// Where the view stands, with the way back.
const drawPath = () => {
  const path = byId("path");
  const steps = ["operation", "framework", "implementation", "quantity", "mode", "dtype"].filter((name) => view[name] !== undefined);
  path.hidden = !steps.length;
  const without = (name) => ({ href: linkTo({ [name]: undefined }), "aria-label": `${name} ${view[name]}: remove` });
  const links = steps.flatMap((name) => [" · ", make("a", without(name), `${view[name]} ×`)]);
  path.replaceChildren(make("a", { href: hashOf({ sort: view.sort }) }, "all"), ...links);
};

const go = (change) => {
  const hash = hashOf({ ...view, cell: undefined, ...change });
  if (hash !== location.hash) history.replaceState(null, "", hash);
  view = viewOf(location.hash);
  draw();
};

const follow = () => {
  if (location.hash.startsWith("#?") || !location.hash) {
    view = viewOf(location.hash);
    draw();
    return;
  }
  // A link into a folded part unfolds it.
  if (dialog.open) dialog.close();
  const aim = byId(decodeURIComponent(location.hash.slice(1)));
  for (let part = aim; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (aim) aim.scrollIntoView();
};

const fill = (name, values) => form.elements[name].append(...values.map((value) => make("option", { value }, value)));

// Arrow keys move between the places of the matrix.
const move = (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const place = event.target.closest("td, th");
  if (!step || !place) return;
  const rows = [...byId("matrix-table").rows];
  let [row, column] = [rows.indexOf(place.parentElement) + step[0], place.cellIndex + step[1]];
  for (; rows[row]?.cells[column]; row += step[0], column += step[1]) {
    const link = rows[row].cells[column].querySelector("a");
    if (!link) continue;
    link.focus();
    event.preventDefault();
    return;
  }
};

const start = async () => {
  data = await load(source.textContent);
  fill("outcome", [...WORST_FIRST].map((letter) => OUTCOMES[letter]));
  fill("operation", data.operations);
  fill("quantity", data.quantities);
  fill("framework", data.sections.map(([key]) => key));
  fill("mode", data.modes);
  fill("dtype", data.dtypes);
  if (form.elements.since) fill("since", [...new Set(data.changed.map(([, became]) => became))]);
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => go({ [event.target.name]: event.target.value }));
  byId("worst-first").addEventListener("click", () => go({ sort: view.sort === "worst" ? undefined : "worst" }));
  byId("everything").addEventListener("click", () => go(Object.fromEntries(FILTERS.map((name) => [name, undefined]))));
  byId("more").addEventListener("click", drawList);
  byId("matrix-table").addEventListener("keydown", move);
  dialog.addEventListener("close", () => {
    if (open !== undefined && viewOf(location.hash).cell === open) go({}); // unless another was asked for meanwhile
  });
  addEventListener("hashchange", follow);
  follow();
  if (location.hash && !location.hash.startsWith("#?")) draw();
  document.documentElement.dataset.ready = "yes";
};
start();
