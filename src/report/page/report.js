"use strict";

// A click on a column's head sorts its table; a second click turns the order. Cells without a number come last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const table = head.closest("table");
    const column = head.cellIndex;
    const isNumber = head.classList.contains("number");
    const old = head.getAttribute("aria-sort");
    const descending = old ? old === "ascending" : isNumber;
    const value = (row) => {
      const text = row.cells[column].textContent;
      return isNumber ? parseFloat(text.replaceAll(",", "")) : text;
    };
    const rows = [...table.tBodies[0].rows].sort((one, two) => {
      const [a, b] = [value(one), value(two)];
      if (!isNumber) return (descending ? -1 : 1) * a.localeCompare(b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return descending ? b - a : a - b;
    });
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  });
}

const block = document.getElementById("shown");
if (block) {
  const { pictures, faces } = JSON.parse(block.textContent);
  const at = (id) => document.getElementById(id);
  const image = (face, key) => faces[face].images.find((one) => one[0] === key);

  const show = (element, face, key) => {
    element.src = pictures[image(face, key)[2]];
    element.classList.toggle("lr", key === "lr");
  };
  const showError = (element, face, key) => {
    element.replaceChildren();
    for (const one of [key, "hr"]) {
      const picture = new Image();
      show(picture, face, one);
      element.append(picture);
    }
  };
  for (const element of document.querySelectorAll("img[data-key]")) show(element, +element.dataset.face, element.dataset.key);
  for (const element of document.querySelectorAll(".error[data-key]")) showError(element, +element.dataset.face, element.dataset.key);

  const [face, left, right, cut, stage] = ["face", "left", "right", "cut", "stage"].map(at);
  const fill = (select, options, wanted) => {
    select.replaceChildren(...options.map(([value, words]) => new Option(words, value)));
    select.value = options.some(([value]) => value === wanted) ? wanted : options.at(-1)[0];
  };
  const draw = () => {
    const hasLr = image(+face.value, "lr") !== undefined;
    at("lr").hidden = !hasLr;
    if (hasLr) show(at("lr-picture"), +face.value, "lr");
    show(at("hr-picture"), +face.value, "hr");
    for (const [select, side, picture] of [[left, "left", at("over")], [right, "right", at("under")]]) {
      const [key, title, , score] = image(+face.value, select.value);
      show(picture, +face.value, key);
      picture.alt = title;
      at(`${side}-name`).textContent = title;
      showError(at(`${side}-error`), +face.value, key);
      at(`${side}-score`).textContent = ["error of " + title, score].filter(Boolean).join(", ");
    }
  };
  const choose = (number, leftKey, rightKey) => {
    const options = faces[number].images.map(([key, title]) => [key, title]);
    face.value = String(number);
    fill(left, options, leftKey);
    fill(right, options, rightKey);
    draw();
  };
  const move = (share) => {
    cut.value = String(share);
    stage.style.setProperty("--cut", `${cut.value}%`);
  };

  fill(face, faces.map((one, number) => [String(number), one.title]), "0");
  const results = faces[0].images.filter(([key]) => key.startsWith("sr:")).map(([key]) => key);
  choose(0, results[0], results.length > 1 ? results.at(-1) : "hr");
  face.addEventListener("change", () => choose(+face.value, left.value, right.value));
  left.addEventListener("change", draw);
  right.addEventListener("change", draw);
  cut.addEventListener("input", () => move(cut.value));
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    move(100 * (event.clientX - box.left) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => event.buttons && follow(event));
  for (const button of document.querySelectorAll(".pick")) {
    button.addEventListener("click", () => {
      const key = button.dataset.key;
      choose(+button.dataset.face, key, right.value === key ? "hr" : right.value);
      at("slider").scrollIntoView();
    });
  }
}
