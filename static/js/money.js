// The refund dialog: a full refund has no amount to type. What will happen is told by the server while one types.

function fit(form) {
  const { amount, much } = form.elements;
  if (amount) amount.disabled = much.value === "full"; // kept for whoever goes back to a part, but not sent
  return amount;
}

function fitAll() {
  for (const form of document.querySelectorAll("[data-refund]")) fit(form);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-refund]");
  if (!form || event.target.name !== "much") return;
  const amount = fit(form);
  if (!amount.disabled) amount.focus();
});
document.addEventListener("htmx:load", fitAll);
fitAll();
