// A form whose photos are sent after it: made small and kept here first, then sent by whatever page comes next. Where
// nothing can be kept they go with the form.
import { keepPhotos, openPhotoStore, TO_COME } from "./photo-keeping.js";

function hidden(name, value) {
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = name;
  input.value = value;
  return input;
}

async function sendLater(form, input) {
  const words = form.querySelector(".photo-words");
  const say = (number, count) => {
    words.hidden = false;
    words.textContent = words.dataset.preparing.replace("{number}", number).replace("{count}", count);
  };
  const keys = await keepPhotos(openPhotoStore(), Array.from(input.files), say);
  for (const key of keys) form.append(hidden(TO_COME, key));
  input.value = "";
}

for (const words of document.querySelectorAll("form .photo-words")) {
  const form = words.closest("form");
  // What has an outbox of its own keeps its photos itself.
  if (form.id === "entry") continue;
  const input = form.querySelector("input[type=file][name=photos]");
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !input.files.length) return;
    const already = form.querySelectorAll(`input[name=${TO_COME}]`).length;
    if (input.files.length + already > Number(words.dataset.most)) return;
    event.preventDefault();
    if (form.dataset.preparing) return;
    form.dataset.preparing = "1";
    sendLater(form, input)
      .catch(() => {})
      .then(() => {
        delete form.dataset.preparing;
        return form.requestSubmit ? form.requestSubmit(event.submitter || undefined) : form.submit();
      });
  });
}
