// What still waits, on the home page of the field. The texts stand in the page, as data of its section.
function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function pressed(text, act, className = "button ghost") {
  const button = element("button", text, className);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

export class OutboxList {
  // dropped: called with an entry that was thrown away.
  constructor(section, outbox, dropped = async () => {}) {
    this.dropped = dropped;
    this.section = section;
    this.texts = section.dataset;
    this.outbox = outbox;
    this.hadSome = false;
  }

  async show() {
    const all = await this.outbox.entries();
    const found = all.filter((entry) => !this.isOthers(entry));
    document.getElementById("others-wait").hidden = found.length === all.length;
    this.section.hidden = !found.length;
    document.getElementById("all-sent").hidden = !(this.hadSome && !found.length);
    this.hadSome = this.hadSome || found.length > 0;
    document.getElementById("outbox-count").textContent = found.length || "";
    document.getElementById("outbox-list").replaceChildren(...found.map((entry) => this.lineOf(entry)));
  }

  lineOf(entry) {
    const line = element("li", "", "waiting");
    const state = this.outbox.stateOf(entry);
    const value = (name) => (entry.fields.find(([field]) => field === name) || [])[1] || "";
    const told = ["happened_on", "product_name", "note", "quantity"].map(value);
    const about = told.filter(Boolean).join(" · ");
    const head = element("p");
    head.append(element("b", entry.title), element("span", ` ${about}`, "soft"));
    const wrong = state === "refused" || state === "conflict";
    line.append(head, element("p", this.texts[state] || this.texts.waiting, wrong ? "error" : "soft"));
    if (state === "refused") line.append(...this.reasons(entry.answer || {}));
    if (state === "conflict") line.append(element("p", entry.answer.message), this.differences(entry.answer));
    line.append(this.actions(entry, state));
    return line;
  }

  // Someone else who signs in on this phone neither sees it nor sends it.
  isOthers(entry) {
    return entry.user !== document.body.dataset.user;
  }

  reasons({ messages = [], errors = {} }) {
    const ofFields = Object.entries(errors).map(([name, texts]) => `${name}：${texts.join(" ")}`);
    return [...messages, ...ofFields].map((text) => element("p", text, "error"));
  }

  differences({ differences = [] }) {
    const table = element("table");
    const head = table.createTHead().insertRow();
    for (const text of ["", this.texts.theirsHead, this.texts.mineHead]) head.append(element("th", text));
    const body = table.createTBody();
    for (const row of differences) {
      const line = body.insertRow();
      for (const text of [row.label, row.theirs || "—", row.mine || "—"]) line.insertCell().textContent = text;
    }
    return table;
  }

  actions(entry, state) {
    const actions = element("p", "", "actions");
    if (state === "conflict") {
      actions.append(pressed(this.texts.mine, () => this.outbox.sendAgainstTheNewer(entry)));
    } else {
      const link = element("a", this.texts.open, "button ghost");
      link.href = `${entry.page}#${entry.key}`;
      actions.append(link);
    }
    actions.append(pressed(this.texts.discard, () => this.discard(entry), "small-button red"));
    return actions;
  }

  async discard(entry) {
    if (!confirm(this.texts.discardSure)) return;
    await this.outbox.drop(entry.key);
    await this.dropped(entry);
    await this.show();
  }
}
