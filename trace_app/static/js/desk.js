// Answers while one types; without it the button does the same.
const input = document.getElementById("desk-search");
const hits = document.getElementById("desk-hits");
let waiting = 0;
let asked = 0;

input.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const turn = ++asked;
    const answer = await fetch(`${input.dataset.url}?q=${encodeURIComponent(input.value)}`).catch(() => null);
    // An answer that comes after a later one is of no use.
    if (answer && answer.ok && turn === asked) hits.innerHTML = await answer.text();
  }, 120);
});
