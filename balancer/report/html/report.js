// SPDX-License-Identifier: Apache-2.0
// Tables can be sorted by their headings. Without this script they stand as they are, and nothing else is lost. Neither
// "less than" nor "and" signs stand in it: the report is well-formed XML with the script inside.
"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  if (!(body.rows.length > 1)) continue;
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
    const number = Number.parseFloat(text.replaceAll(",", ""));
    return heads[column].classList.contains("num") ? (Number.isNaN(number) ? -Infinity : number) : text;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b || 0 : a.localeCompare(b, "en", { numeric: true }));

  heads.forEach((head, column) => {
    if (head.dataset.fixed !== undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending" || (head.getAttribute("aria-sort") === null ? head.classList.contains("num") : false);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const rows = Array.from(body.rows, (row) => ({ row, key: value(row, column) }));
      rows.sort((a, b) => (falling ? compare(b.key, a.key) : compare(a.key, b.key)));
      body.append(...rows.map((r) => r.row));
    });
  });
}
