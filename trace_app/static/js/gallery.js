// Photos of a page open within it: one at a time, with what it shows and when. Where the browser has no dialogs, their
// links lead to them.
const viewer = document.getElementById("viewer");
const shots = Array.from(document.querySelectorAll("a.shot"));
const picture = viewer.querySelector("img");
const [caption, day] = viewer.querySelectorAll("figcaption span");
const place = viewer.querySelector("output");
const [before, after, leave] = viewer.querySelectorAll("button");
const SWIPED_PX = 40;
let at = 0;

function show(number) {
  at = Math.min(Math.max(number, 0), shots.length - 1);
  const shot = shots[at];
  const section = shot.closest("section");
  const small = shot.querySelector("img");
  // What was shown goes first: on a slow line it would stand over the words of the next.
  picture.removeAttribute("srcset");
  picture.removeAttribute("src");
  picture.sizes = "100vw";
  picture.srcset = shot.dataset.widths || "";
  picture.src = shot.href;
  picture.alt = small.alt;
  caption.textContent = small.alt;
  day.textContent = section ? section.querySelector("h3").textContent : "";
  place.textContent = `${at + 1} / ${shots.length}`;
  before.disabled = at === 0;
  after.disabled = at === shots.length - 1;
}

function enlarge(event, href) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(shots.findIndex((shot) => shot.href === href));
  viewer.showModal();
  // Back closes it, as people are used to.
  if (!history.state || !history.state.photo) history.pushState({ photo: true }, "");
}

if (viewer.showModal) {
  for (const link of document.querySelectorAll("a.shot, a.see")) {
    link.addEventListener("click", (event) => enlarge(event, link.href));
  }
  before.addEventListener("click", () => show(at - 1));
  after.addEventListener("click", () => show(at + 1));
  leave.addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => {
    if (history.state && history.state.photo) history.back();
  });
  addEventListener("popstate", () => viewer.open && viewer.close());
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  let from = 0;
  viewer.addEventListener("touchstart", (event) => {
    from = event.touches.length === 1 ? event.touches[0].clientX : NaN;
  });
  viewer.addEventListener("touchend", (event) => {
    // Enlarged by two fingers, it is moved about by one.
    if (window.visualViewport && window.visualViewport.scale > 1.05) return;
    const moved = event.changedTouches[0].clientX - from;
    if (Math.abs(moved) > SWIPED_PX) show(at + (moved < 0 ? 1 : -1));
  });
}
