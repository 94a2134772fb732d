// <input type="file" data-max-mb="50">: a file that is too large is told before it travels.

document.addEventListener("change", (event) => {
  const field = event.target;
  if (!field.matches?.("input[type=file][data-max-mb]")) return;
  const most = Number(field.dataset.maxMb);
  const isTooLarge = (field.files[0]?.size ?? 0) > most * 1024 * 1024;
  field.setCustomValidity(isTooLarge ? `This file is larger than ${most} MB. Split it.` : "");
  field.reportValidity();
});
