// What the filters leave. A cell stays if a variant of it has all chosen fields and ends as chosen.
class Filters {
  constructor(data) {
    this.data = data;
    this.of = (kind) => data.filters.filter((filter) => filter[2] === kind).map(([name, values]) => ({ name, values }));
    this.cell = this.of("cell");
    this.variant = [...this.of("variant"), ...this.of("end")];
    this.fields = this.of("variant").length;
    this.stages = this.variant.find(({ name }) => name === "stage").values;
    const ended = (field, value) => {
      const filter = this.variant.findIndex(({ name }) => name === field);
      const place = this.variant[filter]?.values.indexOf(value) ?? -1;
      return (variant) => place >= 0 && data.variants[variant][filter] === place;
    };
    this.has = Object.fromEntries(["works", "fails", "flaky", "error", "not-run"].map((status) => [status, ended("status", status)]));
    this.diagnostic = ended("feedback", "feed-all");
  }

  // Per cell: null if it is left out, else how the chosen variants ended; undefined if all variants are chosen.
  apply(chosen) {
    const wanted = (filters) => filters.map(({ name, values }) => (chosen[name] === undefined ? -1 : values.indexOf(chosen[name])));
    const matches = (wants, places) => wants.every((want, number) => want < 0 || places[number] === want);
    const cell = wanted(this.cell);
    const all = wanted(this.variant);
    const fields = all.map((want, number) => (number < this.fields ? want : -1));
    const narrowed = fields.some((want) => want >= 0);
    const ending = this.data.variants.map((places) => matches(all, places));
    const named = this.data.variants.map((places) => matches(fields, places));
    const free = all.every((want) => want < 0);
    const sets = this.data.sets.map((set) => {
      if (!free && !set.some((variant) => ending[variant])) return null;
      return narrowed ? this.end(set.filter((variant) => named[variant])) : undefined;
    });
    return this.data.cells.map(([, , places, set]) => (matches(cell, places) ? sets[set] : null));
  }

  // As judge.py, heat_map.shade and heat_map.detail have it, of some variants.
  end(set) {
    const able = set.filter((variant) => !this.diagnostic(variant));
    const deciding = able.length ? able : set;
    const tried = set.filter((variant) => !this.has["not-run"](variant));
    if (deciding.some(this.has.works)) {
      const working = tried.filter(this.has.works).length;
      return working === tried.length ? ["works", ""] : ["partly", `${working}/${tried.length}`];
    }
    const open = deciding.some((variant) => this.data.variants[variant].at(-1));
    const found = ["error", "flaky", ...(open ? [] : ["fails"])].find((name) => deciding.some(this.has[name]));
    if (!found) return ["notrun", ""];
    const ends = set.filter(this.has[found]).map((variant) => this.data.variants[variant].at(-3));
    return [found, this.stages[Math.max(...ends)] ?? ""];
  }
}

// The map: its entries in the order of the cells, and the keys that move in it.
class HeatMap {
  constructor(names, letters, open) {
    this.letters = letters;
    this.squares = [...document.querySelectorAll(".heat tbody td:not(.none)")];
    this.own = this.squares.map((square) => ({ name: square.classList[0], first: square.classList.contains("first"), text: square.textContent }));
    this.shown = this.own.map(({ name, text }) => `${name} ${text}`);
    this.places = new Map(this.squares.map((square, place) => [square, place]));
    this.names = names;
    this.panels = [...document.querySelectorAll(".panel")];
    this.panels.forEach((panel) => this.grid(panel, open));
    this.maps = [...document.querySelectorAll(".map")];
    this.inSight = new Set();
    const observer = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
      if (isIntersecting) this.inSight.add(target);
      else this.inSight.delete(target);
    }));
    this.maps.forEach((map) => observer.observe(map));
  }

  grid(panel, open) {
    const tables = [...panel.querySelectorAll(".heat")];
    for (const table of tables) {
      table.setAttribute("role", "grid");
      table.setAttribute("aria-describedby", "keys");
    }
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]).map((row) => [...row.cells].slice(1));
    panel.classList.add("ready");
    panel.addEventListener("click", ({ target }) => {
      if (this.places.has(target)) open(this.places.get(target));
    });
    panel.addEventListener("focusin", ({ target }) => this.named(target));
    panel.addEventListener("pointerover", ({ target }) => this.named(target));
    panel.addEventListener("keydown", (event) => {
      if (!this.places.has(event.target)) return;
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return; // the browser's
      if (event.key === "Enter" || event.key === " ") open(this.places.get(event.target));
      else if (!this.move(rows, event.target, event.key)) return;
      event.preventDefault();
    });
  }

  // A name as long as the legend, for those who point at a square or hear it.
  named(square) {
    const place = this.places.get(square);
    if (place === undefined) return;
    square.title = `${this.names(place)}: ${square.textContent.replace("\n", " ")}`;
  }

  move(rows, square, key) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1], End: [0, 1] }[key];
    if (!step) return false;
    let row = rows.findIndex((squares) => squares.includes(square));
    let column = rows[row].indexOf(square);
    let found = null;
    for (;;) {
      row += step[0];
      column += step[1];
      const next = rows[row]?.[column];
      if (!next) break;
      if (!this.places.has(next) || next.classList.contains("off")) continue;
      found = next;
      if (key.startsWith("Arrow")) break;
    }
    if (found) this.focus(found);
    return true;
  }

  focus(square) {
    this.reachable(square);
    square.focus();
  }

  // One square of a panel is reached by Tab, the others by arrows.
  reachable(square) {
    if (square.tabIndex === 0) return; // without it for a moment, it would lose the focus
    square.closest(".panel").querySelector("td[tabindex]")?.removeAttribute("tabindex");
    square.tabIndex = 0;
  }

  // The squares of a map that are in sight. The map may be some times as wide as the window.
  seen(map) {
    const { left, right } = map.closest(".wide").getBoundingClientRect();
    const columns = [...map.querySelectorAll("thead tr:last-child th")].map((name) => name.getBoundingClientRect());
    const first = columns.findIndex((column) => column.right > left);
    const count = columns.filter((column) => column.right > left && column.left < right).length;
    return [...map.querySelectorAll("tbody tr")].flatMap(({ cells }) => [...cells].slice(first + 1, first + 1 + count));
  }

  // Show what the filters leave: at once where it is seen, and elsewhere when that is painted.
  show(ends) {
    const draw = (squares) => squares.forEach((square) => this.draw(square, ends));
    draw(this.maps.filter((map) => this.inSight.has(map)).flatMap((map) => this.seen(map)).filter((square) => this.places.has(square)));
    this.ends = ends;
    const later = () => {
      if (this.ends !== ends) return; // another filter came
      draw(this.squares);
      for (const panel of this.panels) {
        const first = panel.querySelector("td[tabindex]:not(.off)") ?? panel.querySelector("tbody td:not(.off):not(.none)");
        if (first) this.reachable(first);
      }
    };
    requestAnimationFrame(() => setTimeout(later));
  }

  // Only what changes is touched.
  draw(square, ends) {
    const place = this.places.get(square);
    const [own, end] = [this.own[place], ends[place]];
    const [name, text] = end ? [end[0], [this.letters[end[0]], end[1]].join("\n").trim()] : [own.name, own.text];
    const state = end === null ? "off" : `${name} ${text}`;
    if (state === this.shown[place]) return;
    this.shown[place] = state;
    square.className = `${name}${own.first ? " first" : ""}${end === null ? " off" : ""}`;
    if (square.firstChild.data !== text) square.firstChild.data = text;
  }
}
