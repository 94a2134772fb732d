// The search box: what is found while typing lies below it. Arrows choose, Enter opens, Esc closes.

import { Listbox } from "./listbox.js";

for (const box of document.querySelectorAll("[data-search]")) {
  const input = box.querySelector("input");
  const popup = box.querySelector(".search-popup");
  const status = box.querySelector("[role=status]");
  const list = new Listbox(input, popup);

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-haspopup", "listbox");
  input.setAttribute("aria-controls", popup.id);

  const show = (isOpen) => {
    popup.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen && list.options().length > 0));
    if (!isOpen) list.activate(-1);
  };

  show(false);
  input.addEventListener("input", () => {
    list.activate(-1); // what comes next is for another text
    if (!input.value.trim()) {
      window.htmx.trigger(input, "htmx:abort");
      popup.replaceChildren();
      show(false);
    }
  });
  input.addEventListener("focus", () => show(popup.childElementCount > 0));
  popup.addEventListener("htmx:afterSwap", () => {
    const isWanted = document.activeElement === input && input.value.trim() !== "";
    show(isWanted);
    if (isWanted) status.textContent = popup.textContent.trim() && list.options().length ? `${list.options().length} found` : popup.textContent.trim();
  });
  input.addEventListener("keydown", (event) => {
    const mayOpen = event.key === "ArrowDown" && popup.childElementCount > 0;
    if (popup.hidden && !mayOpen) return;
    show(true);
    if (list.walk(event)) return;
    if (event.key === "Escape") {
      event.preventDefault(); // first the list, then what was typed
      show(false);
    } else if (event.key === "Enter" && !event.isComposing && list.active()) {
      event.preventDefault();
      list.active().click();
    }
  });
  // mousedown would take the focus away before the click arrives
  popup.addEventListener("mousedown", (event) => event.preventDefault());
  box.addEventListener("focusout", (event) => {
    if (!box.contains(event.relatedTarget)) show(false);
  });
  input.form.addEventListener("submit", () => show(false));
}
