// Ctrl-K: the pages of the menu, the acts found on the page ([data-command]) and "Find lead".

const dialog = document.getElementById("palette");
const input = document.getElementById("palette-input");
const list = document.getElementById("palette-list");
const search = document.getElementById("search");
let commands = [];
let found = [];
let active = 0;

function gather() {
  const acts = [...document.querySelectorAll("[data-command]")].map((element) => ({
    label: element.dataset.command || element.textContent.trim(),
    note: "On this page",
    run: () => {
      element.focus();
      element.click();
    },
  }));
  const pages = [...document.querySelectorAll(".menu-item")].map((link) => ({
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
  }
  list.replaceChildren(
    ...found.map((command, index) => {
      const item = document.createElement("li");
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
  activate(0);
}

function activate(index) {
  active = index;
  [...list.children].forEach((item, at) => {
    item.classList.toggle("is-active", at === index);
    item.setAttribute("aria-selected", String(at === index));
  });
  const item = list.children[index];
  item?.scrollIntoView({ block: "nearest" });
  if (item) input.setAttribute("aria-activedescendant", item.id);
  else input.removeAttribute("aria-activedescendant");
}

function run(command) {
  if (!command) return;
  dialog.close();
  command.run();
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
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    activate((active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length);
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    run(found[active]);
  }
});
list.addEventListener("click", (event) => {
  const item = event.target.closest("[data-index]");
  if (item) run(found[Number(item.dataset.index)]);
});
// A click beside it closes it: nothing typed here is worth keeping.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
