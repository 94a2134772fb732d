// Ctrl-K: the pages of the menu, the acts found on the page ([data-command]), "Find lead", and the leads found meanwhile.

import { Listbox } from "./listbox.js";

const dialog = document.getElementById("palette");
const input = document.getElementById("palette-input");
const drawn = document.getElementById("palette-commands");
const leads = document.getElementById("palette-leads");
const search = document.getElementById("search");
const list = new Listbox(input, document.getElementById("palette-list"));
let commands = [];
let found = [];

function gather() {
  const acts = [...document.querySelectorAll("[data-command]")].map((element) => ({
    label: element.dataset.command || element.textContent.trim(),
    note: "On this page",
    run: () => {
      element.focus();
      element.click();
    },
  }));
  const pages = [...document.querySelectorAll(".menu-items .menu-item")].map((link) => ({
    label: `Go to ${link.textContent.trim()}`,
    note: "Page",
    run: () => link.click(),
  }));
  return [...acts, ...pages];
}

function draw() {
  const text = input.value.trim();
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  found = commands.filter((command) => words.every((word) => command.label.toLowerCase().includes(word)));
  if (text) {
    found.push({
      label: `Find lead “${text}”`,
      note: "Search",
      run: () => {
        search.value = text;
        search.form.requestSubmit();
      },
    });
  } else {
    window.htmx.trigger(input, "htmx:abort");
    leads.replaceChildren();
  }
  drawn.replaceChildren(
    ...found.map((command, index) => {
      const item = document.createElement("div");
      item.className = "picker-option";
      item.id = `palette-${index}`;
      item.dataset.index = index;
      item.setAttribute("role", "option");
      const note = document.createElement("span");
      note.className = "muted";
      note.textContent = command.note;
      item.append(command.label, note);
      return item;
    }),
  );
  list.activate(0);
}

function run(option) {
  if (!option) return;
  dialog.close();
  if (option.dataset.index === undefined) option.click();
  else found[Number(option.dataset.index)].run();
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (!search || document.querySelector("dialog[open]:not(#palette)")) return;
  event.preventDefault();
  if (dialog.open) {
    dialog.close();
    return;
  }
  commands = gather();
  input.value = "";
  draw();
  dialog.showModal();
  input.focus();
});
input.addEventListener("input", draw);
input.addEventListener("keydown", (event) => {
  if (list.walk(event)) return;
  if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    run(list.active());
  }
});
drawn.addEventListener("click", (event) => {
  run(event.target.closest("[data-index]"));
});
// A choice among leads that a new answer took away falls back to what stands first.
leads.addEventListener("htmx:afterSwap", () => {
  if (!list.active()) list.activate(0);
});
// A click beside it closes it: nothing typed here is worth keeping.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
