// Toasts: sent by the server out of band into #toasts, or by our scripts as a "toast" event
// (detail: text, kind). One goes after 10 seconds unless somebody is on it. None takes the focus.

const STAY = 10_000;
const region = document.getElementById("toasts");

function dismiss(toast) {
  const held = toast.contains(document.activeElement);
  toast.remove();
  if (held) document.getElementById("main").focus();
}

function watch(toast) {
  if (toast.dataset.watched !== undefined) return;
  toast.dataset.watched = "";
  // What is newer about the same thing takes the place of what was said before.
  if (toast.dataset.about) {
    for (const older of region.querySelectorAll(`[data-about="${toast.dataset.about}"]`)) {
      if (older !== toast) dismiss(older);
    }
  }
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => dismiss(toast), STAY);
  };
  const stop = () => clearTimeout(timer);
  const leave = () => {
    if (!toast.matches(":hover, :focus-within")) wait();
  };
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("pointerleave", leave);
  toast.addEventListener("focusout", () => setTimeout(leave));
  // An answered Undo has done its work; a refused one stays beside the reason.
  toast.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.detail.xhr.status < 400) dismiss(toast);
  });
  wait();
}

function show({ text, kind = "neutral" }) {
  const toast = document.getElementById("toast-template").content.cloneNode(true).querySelector("[data-toast]");
  toast.classList.replace("is-neutral", `is-${kind}`);
  toast.querySelector(".toast-text").textContent = text;
  region.append(toast);
}

new MutationObserver(() => region.querySelectorAll("[data-toast]").forEach(watch)).observe(region, { childList: true, subtree: true });
region.querySelectorAll("[data-toast]").forEach(watch);

document.addEventListener("toast", (event) => show(event.detail));
region.addEventListener("click", (event) => {
  const close = event.target.closest("[data-toast-close]");
  if (close) dismiss(close.closest("[data-toast]"));
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const last = region.querySelector("[data-toast]:last-of-type");
  if (last) dismiss(last);
});
