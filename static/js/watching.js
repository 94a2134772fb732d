// <div data-watch="address">: an open page asks now and then whether what it shows has changed, until it has.

const EVERY = 30_000;
let last = Date.now();

async function ask() {
  const place = document.querySelector("[data-watch]");
  if (!place || document.visibilityState !== "visible") return;
  last = Date.now();
  let told = "";
  try {
    const answer = await fetch(place.dataset.watch, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    // Signed out meanwhile, it answers with where to go instead. Whoever does something next finds out.
    if (answer.status === 200 && !answer.redirected && !answer.headers.has("HX-Redirect")) told = await answer.text();
  } catch {
    return; // no answer: asked again
  }
  if (!told || !place.isConnected) return;
  place.innerHTML = told;
  delete place.dataset.watch;
}

setInterval(ask, EVERY);
document.addEventListener("visibilitychange", () => {
  if (Date.now() - last >= EVERY) ask();
});
