// <select data-picker> becomes a combobox with search while typing. The select stays in the form, hidden and in step,
// and fires "change". The text field takes over the select's id, so that labels and links still find it.

const SHOWN = 50;
let serial = 0;

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

class Picker {
  constructor(select) {
    const held = document.activeElement === select; // a dialog may have focused it before it was hidden
    this.select = select;
    this.multiple = select.multiple;
    this.choices = [...select.options]
      .filter((option) => option.value !== "")
      .map((option) => ({
        option,
        label: option.label,
        folded: fold(option.label),
        note: option.dataset.note ?? (option.parentElement.label || ""),
      }));
    this.blank = [...select.options].find((option) => option.value === "");
    this.found = [];
    this.active = -1;
    this.build();
    this.show();
    if (held) this.input.focus();
  }

  build() {
    const select = this.select;
    const id = select.id || `picker-${++serial}`;
    const labelled = select.labels[0]?.textContent.trim() || select.getAttribute("aria-label") || select.dataset.placeholder || "Choose";
    const listId = `${id}-list`;
    this.input = make("input", {
      type: "text", class: "picker-input", id, role: "combobox", autocomplete: "off", spellcheck: "false",
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId,
      "aria-label": select.labels.length ? null : labelled,
      "aria-describedby": select.getAttribute("aria-describedby"),
      "aria-invalid": select.getAttribute("aria-invalid"),
      "aria-required": select.required ? "true" : null,
    });
    this.placeholder = select.dataset.placeholder ?? "";
    this.input.disabled = select.disabled;
    this.input.autofocus = select.autofocus;
    this.chips = make("div", { class: "chips", role: "group", "aria-label": "Chosen" });
    this.list = make("ul", { id: listId, class: "picker-list", role: "listbox", tabindex: "-1", "aria-label": "Choices", "aria-multiselectable": this.multiple ? "true" : null });
    this.more = make("p", { class: "picker-note" });
    this.popup = make("div", { class: "picker-popup", popover: "manual" }, this.list, this.more);
    this.status = make("span", { class: "sr-only", role: "status" });
    this.box = make("div", { class: "picker-box" }, this.chips, this.input);

    select.required = false; // a hidden field cannot show the browser's own complaint; the server's is shown
    select.hidden = true;
    select.id = `${id}-select`;
    select.dataset.pickerReady = "";
    this.root = make("div", { class: this.multiple ? "picker is-multiple" : "picker" });
    select.replaceWith(this.root);
    this.root.append(select, this.box, this.popup, this.status);

    this.input.addEventListener("input", () => this.open());
    this.input.addEventListener("click", () => this.open());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusout", (event) => {
      if (!this.root.contains(event.relatedTarget)) this.leave();
    });
    this.box.addEventListener("click", (event) => {
      const remove = event.target.closest(".chip-remove");
      if (remove) this.drop(this.choices[Number(remove.dataset.index)]);
      else if (event.target !== this.input) this.input.focus();
    });
    // mousedown would take the focus away before the click arrives
    this.popup.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-index]");
      if (item) this.choose(this.found[Number(item.dataset.index)]);
    });
    select.form?.addEventListener("reset", () => setTimeout(() => this.show()));
  }

  // Search

  search() {
    const words = fold(this.query()).split(/\s+/).filter(Boolean);
    const open = this.multiple ? this.choices.filter((choice) => !choice.option.selected) : this.choices;
    const usable = open.filter((choice) => !choice.option.disabled);
    if (!words.length) return usable;
    const hits = usable.filter((choice) => words.every((word) => choice.folded.includes(word)));
    const first = words.join(" ");
    return hits.filter((choice) => choice.folded.startsWith(first)).concat(hits.filter((choice) => !choice.folded.startsWith(first)));
  }

  // A single picker holds its choice as text; untouched, that text is no search.
  query() {
    const chosen = this.multiple ? null : this.chosen()[0];
    return chosen && this.input.value === chosen.label ? "" : this.input.value;
  }

  open() {
    const found = this.search();
    this.found = found.slice(0, SHOWN);
    this.list.replaceChildren(
      ...this.found.map((choice, index) => {
        const item = make("li", {
          role: "option", class: "picker-option", id: `${this.list.id}-${index}`, "data-index": index,
          "aria-selected": String(choice.option.selected),
        }, choice.label);
        if (choice.note) item.append(make("span", { class: "muted" }, choice.note));
        return item;
      }),
    );
    this.list.hidden = this.found.length === 0;
    this.more.hidden = found.length > 0 && found.length <= SHOWN;
    this.more.textContent = found.length ? `${SHOWN} of ${found.length.toLocaleString("en")} shown. Type to narrow.` : this.nothing();
    this.status.textContent = found.length ? `${found.length} found` : this.nothing();
    if (!this.isOpen()) {
      this.popup.showPopover();
      for (const type of ["scroll", "resize"]) window.addEventListener(type, this.place, true);
    }
    this.place();
    this.input.setAttribute("aria-expanded", "true");
    this.activate(this.query() && this.found.length ? 0 : -1);
  }

  isOpen() {
    return this.popup.matches(":popover-open");
  }

  // The list lies above everything, dialogs too, so it is put where its field is: below, or above where there is more room.
  place = () => {
    const box = this.box.getBoundingClientRect();
    const below = window.innerHeight - box.bottom;
    const isAbove = below < this.popup.offsetHeight + 8 && box.top > below;
    Object.assign(this.popup.style, {
      left: `${box.left}px`,
      width: `${box.width}px`,
      top: isAbove ? "auto" : `${box.bottom + 4}px`,
      bottom: isAbove ? `${window.innerHeight - box.top + 4}px` : "auto",
    });
  };

  nothing() {
    if (this.query()) return "No matches.";
    return this.choices.length ? "All are chosen." : "There is nothing to choose from.";
  }

  close() {
    if (this.isOpen()) this.popup.hidePopover();
    for (const type of ["scroll", "resize"]) window.removeEventListener(type, this.place, true);
    this.input.setAttribute("aria-expanded", "false");
    this.activate(-1);
  }

  activate(index) {
    this.list.querySelector(".is-active")?.classList.remove("is-active");
    this.active = index;
    const item = this.list.children[index];
    if (!item) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    item.classList.add("is-active");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  key(event) {
    const isOpen = this.isOpen();
    const last = this.found.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) this.open();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = this.active + step;
      this.activate(next > last ? 0 : next < 0 ? this.found.length - 1 : next);
    } else if (isOpen && (event.key === "PageDown" || event.key === "PageUp")) {
      event.preventDefault();
      this.activate(Math.max(0, Math.min(last, this.active + (event.key === "PageDown" ? 8 : -8))));
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault(); // never sends the form while choosing
      if (this.active >= 0) this.choose(this.found[this.active]);
      else this.close();
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault(); // closes the list, not the dialog around it
      event.stopPropagation();
      if (this.multiple) this.input.value = "";
      this.close();
    } else if (event.key === "Backspace" && this.multiple && this.input.value === "") {
      const chosen = this.chosen();
      if (chosen.length) this.drop(chosen.at(-1));
    }
  }

  // Choosing

  chosen() {
    return this.choices.filter((choice) => choice.option.selected);
  }

  choose(choice) {
    choice.option.selected = true;
    this.changed(`${choice.label} chosen`);
    this.close(); // so that the list covers nothing below, and Enter sends the form; typing opens it again
  }

  drop(choice) {
    choice.option.selected = false;
    this.changed(`${choice.label} taken off`);
    this.input.focus();
    if (this.isOpen()) this.open();
  }

  leave() {
    this.close();
    if (!this.multiple && this.input.value.trim() === "" && this.blank && this.chosen().length) {
      this.blank.selected = true;
      this.changed("");
    }
    this.show(); // free text is not kept
  }

  changed(sentence) {
    this.show();
    this.status.textContent = sentence;
    this.select.dispatchEvent(new Event("input", { bubbles: true }));
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  show() {
    const chosen = this.chosen();
    this.input.value = this.multiple ? "" : (chosen[0]?.label ?? "");
    this.input.placeholder = this.multiple && chosen.length ? "" : this.placeholder;
    this.chips.hidden = !this.multiple || chosen.length === 0;
    if (!this.multiple) return;
    this.chips.replaceChildren(
      ...chosen.map((choice) => {
        const remove = make("button", { type: "button", class: "chip-remove", "aria-label": `Remove ${choice.label}`, "data-index": this.choices.indexOf(choice) }, "×");
        return make("span", { class: "chip" }, `${choice.label} `, remove);
      }),
    );
  }
}

function enhance(root) {
  for (const select of root.querySelectorAll("select[data-picker]:not([data-picker-ready])")) new Picker(select);
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.detail.elt.parentElement ?? document));
