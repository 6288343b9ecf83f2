"use strict";
// Sorts tables by the column whose head is pressed, and shows only the rows that hold all words of a filter. On paper all rows stand.
const words = new Intl.Collator("en", { numeric: true });

// An amount and its unit; numeric collation would take 1.45 for more than 1.5.
function amount(text) {
  const found = /^(-?[0-9][0-9,]*(?:\.[0-9]+)?)(.*)$/.exec(text);
  return found && { value: Number(found[1].replaceAll(",", "")), unit: found[2] };
}

function compare(one, other) {
  const [first, second] = [amount(one), amount(other)];
  if (first && second && first.unit === second.unit) return first.value - second.value;
  return words.compare(one, other);
}

function sortable(table, rows) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((one, other) => sign * compare(one.cells[head.cellIndex].textContent, other.cells[head.cellIndex].textContent));
      table.tBodies[0].append(...rows);
    });
  }
}

function filterable(table, rows) {
  const line = document.createElement("p");
  line.className = "filter";
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "search";
  label.append("Filter: ", input);
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  line.append(label, " ", told);
  table.closest(".scroll").before(line);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const show = () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) row.hidden = !wanted.every((word) => texts.get(row).includes(word));
    told.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  input.addEventListener("input", show);
  show();
}

for (const table of document.querySelectorAll("main table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) continue;
  sortable(table, rows);
  filterable(table, rows);
}
