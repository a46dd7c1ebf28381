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

// <form data-assignment="address of the preview">: a field of the phone is one entry's. Choosing one that is in use takes it from the entry that
// had it, and says so (rule 24); what the phone will show follows at once.
for (const form of document.querySelectorAll("[data-assignment]")) {
  const said = form.querySelector("[data-said]");
  const shown = document.querySelector("[data-preview]");
  const selects = [...form.querySelectorAll("select[data-kind]")];
  let asking = new AbortController();
  form.addEventListener("change", async ({ target }) => {
    if (!selects.includes(target)) return;
    said.textContent = "";
    for (const other of selects) {
      if (other === target || !target.value || other.dataset.kind !== target.dataset.kind || other.value !== target.value) continue;
      const words = { "{entry}": other.dataset.entry, "{slot}": other.selectedOptions[0].textContent };
      said.textContent = said.dataset.said.replace(/\{entry\}|\{slot\}/g, (word) => words[word]);
      other.value = "";
    }
    asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams(selects.map((select) => [select.name, select.value]));
    try {
      const answer = await fetch(`${form.dataset.assignment}?${query}`, { signal: asking.signal });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown.replaceChildren(...page.body.childNodes);
    } catch (error) {
      if (error.name !== "AbortError") shown.replaceChildren();
    }
  });
}

// Rows of links that are wider than a phone begin where the page stands.
for (const here of document.querySelectorAll("nav [aria-current=page]")) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 48;
