// Loaded before the page is painted, so that a chosen theme never flashes. "system" is the absence of a choice.
(() => {
  const root = document.documentElement;

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden: then the system's theme holds
    }
  }

  function apply(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  function mark() {
    const current = root.dataset.theme || "system";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === current));
    }
  }

  root.dataset.js = "";
  apply(stored());
  document.addEventListener("DOMContentLoaded", mark);
  window.addEventListener("storage", () => {
    apply(stored());
    mark();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    const theme = button.dataset.themeChoice;
    try {
      if (theme === "system") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // it holds until the page is left
    }
    apply(theme);
    mark();
  });
})();
