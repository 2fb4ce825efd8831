// Without this file a word of the glossary is a link whose text shows on hover and focus.
// Escape closes it. Where nothing hovers, the first tap shows it and the second follows.
const quiet = (on) => document.documentElement.classList.toggle("modbp-quiet", on);
const word = (event) => event.target.closest?.("a.modbp-term");
let open = null;

document.addEventListener("keydown", (event) => event.key === "Escape" && quiet(true));
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => word(event) && quiet(false));
}
document.addEventListener("click", (event) => {
  const term = word(event);
  if (term && term !== open && matchMedia("(hover: none)").matches) {
    event.preventDefault();
    term.focus();
  }
  open = term;
});
