"use strict";

// Each heading becomes a button that sorts its table by that column, and reverses the order when
// pressed again. The sums of the other entries stay in the table's foot.
const said = document.getElementById("sorted");

const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

function compare(one, other, numeric) {
  if (one === "" || other === "") return 0;
  return numeric ? one - other : one.localeCompare(other, undefined, { numeric: true });
}

function sort(table, heading) {
  const numeric = heading.classList.contains("number");
  const last = heading.getAttribute("aria-sort");
  const order = (last ? last === "descending" : !numeric) ? "ascending" : "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const column = heading.cellIndex;
  const rows = [...table.tBodies[0].rows].map(row => [valueOf(row, column), row]);
  rows.sort(([one], [other]) =>
    (one === "") - (other === "") || sign * compare(one, other, numeric));
  table.tBodies[0].append(...rows.map(([, row]) => row));
  said.textContent = `${table.caption.textContent.trim()}: by ${heading.textContent.trim()}, ${order}`;
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading));
    heading.append(button);
  }
}
