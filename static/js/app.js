// The keys of every page, the user menu, copying, times that say how long ago, and signing out of all tabs.

const search = document.getElementById("search");
const keys = document.getElementById("keys");
const openMenus = () => document.querySelectorAll("details[data-menu][open]");

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
// Who presses the key that leads to the search while being there already means no slash.
const isThere = (event) => event.key === "/" && event.target === search && !search.value;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) && !isThere(event)) return;
  if (document.querySelector("dialog[open]") || !search) return;
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?") {
    event.preventDefault();
    keys.showModal();
  }
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) {
    for (const menu of openMenus()) menu.open = false;
    keys.showModal();
  }
});

// Menus: each a <details>, so it works without this; Esc, a click elsewhere and a choice close it.

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[hx-get]");
  for (const menu of openMenus()) {
    if (!menu.contains(event.target) || (choice && menu.contains(choice))) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest("details[data-menu][open]");
  if (event.key !== "Escape" || !menu) return;
  event.preventDefault();
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("focusout", (event) => {
  const menu = event.target.closest("details[data-menu][open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// Filters that are folded on a phone: <button data-unfold="id of the form">

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-unfold]");
  if (!button) return;
  const isUnfolded = document.getElementById(button.dataset.unfold).classList.toggle("is-unfolded");
  button.setAttribute("aria-expanded", String(isUnfolded));
});

// <input type="checkbox" data-tick-all>: all the others of its form

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-tick-all]")) return;
  for (const box of event.target.form.querySelectorAll("td.is-tick input")) box.checked = event.target.checked;
});

// Copying: <button data-copy="text">

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  let text = "Copied";
  let kind = "neutral";
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    text = "The browser did not allow copying. Select the text and copy it by hand.";
    kind = "failed";
  }
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind } }));
});

// <time datetime="..." data-relative>: text such as "8 s ago", the exact value on hover

const UNITS = [["day", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

function ago(moment) {
  const seconds = Math.max(0, Math.round((Date.now() - moment) / 1000));
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["s", 1];
  const count = Math.floor(seconds / size);
  return `${count} ${unit === "day" && count !== 1 ? "days" : unit} ago`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    time.title ||= time.textContent.trim();
    time.textContent = ago(Date.parse(time.dateTime));
  }
}

refresh();
setInterval(refresh, 10_000);
document.addEventListener("htmx:load", refresh);

// Signing out takes what the other tabs show off the screen, too: to the page that asks, or to the sign-in.

const signOuts = new BroadcastChannel("sign-out");
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-sign-out]")) signOuts.postMessage("");
});
signOuts.addEventListener("message", () => {
  const form = document.querySelector("form[data-sign-out]");
  if (form) window.location.replace(form.action);
});
