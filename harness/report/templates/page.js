// The page of a report, with blocks.js and heat_map.js before it: filters, and the explanation of a combination, in a state
// that the address holds. Without a script, or with a browser that cannot read the data, all that is static stays.

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

class ReportPage {
  constructor(data) {
    this.data = data;
    this.text = (place) => data.nodes[place];
    this.filters = new Filters(data);
    this.map = new HeatMap((place) => this.text(data.cells[place][0]), data.letters, (place) => this.go({ cell: this.text(data.cells[place][0]) }));
    this.blocks = new Blocks(data.nodes, data.looks);
    this.ids = new Map(data.cells.map(([id], place) => [this.text(id), place]));
    this.form = byId("filters");
    this.dialog = byId("cell");
    this.offer();
    this.form.addEventListener("change", () => this.go({}));
    this.form.addEventListener("reset", () => setTimeout(() => this.go({})));
    this.dialog.addEventListener("close", () => this.closed());
    byId("close").addEventListener("click", () => this.dialog.close());
    document.addEventListener("click", (event) => this.follow(event));
    byId("link").addEventListener("click", ({ target }) => copy(target, location.href));
    addEventListener("hashchange", () => this.restore());
    this.form.hidden = false;
    this.restore();
  }

  // A choice for each axis, field and end that has several values.
  offer() {
    for (const [place, filters] of [["of-cell", this.filters.cell], ["of-variant", this.filters.variant]]) {
      for (const { name, values } of filters.filter((filter) => filter.values.length > 1)) {
        const select = element("select", "", new Option("any", ""), ...values.map((value) => new Option(value, value)));
        select.name = name;
        byId(place).append(element("label", "", name.replaceAll("_", "-"), select));
      }
    }
  }

  get selects() {
    return [...this.form.querySelectorAll("select")];
  }

  // Write the state into the address, and show it; `cell` is the id of the one to open.
  go({ cell }) {
    const state = new URLSearchParams(this.selects.filter(({ value }) => value).map(({ name, value }) => [name, value]));
    if (cell) state.set("cell", cell);
    history.replaceState(null, "", `#${state}`);
    this.restore();
  }

  // Show the state that the address has. What it names and the report does not have is left out.
  restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const select of this.selects) {
      const value = state.get(select.name) ?? "";
      select.value = [...select.options].some((option) => option.value === value) ? value : "";
      select.className = select.value && "set";
    }
    const ends = this.filters.apply(Object.fromEntries(this.selects.filter(({ value }) => value).map(({ name, value }) => [name, value])));
    this.map.show(ends);
    const left = ends.filter((end) => end !== null).length;
    byId("matching").textContent = `${left} of ${ends.length} combinations shown`;
    const place = this.ids.get(state.get("cell"));
    if (place !== undefined) this.explain(place);
    else if (this.dialog.open) this.dialog.close();
  }

  // A link to a combination leaves the filters as they are.
  follow(event) {
    const { target, altKey, ctrlKey, metaKey, shiftKey } = event;
    const link = target.closest('a[href^="#cell="]');
    if (!link || altKey || ctrlKey || metaKey || shiftKey) return;
    event.preventDefault();
    this.go({ cell: new URLSearchParams(link.hash.slice(1)).get("cell") });
  }

  explain(place) {
    const [id, versions, , , blocks] = this.data.cells[place];
    this.opened = place;
    if (!this.dialog.open) this.opener = document.activeElement;
    byId("cell-title").textContent = `${this.text(id)}: ${this.verdict(place)}`;
    byId("cell-body").replaceChildren(element("p", "", this.text(versions)), ...this.blocks.all(blocks));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  verdict(place) {
    const number = this.filters.cell.findIndex(({ name }) => name === "verdict");
    return this.filters.cell[number].values[this.data.cells[place][2][number]];
  }

  closed() {
    this.go({});
    const square = this.map.squares[this.opened];
    if (this.opener?.matches("body :not(.panel *)")) this.opener.focus(); // a link
    else if (!square.classList.contains("off")) this.map.focus(square);
  }
}

document.querySelectorAll("main, dialog").forEach(toldHere);
document.querySelectorAll(".cards pre").forEach(copyable);
unpacked(byId("data").textContent).then((data) => new ReportPage(data));
