// Elements, and the blocks of the page model, as blocks.html writes them. Every text is foreign: it is set as text, never as
// HTML. harness/report/cell_data.py says what the data is.
"use strict";
const byId = (id) => document.getElementById(id);

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// A button beside each block that is worth a copy.
function copyButton(text) {
  const button = element("button", "", "Copy");
  button.type = "button";
  button.addEventListener("click", () => copy(button, text));
  return button;
}

const labels = new WeakMap(); // button → what stands on it when nothing is told
const timers = new WeakMap();

async function copy(button, text) {
  if (!labels.has(button)) labels.set(button, button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    tell(button, "Copied");
  } catch {
    tell(button, "Select and copy by hand");
  }
  clearTimeout(timers.get(button));
  timers.set(button, setTimeout(() => tell(button, ""), 2000));
}

// On the button, and for those who hear the page: what is behind an open dialog is not read out.
function tell(button, words) {
  button.textContent = words || labels.get(button);
  (button.closest("dialog") ?? document.querySelector("main")).querySelector(":scope > .told").textContent = words;
}

function toldHere(place) {
  const made = element("p", "told");
  made.setAttribute("role", "status");
  place.append(made);
}

function copyable(pre) {
  const place = element("div", "copied");
  pre.replaceWith(place);
  place.append(pre, copyButton(pre.textContent));
}

class Blocks {
  constructor(nodes, looks) {
    this.nodes = nodes;
    this.looks = looks;
  }

  all(place) {
    return this.nodes[place].map((block) => this.block(this.nodes[block]));
  }

  block([kind, ...parts]) {
    const name = this.nodes[kind];
    switch (name) {
      case "section": return element("section", "", element("h3", "", ...this.line(parts[0])), ...this.all(parts[1]));
      case "details": return element("details", "", element("summary", "", ...this.line(parts[0])), ...this.all(parts[1]));
      case "p": return element("p", "", ...this.line(parts[0]));
      case "pre": return this.quote(parts[0]);
      case "ul": return element("ul", "", ...parts.map((item) => this.item(this.nodes[item])));
      default: return this.table(parts);
    }
  }

  quote(place) {
    const text = this.nodes[place].map((line) => this.nodes[line]).join("\n");
    return element("div", "copied", element("pre", "", text), copyButton(text));
  }

  item([line, blocks]) {
    return element("li", "", ...this.line(line), ...this.all(blocks));
  }

  table([header, ...rows]) {
    const scoped = (scope, line) => {
      const cell = element("th", "", ...this.line(line));
      cell.scope = scope;
      return cell;
    };
    const row = ([first, ...rest]) =>
      element("tr", "", scoped("row", first), ...rest.map((line) => element("td", "", ...this.line(line))));
    const head = element("tr", "", ...this.nodes[header].map((line) => scoped("col", line)));
    const table = element("table", "", element("thead", "", head), element("tbody", "", ...rows.map((place) => row(this.nodes[place]))));
    const wide = element("div", "wide", table);
    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", "table");
    return wide;
  }

  line(place) {
    return this.nodes[place].flatMap((piece) => this.span(this.nodes[piece]));
  }

  span(piece) {
    if (typeof piece === "string") return [piece];
    const [look, status, text] = piece.map((place) => this.nodes[place]);
    const name = { code: "code", strong: "strong", emphasis: "em" }[look] ?? "span";
    const made = element(name, status && `status ${this.looks[status]}`, text);
    if (look !== "code") return [made];
    if (/^logs\/[a-z]+-[0-9a-f]{12}\.log$/.test(text)) {
      const link = element("a", "", text);
      link.href = text;
      return [link];
    }
    return text.includes(" ") ? [made, " ", copyButton(text)] : [made]; // a command
  }
}
