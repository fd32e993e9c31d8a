"""Each role opens every page that it comes to by links, and sends every form that it finds: once without its fields,
once empty, once filled in.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from flask import Flask

from tests.pages import Form, Page
from tests.world import WITHOUT_TOKEN, Browser, World
from trace_app.demo import build
from trace_app.error_pages import MEANINGS
from trace_app.extensions import db

HERE = "http://localhost"
ALIKE = 2
"""How many pages are opened of those whose addresses differ by numbers and codes alone; of files, one."""
KNOWN_REFUSALS = {409, 422}
ROLES = ["nobody", "buyer", "laboratory", "producer", "county", "city", "administrator"]
SIGN_IN = {"producer": "banqiao", "county": "luoping", "administrator": "qujing", "laboratory": "lab", "buyer": "buyer"}


def _browser(app: Flask, role: str) -> Browser:
    world = World(app)
    if role == "nobody":
        return world.client()
    if role == "city":
        return world.client(world.regulator("530300"))
    client = app.test_client()
    answer = client.post("/login", data={"email": SIGN_IN[role], "password": build.PASSWORD})
    assert answer.status_code == 302, role
    return client


def _pattern(address: str) -> str:
    """An address without what tells one lot, label or link of a kind from another."""
    parts = urlsplit(address)
    segments = [
        "N" if part.isdigit() else "X" if re.search(r"\d", part) and len(part) > 9 else part
        for part in parts.path.split("/")
    ]
    names = sorted({pair.split("=")[0] for pair in parts.query.split("&") if pair})
    return "/".join(segments) + ("?" + "&".join(names) if names else "")


def _ours(page: str, address: str) -> str | None:
    """The address on this platform that a link leads to; None for others and for what is no page."""
    if address.startswith(("tel:", "mailto:", "data:", "sms:")):
        return None
    whole = urldefrag(urljoin(HERE + page, address))[0]
    for home in (HERE, "http://127.0.0.1:8000"):
        if whole.startswith(home + "/"):
            return whole.removeprefix(home)
    return None


class Crawl:
    """A role's way through the platform; ``faults`` says what went wrong where."""

    _public_files: ClassVar[set[str]] = set()
    """Files that were opened without an account; they are the same for everyone."""

    def __init__(self, client: Browser, code: str, *, public: bool) -> None:
        self._client, self._public = client, public
        self._at_hand = {"code": code, "codes": code}
        self._seen: Counter[str] = Counter()
        self._sent: set[tuple[str, str, str]] = set()
        self.pages: dict[str, Page] = {}
        self.forms = 0
        self.faults: list[str] = []

    def look(self, start: str) -> None:
        """Open whatever can be reached by links, but for the other language and files that are alike."""
        waiting, known = deque([(start, "")]), {start}
        while waiting:
            address, came_from = waiting.popleft()
            pattern = _pattern(address)
            is_file = "." in urlsplit(address).path
            if (
                pattern in self._public_files
                or self._seen[pattern] >= (1 if is_file else ALIKE)
                or "lang=" in address
                or pattern == "/logout"
            ):
                continue
            self._seen[pattern] += 1
            if is_file and self._public:
                self._public_files.add(pattern)
            page = self._open(address, came_from)
            if page is None:
                continue
            self.pages[address] = page
            self.faults += [f"{address}: {tag} can't be read" for tag in page.broken]
            for link in page.links:
                to = _ours(address, link)
                if to is not None and to not in known:
                    known.add(to)
                    waiting.append((to, address))

    def _open(self, address: str, came_from: str) -> Page | None:
        """A page, or nothing for what is none."""
        answer = self._client.get(address)
        for _turn in range(5):
            if answer.status_code not in {301, 302, 303, 307, 308}:
                break
            to = _ours(address, answer.location)
            if to is None:
                return None
            if urlsplit(to).path == "/login" and urlsplit(address).path != "/login":
                self.faults.append(f"{came_from}: the link {address} asks to sign in")
                return None
            answer = self._client.get(to)
        if answer.status_code != 200:
            self.faults.append(f"{came_from}: the link {address} gives {answer.status_code}")
            return None
        return Page(answer.text) if answer.mimetype == "text/html" else None

    def send_all(self) -> None:
        for address in list(self.pages):
            for number, form in enumerate(self.pages[address].forms):
                self._send(address, number, form)

    def _send(self, address: str, number: int, form: Form) -> None:
        action = _ours(address, form.action or address)
        assert action is not None, (address, form.action)
        names = ",".join(sorted({re.sub(r"\d+", "N", one.name) for one in form.fields}))
        kind = (_pattern(address) if not form.is_a_button else "", _pattern(action), names)
        if kind in self._sent or action == "/logout":
            return
        self._sent.add(kind)
        self.forms += 1
        asks = form.method == "POST" and not WITHOUT_TOKEN.search(urlsplit(action).path)
        if asks and not any(one.name == "csrf_token" and one.value for one in form.fields):
            self.faults.append(f"{address}: the form to {action} has no token")
        for state in ("bare", "empty", "filled in"):
            if state != "empty" and form.is_a_button:
                continue
            # As it stands there now: what was sent before may have changed it.
            again = Page(self._client.get(address).text)
            if number >= len(again.forms) or again.forms[number].action != form.action:
                return
            self._try(address, action, again.forms[number], state)

    def _try(self, address: str, action: str, form: Form, state: str) -> None:
        data = form.data(filled=state == "filled in", known=self._at_hand)
        if state == "bare":
            # As a program would send it that knows an older form.
            data = {name: values for name, values in data.items() if name == "csrf_token"}
        if form.method == "POST":
            kind = "multipart/form-data" if form.multipart else "application/x-www-form-urlencoded"
            answer = self._client.post(action, data=data, content_type=kind, headers={"Referer": HERE + address})
        else:
            answer = self._client.get(urlsplit(action).path, query_string=data)
        where = f"{address}: the form to {action}, {state}"
        if answer.status_code in {302, 303, 307}:
            to = _ours(action, answer.location)
            if to is not None and to.startswith("/login") and action != "/login":
                self.faults.append(f"{where}: asks to sign in")
            elif to is not None and self._client.get(to).status_code not in {200, 302, 307}:
                self.faults.append(f"{where}: leads to {to}, which is none")
        elif answer.status_code in KNOWN_REFUSALS:
            page = Page(answer.text) if answer.mimetype == "text/html" else None
            if page and not self._speaks_both(page):
                self.faults.append(f"{where}: the other language leads nowhere")
            if page and not page.reasons and (page.forms or page.title.strip() in map(str, MEANINGS.values())):
                self.faults.append(f"{where}: refused without a reason, {page.alerts}, {sorted(page.marked)}")
        elif answer.status_code != 200:
            self.faults.append(f"{where}: gives {answer.status_code} {Page(answer.text).title.strip()}")

    def _speaks_both(self, page: Page) -> bool:
        """Whether a page that a form came back on has its link to the other language, and it leads to a page."""
        switches = [link for link in page.links if "lang=" in link]
        answers = [self._client.get(link, follow_redirects=True).status_code for link in switches]
        self._client.delete_cookie("lang")
        return bool(switches) and {200, *KNOWN_REFUSALS}.issuperset(answers)


