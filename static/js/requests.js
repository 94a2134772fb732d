// Forms are sent once, and a request that fails says so.

const LONGEST = 90_000; // longer than the server waits for Kartra, so that its own answer comes first
const NO_ANSWER_READ = "No answer from the desk. Check the connection and try again.";
const NO_ANSWER_WRITE = "No answer from the desk. It may or may not have been saved: reload and check before you repeat it.";
const SENTENCES = {
  400: "The desk could not read that request. Nothing was changed. Reload the page and try again.",
  403: "Not allowed, or this page has expired. Nothing was changed. Reload the page and try again.",
  404: "This is no longer here. Nothing was changed. Reload the page.",
  413: "This is too large to send at once. Nothing was changed.",
  429: "Too many requests. Nothing was changed. Wait a moment and try again.",
};
const BROKE_READ = "The desk failed while answering. Nothing was changed. Try again.";
const BROKE_WRITE = "The desk failed while answering. It may or may not have been saved: reload and check before you repeat it.";

window.htmx.config.timeout = LONGEST;
window.htmx.config.defaultSettleDelay = 0; // what was swapped in works at once: a form sent before would leave the page
window.htmx.config.attributesToSettle = ["class"]; // never "style": the policy forbids it, and a resized textarea has one

const toast = (text, kind = "failed") => document.dispatchEvent(new CustomEvent("toast", { detail: { text, kind } }));
const isRead = (detail) => (detail.requestConfig?.verb ?? "get") === "get";

// Sending: the first submit goes, the ones after it wait for its answer.

function start(form) {
  form.dataset.sending = "";
  for (const button of form.querySelectorAll("button[type=submit], button:not([type])")) {
    button.setAttribute("aria-disabled", "true");
  }
}

function finish(form) {
  delete form.dataset.sending;
  for (const button of form.querySelectorAll("button[aria-disabled]")) {
    button.removeAttribute("aria-disabled");
    button.classList.remove("is-sending");
  }
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.dataset.sending !== undefined) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (form.getAttribute("method")?.toLowerCase() !== "post") return; // form.method may be a field of that name
    start(form);
    event.submitter?.classList.add("is-sending");
    // A listener further in may have refused it; htmx marks it prevented too, but answers with htmx:afterRequest.
    setTimeout(() => {
      if (event.defaultPrevented && !form.matches(".htmx-request, [hx-post]")) finish(form);
    });
  },
  true,
);
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt } = event.detail;
  const form = elt.closest("form");
  if (form && (elt === form || !isRead(event.detail))) finish(form); // not what only reads inside it
});
// A button that posts by itself, without a form.
document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt, requestConfig } = event.detail;
  if (requestConfig.verb === "get" || elt.matches("form")) return;
  if (elt.getAttribute("aria-disabled") === "true" && elt.dataset.sending !== undefined) event.preventDefault();
  elt.dataset.sending = "";
  elt.setAttribute("aria-disabled", "true");
});
document.addEventListener("htmx:afterRequest", (event) => {
  const { elt } = event.detail;
  if (elt.matches("form") || elt.dataset.sending === undefined) return;
  delete elt.dataset.sending;
  elt.removeAttribute("aria-disabled");
});
document.addEventListener("htmx:validation:halted", (event) => finish(event.detail.elt));
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sending]").forEach(finish));

// Answers.

function holdsOnlyOutOfBand(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.children].every((element) => element.hasAttribute("hx-swap-oob"));
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const detail = event.detail;
  if (detail.xhr.status < 400) return;
  const html = detail.serverResponse.trimStart();
  const isFragment = html !== "" && (detail.xhr.getResponseHeader("Content-Type") ?? "").startsWith("text/html") && !/^<(!doctype|html)/i.test(html);
  if (!isFragment) return;
  detail.shouldSwap = true;
  detail.isError = false;
  if (holdsOnlyOutOfBand(html)) detail.swapOverride = "none";
  if (detail.swapOverride === "none" || detail.xhr.getResponseHeader("HX-Reswap") === "none") giveUp(detail.requestConfig.elt);
});
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  toast(SENTENCES[status] ?? (isRead(event.detail) ? BROKE_READ : BROKE_WRITE));
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => toast(isRead(event.detail) ? NO_ANSWER_READ : NO_ANSWER_WRITE));
}
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => giveUp(event.detail.elt));
}

// A panel that could not be loaded says so in its place, since its "load" does not come again by itself.
function giveUp(element) {
  const panel = element.closest("[data-loading]");
  if (!panel) return;
  (panel.querySelector(".card-content") ?? panel).textContent = "Could not be loaded. Reload the page to try again.";
}

// Focus. What was refused is read first; whoever pressed something that the answer replaced, or was at it, stays at its
// card.

const cardTitles = new WeakMap();

function stayAtCardOf(element, requestConfig) {
  const card = element.closest("section[aria-labelledby]");
  if (card) cardTitles.set(requestConfig, card.getAttribute("aria-labelledby"));
}

document.addEventListener("htmx:beforeRequest", ({ detail: { elt, requestConfig } }) => {
  const isPressed = ["click", "submit"].includes(requestConfig.triggeringEvent?.type); // and not a page that waits
  if (isPressed) stayAtCardOf(elt, requestConfig);
});
document.addEventListener("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (target.contains(document.activeElement)) stayAtCardOf(document.activeElement, requestConfig);
});
document.addEventListener("htmx:afterSettle", (event) => {
  const refused = event.detail.elt.querySelector("[data-focus]");
  if (refused) {
    refused.focus();
    return;
  }
  const title = document.getElementById(cardTitles.get(event.detail.requestConfig));
  if (!title || document.activeElement !== document.body) return;
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
});
document.querySelector("#main [data-focus]")?.focus();
