// Small conveniences; every page works without them.
"use strict";

// <button data-copy="id"> copies the text of that element; it is hidden where there is no clipboard.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.dataset.done = "true";
    setTimeout(() => delete button.dataset.done, 2000);
  });
}

// <input type="checkbox" data-all="name"> ticks all boxes of that name in its form.
for (const box of document.querySelectorAll("[data-all]")) {
  box.hidden = false;
  box.addEventListener("change", () => {
    for (const other of box.form.querySelectorAll(`input[type=checkbox][name="${box.dataset.all}"]`)) other.checked = box.checked;
  });
}
