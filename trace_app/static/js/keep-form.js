// What was typed is not lost because its page was open for long. Before the form of such a page is sent, the platform
// is asked who is signed in: if nobody is any more, or someone else, or it can't be reached, the form stays where it
// is, chosen files and all, and says what to do.
const OLD_MS = 10 * 60 * 1000;
const words = document.getElementById("not-sent");
// By the clock: a computer that sleeps counts no time of its own.
const opened = Date.now();
const passed = new WeakSet();
let hasBeenLeft = false;

document.addEventListener("visibilitychange", () => {
  hasBeenLeft = hasBeenLeft || document.hidden;
});

/** The answer of the platform, or null where there is none. */
async function whoIsSignedIn() {
  const answer = await fetch(words.dataset.url, { cache: "no-store" }).catch(() => null);
  if (!answer || answer.status >= 500) return null;
  const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
  return answer.ok && isJson ? answer.json() : {};
}

function say(form, name, user) {
  const before = form.querySelector(".not-sent");
  if (before) before.remove();
  const line = words.content.querySelector(`[data-name="${name}"]`).cloneNode(true);
  line.classList.add("not-sent");
  if (user) line.querySelector("b").textContent = user;
  form.prepend(line);
  line.scrollIntoView({ block: "center" });
}

async function send(form, button) {
  const session = await whoIsSignedIn();
  if (!session) return say(form, "away");
  if (!session.user_id) return say(form, "out");
  if (String(session.user_id) !== words.dataset.user) return say(form, "other", session.user);
  for (const token of form.querySelectorAll("input[name=csrf_token]")) token.value = session.csrf_token;
  passed.add(form);
  // Older browsers know no requestSubmit: they send without what the button says, as the Enter key does.
  if (form.requestSubmit) form.requestSubmit(button || undefined);
  else form.submit();
  passed.delete(form);
  return undefined;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || passed.has(form) || form.getAttribute("method") !== "post") return;
  if (!hasBeenLeft && Date.now() - opened < OLD_MS) return;
  event.preventDefault();
  send(form, event.submitter);
});
