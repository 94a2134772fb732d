// The one dialog that links fill (hx-target="#dialog-body"). It opens after the swap, closes by Esc, [data-close] or
// the event "close-dialog" (sent as HX-Trigger), and gives the focus back to what opened it.

const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
const toasts = document.getElementById("toasts");
let opener = null;
let openerId = "";

const closes = (event) => event.detail.xhr.getResponseHeader("HX-Trigger")?.includes("close-dialog") ?? false;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target !== body || dialog.open) return;
  opener = event.detail.elt;
  openerId = opener.id;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== body || dialog.open || closes(event) || body.childElementCount === 0) return;
  dialog.showModal();
});

// An answer that closes the dialog has nothing for its body; what it brings out of band is still placed.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === body && closes(event)) event.detail.swapOverride = "none";
});

function close() {
  if (dialog.open) dialog.close();
}

// The browser says "close" a little later: by then it may be open again, or on its way to be.
dialog.addEventListener("close", () => {
  if (dialog.open) return;
  body.replaceChildren();
  const back = opener?.isConnected ? opener : document.getElementById(openerId);
  const folded = back?.closest("details:not([open])"); // it stood in a menu that is closed by now
  (folded?.querySelector("summary") ?? back ?? document.getElementById("main")).focus();
});

document.addEventListener("close-dialog", close);
document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-close]");
  if (!element || !element.closest("dialog")) return; // as a page of its own the link goes where it points
  event.preventDefault();
  element.closest("dialog").close();
});

// Whoever had to confirm that it is him, on the way to a dialog, comes back with the dialog's address behind the "#".
document.addEventListener("htmx:load", () => {
  const wanted = window.location.hash.slice(1);
  const links = wanted ? document.querySelectorAll("[hx-get][hx-target='#dialog-body']") : [];
  const link = [...links].find((element) => element.getAttribute("hx-get") === wanted);
  if (!link) return;
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  setTimeout(() => link.click()); // when htmx has taken all of what was loaded in hand
});

// What lies under a modal dialog is inert, so the toasts move into whichever is open.
new MutationObserver(() => {
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  const home = open ?? document.body;
  if (toasts.parentElement !== home) home.append(toasts);
}).observe(document.body, { attributes: true, attributeFilter: ["open"], subtree: true });
