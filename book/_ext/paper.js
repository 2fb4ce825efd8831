// What is wider than the page is made smaller as a whole. Returns what could not be.
async () => {
  for (const image of document.images) image.loading = "eager";
  await MathJax.startup.promise;
  await document.fonts.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  const room = (element) => element.parentElement.getBoundingClientRect();
  // First measure, then change: each change would make the whole book be laid out anew.
  const smaller = [];
  for (const formula of document.querySelectorAll("mjx-container[display=true]")) {
    const inner = formula.querySelector("mjx-math"), width = room(formula).width;
    const taken = Math.max(inner.getBoundingClientRect().width, formula.scrollWidth);
    if (taken > width) smaller.push(() => formula.style.fontSize = `${(97 * width) / taken}%`);
  }
  for (const table of document.querySelectorAll("table")) {
    const width = room(table).width, taken = table.getBoundingClientRect().width;
    if (taken > width + 1) smaller.push(() => table.style.zoom = (0.98 * width) / taken);
  }
  for (const change of smaller) change();
  const page = document.documentElement.clientWidth, wrong = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("mjx-assistive-mml") || element.parentElement.closest("svg, mjx-math")) continue;
    const { left, right, width, height } = element.getBoundingClientRect();
    if (!width || !height || !element.checkVisibility()) continue;
    if (left >= -1 && right <= page + 1) continue;
    const where = element.closest("article")?.id ?? "front";
    wrong.push(`${where}: <${element.localName} class="${element.getAttribute("class") ?? ""}"> ` +
      `from ${Math.round(left)} to ${Math.round(right)} of ${page}: ${element.textContent.slice(0, 60)}`);
  }
  return wrong;
}
