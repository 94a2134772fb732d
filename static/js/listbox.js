// Walking a list of options from the field above it: arrows choose, the field keeps the focus.

export class Listbox {
  constructor(input, holder) {
    this.input = input;
    this.holder = holder;
  }

  options() {
    return [...this.holder.querySelectorAll("[role=option]")];
  }

  active() {
    return this.options().find((option) => option.classList.contains("is-active"));
  }

  // The option at this place; none for a place where there is none.
  activate(index) {
    const options = this.options();
    options.forEach((option, at) => {
      option.classList.toggle("is-active", at === index);
      option.setAttribute("aria-selected", String(at === index));
    });
    const option = options[index];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  // Whether the key was one that walks.
  walk(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return false;
    event.preventDefault();
    const options = this.options();
    const step = event.key === "ArrowDown" ? 1 : -1;
    const at = options.indexOf(this.active());
    if (options.length) this.activate(at < 0 && step < 0 ? options.length - 1 : (at + step + options.length) % options.length);
    return true;
  }
}
