"use strict";
(() => {
  // Worst first: the same sections in another order.
  const button = document.getElementById("worst-first");
  const order = (key) => {
    for (const kind of ["tbody", "details.framework"]) {
      const parts = [...document.querySelectorAll(`${kind}[data-rank]`)];
      parts.sort((a, b) => a.dataset[key] - b.dataset[key]).forEach((part) => part.parentNode.append(part));
    }
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    order(on ? "rank" : "place");
  });
  // A link into a folded part unfolds it.
  const unfold = () => {
    let part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const aim = part;
    for (; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    if (aim) aim.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  if (location.hash) unfold();
})();