@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_and_every_form_is_taken_or_says_why_not(demo: Flask, role: str) -> None:
    crawl = Crawl(_browser(demo, role), next(_starts(demo)).removeprefix("/"), public=role == "nobody")
    crawl.look("/" if role == "nobody" else "/start")
    if role == "nobody":
        for start in _starts(demo):
            crawl.look(start)
    assert len(crawl.pages) > 5
    crawl.send_all()
    assert crawl.forms >= 3
    assert not crawl.faults, "\n" + "\n".join(crawl.faults)


def _starts(app: Flask) -> Iterator[str]:
    """Where people come in without a link on a page: labels, delivery notes, messages about recalls."""
    from trace_app.batches.models import Batch
    from trace_app.flow.shipments.models import Shipment
    from trace_app.labels.models import LabelRun
    from trace_app.labels.service import code_of
    from trace_app.recall_tasks.models import RecallTask

    with app.app_context():
        states: dict[str, str] = {}
        for run in db.session.scalars(db.select(LabelRun).join(Batch)):
            states.setdefault(f"{run.batch.state} {run.level} {run.has_pin}", f"/{code_of(run, 0)}")
        shipments = db.session.scalars(db.select(Shipment).where(Shipment.withdrawn_at.is_(None)))
        codes = [f"/receive/{one.receipt_code}" for one in shipments]
        tokens = [f"/recall-tasks/{token}" for token in db.session.scalars(db.select(RecallTask.token))]
    yield from states.values()
    yield from codes[-3:]
    yield from tokens[:3]
