"""E-mail and webhooks about findings, to real servers."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask import Flask

from tests.conftest import app_for, set_up, settings_for
from tests.world import SPRAYED, Actor, World
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.messages import delivery, outgoing
from trace_app.messages.models import Delivery, DeliveryStatus


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, _server, _session, envelope) -> str:
        self.letters.append(envelope.content)
        return "250 OK"


class Hook(HTTPServer):
    """A webhook's other end, with the status that it answers with."""

    def __init__(self) -> None:
        hook = self
        self.status = 200
        self.calls: list[tuple[dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.calls.append((dict(self.headers), body))
                self.send_response(hook.status)
                if hook.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def world(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> World:
    settings = settings_for(
        tmp_path, smtp_host="127.0.0.1", smtp_port=mailbox[1], smtp_tls=False, webhook_private_hosts=["127.0.0.1"]
    )
    app: Flask = app_for(settings)
    set_up(app)
    return World(app)


def _break_a_rule(world: World, actor: Actor) -> int:
    batch_id = world.batch(actor, lot_number="BAD-1")
    world.record(actor, batch_id, "pesticide", **SPRAYED | {"active_ingredient": "毒死蜱"})
    world.client(actor).get(f"/batches/{batch_id}")
    return batch_id


def _deliver(world: World) -> list[Delivery]:
    with world.app.app_context():
        delivery.deliver_due()
        return list(db.session.scalars(db.select(Delivery).order_by(Delivery.id)))


def test_regulator_and_producer_are_told_by_mail_and_webhook(
    world: World, hook: Hook, mailbox: tuple[Mailbox, int]
) -> None:
    actor, officer, far = world.producer(), world.regulator("530324"), world.regulator("530323")
    add = {"least_severity": "warn"}
    world.client(officer).post("/messages", data=add | {"type": "email", "target": "Officer@example.org"})
    world.client(actor).post("/messages", data=add | {"type": "webhook", "target": hook.url})
    world.client(far).post("/messages", data=add | {"type": "email", "target": "far@example.org"})
    _break_a_rule(world, actor)
    assert {row.status for row in _deliver(world)} == {DeliveryStatus.SENT}
    [letter] = [message_from_bytes(raw, policy=policy.default) for raw in mailbox[0].letters]
    assert letter["To"] == "Officer@example.org"
    assert "BAD-1" in letter["Subject"]
    assert "不得用于蔬菜" in letter.get_content()
    [(headers, body)] = hook.calls
    found = json.loads(body)
    assert (found["rule"], found["severity"], found["lot_number"]) == ("restricted", "block", "BAD-1")
    assert "vegetables" in found["words"]["en"]["message"]
    with world.app.app_context():
        secret = db.session.scalar(db.text("SELECT secret FROM channels WHERE type = 'webhook'"))
    moment, digest = (part.split("=")[1] for part in headers["Trace-Signature"].split(","))
    assert digest == hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert len(_deliver(world)) == 2
    assert len(hook.calls) == 1


def test_what_fails_is_tried_again_later_and_given_up_in_the_end(world: World, hook: Hook) -> None:
    actor = world.producer()
    client = world.client(actor)
    client.post("/messages", data={"type": "webhook", "target": hook.url, "least_severity": "warn"})
    _break_a_rule(world, actor)
    hook.status = 500
    for attempt in range(1, len(delivery.BREAKS) + 2):
        [row] = _deliver(world)
        assert row.attempts == attempt
        [row] = _deliver(world)
        assert row.attempts == attempt
        assert "HTTP 500" in row.failure
        with world.writing():
            db.session.get_one(Delivery, row.id).due_at = utc_now() - timedelta(seconds=1)
    assert row.status is DeliveryStatus.FAILED
    assert "发送失败" in client.get("/messages").text
    assert len(hook.calls) == 6


def test_a_second_attempt_that_works_is_the_last(world: World, hook: Hook) -> None:
    actor = world.producer()
    world.client(actor).post("/messages", data={"type": "webhook", "target": hook.url, "least_severity": "block"})
    _break_a_rule(world, actor)
    hook.status = 302
    [row] = _deliver(world)
    assert row.status is DeliveryStatus.WAITING
    hook.status = 204
    with world.writing():
        db.session.get_one(Delivery, row.id).due_at = utc_now() - timedelta(seconds=1)
    [row] = _deliver(world)
    assert (row.status, row.failure, len(hook.calls)) == (DeliveryStatus.SENT, "", 2)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("webhook", "http://example.org/x"),
        ("webhook", "https://user:pw@example.org/"),
        ("webhook", "ftp://example.org"),
        ("webhook", "https://[x"),
        ("email", "nobody"),
        ("email", "a@b@c"),
        ("pigeon", "x"),
        ("webhook", ""),
        ("webhook", "https://example.org/" + "x" * 300),
    ],
)
def test_a_target_that_cannot_be_is_refused(world: World, kind: str, target: str) -> None:
    client = world.client(world.producer())
    assert client.post("/messages", data={"type": kind, "target": target, "least_severity": "warn"}).status_code == 422


def test_channels_are_ones_own_and_not_endless(world: World) -> None:
    one, other = world.client(world.producer()), world.client(world.producer())
    values = {"type": "email", "target": "a@example.org", "least_severity": "warn"}
    assert [one.post("/messages", data=values).status_code for _ in range(11)] == [302] * 10 + [422]
    assert other.post("/messages/1/remove").status_code == 404
    assert one.post("/messages/1/remove").status_code == 302


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.1.2.3/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "http://example.org/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
    ],
)
def test_nothing_private_is_reached(url: str) -> None:
    with pytest.raises(outgoing.NotAllowed):
        outgoing.post(url, b"{}", {})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:224.0.0.1", False),
        ("::ffff:100.64.0.1", False),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("ff0e::1", False),
        ("::1", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert outgoing.is_public(address) is public


class Names:
    """What names lead to, one look-up after another, and what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[tuple[str, int]] = []
        self._really = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host not in self.answers:
            return self._really(host, port, *args, **kwargs)
        self.asked.append((host, port))
        if not self.answers[host]:
            raise socket.gaierror("no such name")
        found = self.answers[host].pop(0)
        return [entry for address in found for entry in self._really(address, port, *args, **kwargs)]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.mark.parametrize("found", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["::ffff:10.0.0.1"]])
def test_a_name_with_a_private_address_among_its_own_is_not_reached(names: Names, found: list[str]) -> None:
    names.answers["hook.example"] = [found]
    with pytest.raises(outgoing.NotAllowed):
        outgoing.post("https://hook.example/", b"{}", {})


def test_the_connection_goes_to_the_address_that_was_checked(names: Names, hook: Hook) -> None:
    names.answers["hook.example"] = [["127.0.0.1"]]
    address = f"http://hook.example:{hook.server_port}/hook"
    outgoing.post(address, b"{}", {}, private_hosts=frozenset({"hook.example"}))
    assert names.asked == [("hook.example", hook.server_port)]
    assert hook.calls[0][0]["Host"] == f"hook.example:{hook.server_port}"


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", ""])
def test_only_https_is_spoken_but_for_hosts_of_the_settings(names: Names, scheme: str) -> None:
    names.answers["hook.example"] = [["8.8.8.8"]]
    with pytest.raises(outgoing.NotAllowed):
        outgoing.post(f"{scheme}://hook.example/", b"{}", {})
    if scheme != "http":
        with pytest.raises(outgoing.NotAllowed):
            outgoing.post(f"{scheme}://hook.example/", b"{}", {}, private_hosts=frozenset({"hook.example"}))
    assert names.asked == []


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://hook.example/", 443), ("http://hook.example/", 80), ("https://hook.example:8443/", 8443)],
)
def test_an_address_without_a_port_means_that_of_its_scheme(names: Names, url: str, port: int) -> None:
    names.answers["hook.example"] = []
    with pytest.raises(outgoing.NoAnswer):
        outgoing.post(url, b"{}", {}, private_hosts=frozenset({"hook.example"}))
    assert names.asked == [("hook.example", port)]


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    done = threading.Event()

    class Endless(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "1000000000")
            self.end_headers()
            self.wfile.write(b"x" * 5_000)
            self.wfile.flush()
            done.wait()

        def log_message(self, *_arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    try:
        private = frozenset({"127.0.0.1"})
        outgoing.post(f"http://127.0.0.1:{server.server_port}/", b"{}", {}, private_hosts=private)
    finally:
        done.set()
        thread.join()
        server.server_close()


def test_without_a_mail_server_mail_waits(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path))
    set_up(app)
    world = World(app)
    actor = world.producer()
    client = world.client(actor)
    client.post("/messages", data={"type": "email", "target": "a@example.org", "least_severity": "warn"})
    assert "还没有设置邮件服务器" in client.get("/messages").text
    _break_a_rule(world, actor)
    [row] = _deliver(world)
    assert row.status is DeliveryStatus.WAITING
    assert row.failure
