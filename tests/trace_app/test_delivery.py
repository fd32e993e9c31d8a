"""E-mail and webhooks about findings, to real servers."""

import hashlib
import hmac
import itertools
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
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
from trace_app.extensions import db, jobs
from trace_app.messages import delivery, outgoing
from trace_app.messages.models import Delivery, DeliveryStatus


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[bytes] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server, _session, envelope) -> str:
        self.letters.append(envelope.content)
        return self.answer


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
    with world.app.app_context():
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
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::a00:1", False),
        ("2002:a00:1::", False),
        ("2002:808:808::1", True),
        ("::a00:1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
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


class Dripping:
    """A receiver that sends one byte of its answer's head each 0.1 s, and never ends."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            connection, _from = self.server.accept()
            with connection:
                for byte in itertools.chain(b"HTTP/1.1 200 OK\r\nX: ", itertools.repeat(120)):
                    if self.done.wait(0.1):
                        return
                    connection.sendall(bytes([byte]))

    def close(self) -> None:
        self.done.set()
        # Wakes the thread where nobody has called.
        with suppress(OSError), socket.create_connection(self.server.getsockname(), timeout=1):
            self.thread.join()
        self.server.close()


def test_a_receiver_that_never_ends_its_answer_is_left_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "DEADLINE_S", 0.5)
    slow = Dripping()
    try:
        address = f"http://127.0.0.1:{slow.server.getsockname()[1]}/"
        with pytest.raises(outgoing.NoAnswer):
            outgoing.post(address, b"{}", {}, private_hosts=frozenset({"127.0.0.1"}))
        assert not slow.done.is_set()
    finally:
        slow.close()


@pytest.mark.parametrize(("status", "again"), [(400, False), (404, False), (410, False), (408, True), (429, True)])
def test_another_try_is_made_only_where_it_can_help(world: World, hook: Hook, status: int, again: bool) -> None:
    actor = world.producer()
    world.client(actor).post("/messages", data={"type": "webhook", "target": hook.url, "least_severity": "block"})
    _break_a_rule(world, actor)
    hook.status = status
    [row] = _deliver(world)
    assert row.status is (DeliveryStatus.WAITING if again else DeliveryStatus.FAILED)
    assert f"HTTP {status}" in row.failure


@pytest.mark.parametrize(("answer", "again"), [("550 no such person", False), ("451 later", True)])
def test_a_letter_refused_for_good_is_not_sent_again(
    world: World, mailbox: tuple[Mailbox, int], answer: str, again: bool
) -> None:
    mailbox[0].answer = answer
    actor = world.producer()
    world.client(actor).post("/messages", data={"type": "email", "target": "a@example.org", "least_severity": "block"})
    _break_a_rule(world, actor)
    [row] = _deliver(world)
    assert row.status is (DeliveryStatus.WAITING if again else DeliveryStatus.FAILED)


def test_a_mail_server_has_to_show_whose_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[object] = []

    class Server(smtplib.SMTP):
        def __init__(self, *_arguments: object, **_named: object) -> None: ...

        def __exit__(self, *_arguments: object) -> None: ...

        def starttls(self, *, context: ssl.SSLContext | None = None) -> Any:
            said.append((context.verify_mode, context.check_hostname) if context else None)

        def send_message(self, *_arguments: object, **_named: object) -> Any: ...

    monkeypatch.setattr(smtplib, "SMTP", Server)
    app = app_for(settings_for(tmp_path, smtp_host="mail.example"))
    set_up(app)
    world = World(app)
    actor = world.producer()
    world.client(actor).post("/messages", data={"type": "email", "target": "a@example.org", "least_severity": "block"})
    _break_a_rule(world, actor)
    assert [row.status for row in _deliver(world)] == [DeliveryStatus.SENT]
    assert said == [(ssl.CERT_REQUIRED, True)]


def test_recall_tasks_and_letters_do_not_wait_behind_slow_receivers(world: World) -> None:
    """Each has a consumer of its own."""
    queues = {function.__name__: queue for function, queue in jobs._queues.items()}
    assert queues["call"] != queues["post_letter"]
    assert queues["tell_everyone"] not in {queues["call"], queues["post_letter"]}
    slow = Dripping()
    try:
        actor = world.producer()
        target = f"http://127.0.0.1:{slow.server.getsockname()[1]}/"
        client = world.client(actor)
        client.post("/messages", data={"type": "webhook", "target": target, "least_severity": "block"})
        client.post("/messages", data={"type": "email", "target": "a@example.org", "least_severity": "block"})
        world.app.config["JOBS_IMMEDIATE"] = False
        jobs.init_app(world.app, world.app.config["SETTINGS"])
        _break_a_rule(world, actor)
        with world.app.app_context():
            delivery.deliver_due()
            assert (jobs.waiting(queues["call"]), jobs.waiting(queues["post_letter"])) == (1, 1)
            jobs.work_off(world.app, queues["post_letter"])
        with world.app.app_context():
            sent = db.session.scalars(db.select(Delivery.status).order_by(Delivery.id)).all()
        assert sorted(sent) == [DeliveryStatus.SENT, DeliveryStatus.WAITING]
    finally:
        slow.close()


@pytest.mark.parametrize(
    "target", ["https://127.0.0.2/", "https://[::1]/", "https://0x7f000002/", "https://2130706434/"]
)
def test_a_private_address_is_refused_when_it_is_entered(world: World, target: str) -> None:
    client = world.client(world.producer())
    answer = client.post("/messages", data={"type": "webhook", "target": target, "least_severity": "warn"})
    assert answer.status_code == 422
    assert "内部网络" in answer.text
    assert target in answer.text


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
