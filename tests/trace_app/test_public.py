import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import brotli
import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image
from sqlalchemy import event

from tests.conftest import app_for, set_up, settings_for
from tests.world import PASSWORD, SPRAYED, TOKEN, World, photo
from trace_app.extensions import db
from trace_app.labels import service as labels
from trace_app.media.models import Photo

pytestmark = pytest.mark.either_database

BUDGET = 35 * 1024


def _ginger(world: World, sprayed_on: str = "2025-09-15") -> tuple[int, str]:
    actor = world.producer(name="板桥姜业")
    batch_id = world.batch(actor, lot_number="LP-0417", product_name="罗平小黄姜")
    world.record(actor, batch_id, "pesticide", **SPRAYED | {"happened_on": sprayed_on})
    world.complete(actor, batch_id)
    world.record(
        actor, batch_id, "video", happened_on="2025-07-20", note="第二次培土", video_url="https://video.example.com/1"
    )
    assert world.client(actor).post(f"/batches/{batch_id}/release").status_code == 302
    return batch_id, world.code(world.run(actor, batch_id))


def test_the_trace_page_tells_what_a_consumer_asks(world: World) -> None:
    _batch, code = _ginger(world)
    page = world.client().get(f"/{code}").text
    for part in (
        "来源可查 · 未被召回",
        "罗平小黄姜",
        "板桥姜业",
        "曲靖市罗平县板桥镇",
        "LP-0417",
        "8,600 公斤",
        "海拔 1480 米",
        "苯醚甲环唑 10% 水分散粒剂",
        "PD20990002",
        "已过 52 天",
        "须 14 天",
        "采收量 8600 公斤",
        "第二次培土",
        'href="https://video.example.com/1"',
        "1 次",
        "52 天",
    ):
        assert part in page, part


def test_it_is_complete_in_english(world: World) -> None:
    _batch, code = _ginger(world)
    page = world.client(language="en-GB,en;q=0.9").get(f"/{code}").text
    assert '<html lang="en">' in page
    for part in (
        "not recalled",
        "Banqiao Town, Luoping County, Qujing City",
        "52 days kept",
        "14 required",
        "Harvest",
        "last use to harvest",
    ):
        assert part in page, part
    ours = re.sub(r"<title>.*?</title>|<meta[^>]*>|<style>.*?</style>", "", page, flags=re.S)
    for entered in (
        "罗平小黄姜",
        "板桥姜业",
        SPRAYED["product_name"],
        SPRAYED["active_ingredient"],
        SPRAYED["target"],
        "第二次培土",
        "中文",
    ):
        ours = ours.replace(entered, "")
    assert not re.findall(r"[\u4e00-\u9fff]+", re.sub(r"基地 \d+", "", ours))


def test_the_language_is_switched_and_kept(world: World) -> None:
    _batch, code = _ginger(world)
    client = world.client()
    assert 'lang="zh-CN"' in client.get(f"/{code}").text
    assert "not recalled" in client.get(f"/{code}?lang=en").text
    assert "not recalled" in client.get(f"/{code}").text
    assert 'lang="zh-CN"' in client.get(f"/{code}?lang=zh").text
    assert client.get(f"/{code}?lang=xx").status_code == 200


def test_an_interval_that_was_not_kept_is_red(world: World) -> None:
    actor = world.producer()
    batch_id, code = world.labelled(actor)
    world.record(actor, batch_id, "pesticide", **SPRAYED | {"happened_on": "2025-11-01"})
    page = world.client().get(f"/{code}").text
    assert '<span class="tag bad">只过 5 天' in page


def test_a_corrected_record_is_shown_once_as_it_now_stands(world: World) -> None:
    actor = world.producer()
    batch_id, code = world.labelled(actor)
    record_id = world.record(actor, batch_id, "pesticide", **SPRAYED)
    world.client(actor).post(
        f"/field/records/{record_id}/correct", data=SPRAYED | {"dose": "33", "correction_reason": "更正"}
    )
    page = world.client().get(f"/{code}").text
    assert "33 克/亩" in page
    assert "40 克/亩" not in page


def test_a_closed_batch_keeps_its_page(world: World) -> None:
    actor = world.producer()
    batch_id, code = world.labelled(actor)
    world.client(actor).post(f"/batches/{batch_id}/close")
    page = world.client().get(f"/{code}")
    assert page.status_code == 200
    assert "售完结束" in page.text


def test_no_cache_may_show_it_without_asking(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    answer = world.client().get(f"/{code}")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {"Accept", "Accept-Language", "Cookie"} <= set(answer.vary)


def test_it_runs_without_script_and_its_policy_allows_none_inline(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    answer = world.client().get(f"/{code}")
    # One describes the page for machines; the other, a file of ours, only remembers that its text was made larger.
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert len(scripts) == 2
    assert re.search(r'type="module" src="/static/[^"]*larger-text[^"]*"', scripts[0])
    assert scripts[1] == '<script type="application/ld+json">'
    assert "style=" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "'unsafe" not in policy
    assert "sha256-" in policy


def test_the_first_load_is_under_35_kb_over_the_wire(world: World) -> None:
    """With pictures, as a phone fetches them: page, icon and every thumbnail, lazy ones included."""
    actor = world.producer()
    batch_id = world.batch(actor)
    client = world.client(actor)
    with world.app.app_context():
        product = db.session.get_one(labels.Batch, batch_id).product_id
    client.post(f"/products/{product}/photos", data={"photos": [(io.BytesIO(photo()), "a.jpg")]})
    for number in range(25):
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"happened_on": f"2025-06-{number + 1:02d}"})
    world.complete(actor, batch_id)
    client.post(f"/batches/{batch_id}/release")
    code = world.code(world.run(actor, batch_id))
    answer = world.client().get(f"/{code}", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert answer.headers["Content-Encoding"] == "br"
    total = len(answer.data) + sum(len(f"{k}: {v}\r\n") for k, v in answer.headers)
    for path in set(re.findall(r'(?:src|rel="icon" href)="([^"]+)"', brotli.decompress(answer.data).decode())):
        total += len(world.client().get(path).data)
    assert total < BUDGET


class Pictured(NamedTuple):
    """A lot with photos: its page, and their names."""

    path: str
    product: list[str]
    many: list[str]
    one: str


def _noisy(seed: int) -> tuple[bytes, str]:
    """A photo whose small sizes have as many bytes as any."""
    out = io.BytesIO()
    noise = Image.effect_noise((200, 150), 60 + seed).convert("RGB")
    noise.resize((1600, 1200), Image.Resampling.NEAREST).save(out, "JPEG", quality=10)
    return out.getvalue(), f"{seed}.jpg"


class TestPhotos:
    @pytest.fixture
    def pictured(self, world: World) -> Pictured:
        """A released lot with five photos of its product, five of one day's record and one of another's."""
        actor = world.producer()
        batch_id = world.batch(actor)
        client = world.client(actor)
        with world.app.app_context():
            product = db.session.get_one(labels.Batch, batch_id).product_id
        files = [(io.BytesIO(data), name) for data, name in map(_noisy, range(5))]
        assert client.post(f"/products/{product}/photos", data={"photos": files}).status_code == 302
        for day, seeds in (("2025-06-01", range(5, 10)), ("2025-06-20", [10])):
            files = [(io.BytesIO(data), name) for data, name in map(_noisy, seeds)]
            data = {"happened_on": day, "note": "除草", "photos": files}
            assert world.enter(client, batch_id, "care", **data).status_code == 302
        world.complete(actor, batch_id)
        client.post(f"/batches/{batch_id}/release")
        with world.app.app_context():
            names = list(db.session.scalars(db.select(Photo.name).order_by(Photo.id)))
        return Pictured("/" + world.code(world.run(actor, batch_id)), names[:5], names[5:10], names[10])

    def test_all_are_on_the_page_with_what_they_show_and_those_of_one_day_fold(
        self, world: World, pictured: Pictured
    ) -> None:
        page = world.client().get(pictured.path).text
        for name in (*pictured.product, *pictured.many, pictured.one):
            assert f'href="/media/{name}.webp"' in page
            assert page.count(f"/media/{name}-small.webp") == 1
            assert f"/media/{name}-middle.webp 800w, /media/{name}.webp 1600w" in page
        gallery = page[page.index('id="photos"') : page.index('class="time"')]
        assert "照片：6 张" in gallery
        # The latest day comes first, and says what was done.
        days = re.findall(r"<h3><time[^>]*>([^<]+)", gallery)
        assert days == ["2025年6月20日", "2025年6月1日"]
        assert gallery.count("<figcaption>日常管护<") == 6
        assert gallery.index(pictured.many[2]) < gallery.index("这一天还有 2 张") < gallery.index(pictured.many[3])

    def test_in_english_too(self, world: World, pictured: Pictured) -> None:
        page = world.client().get(f"{pictured.path}?lang=en").text
        assert "<summary>6 photos</summary>" in page
        assert "2 more of this day" in page

    def test_many_of_them_leave_the_first_load_under_35_kb_until_someone_taps(
        self, world: World, pictured: Pictured
    ) -> None:
        client = world.client()
        answer = client.get(pictured.path, headers={"Accept-Encoding": "br"})
        page = brotli.decompress(answer.data).decode()
        # What is folded is loaded when it is opened, where browsers wait with it.
        assert len(re.findall(r"<img[^>]*-small\.webp[^>]*loading=\"lazy\"", page)) == 10
        total = len(answer.data) + sum(len(f"{k}: {v}\r\n") for k, v in answer.headers)
        at_once = re.findall(r'<(?:script|img)(?![^>]*loading="lazy")[^>]*?\ssrc="([^"]+)"', page)
        assert len(at_once) == 3
        total += sum(len(client.get(path).data) for path in at_once)
        assert 0 < total < BUDGET

    def test_a_size_that_a_photo_has_not_is_not_found(self, world: World, pictured: Pictured) -> None:
        client = world.client()
        with world.app.app_context():
            db.session.execute(db.update(Photo).filter_by(name=pictured.one).values(middle_width=None))
            db.session.commit()
        name = pictured.product[0]
        # A thumbnail of noise is smaller than others, to be as light.
        for size, pixels in (("-small", (120, 120)), ("-middle", (800, 600)), ("", (1600, 1200))):
            served = Image.open(io.BytesIO(client.get(f"/media/{name}{size}.webp").data))
            assert (served.size, served.format, dict(served.getexif())) == (pixels, "WEBP", {})
        assert client.get(f"/media/{name}-large.webp").status_code == 404
        # One of before has two sizes, and the page names no third.
        assert f"{pictured.one}-middle" not in client.get(pictured.path).text


class TestCodes:
    @pytest.mark.parametrize(
        "typing",
        [
            lambda code: code.lower(),
            lambda code: f" {code[0]} {code[1:5]} {code[5:9]} {code[9:]} ",
            lambda code: "-".join(code),
            lambda code: code.replace("0", "O").replace("1", "I"),
            lambda code: code.replace("0", "o").replace("1", "l"),
            lambda code: "".join(chr(ord(c) + 0xFEE0) for c in code),
            lambda code: f"HTTPS://T.QJ.CN/{code}",
        ],
        ids=["lower case", "spaces", "dashes", "O and I", "o and l", "full width", "pasted link"],
    )
    def test_a_code_as_people_type_it_opens_from_the_home_page(self, world: World, typing) -> None:
        _batch, code = world.labelled(world.producer())
        led = world.client().get("/find", query_string={"code": typing(code)})
        assert led.status_code == 302
        assert led.location == f"/{code}"

    @pytest.mark.parametrize(
        "typed", ["ABC", "7KQ2M0XR9T4VH", "你好", "7KQ2M0XR9T4VHX", "<script>alert(1)</script>", "a" * 500]
    )
    def test_an_unknown_or_mistyped_code_gets_a_page_that_says_what_to_check(self, world: World, typed: str) -> None:
        answer = world.client().get("/find", query_string={"code": typed}, follow_redirects=True)
        assert answer.status_code == 404
        assert "请核对" in answer.text
        assert "12315" in answer.text
        assert "<script>" not in answer.text

    def test_every_wrong_character_is_noticed(self, world: World) -> None:
        _batch, code = world.labelled(world.producer())
        client = world.client()
        for position in range(1, 13):
            other = "0" if code[position] != "0" else "1"
            assert client.get("/" + code[:position] + other + code[position + 1 :]).status_code == 404

    def test_codes_beyond_a_runs_count_are_unknown(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=2)
        assert world.client().get(f"/{world.unmade(run, 2)}").status_code == 404
        assert world.client().get(f"/{world.unmade(run, 0, runs_on=1)}").status_code == 404

    def test_an_empty_search_goes_home(self, world: World) -> None:
        assert world.client().get("/find?code=").location == "/"


class TestPicture:
    def test_a_photo_of_a_label_opens_its_page(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor))
        png = world.client(actor).get(f"/labels/{run}/1.png").data
        answer = world.client().post("/find", data={"picture": (io.BytesIO(png), "label.png")})
        assert answer.location == "/" + world.code(run, 1)

    @pytest.mark.parametrize(
        ("data", "message"),
        [(photo(), "没有认出二维码"), (b"no picture", "请选择一张标签的照片"), (b"", "请选择一张标签的照片")],
    )
    def test_one_that_cannot_be_read_says_why(self, world: World, data: bytes, message: str) -> None:
        answer = world.client().post("/find", data={"picture": (io.BytesIO(data), "x.jpg")})
        assert answer.status_code == 422
        assert message in answer.text

    def test_a_foreign_code_is_told_from_ours(self, world: World) -> None:
        import qrcode

        out = io.BytesIO()
        qrcode.make("https://elsewhere.example/").save(out, "PNG")
        answer = world.client().post("/find", data={"picture": (io.BytesIO(out.getvalue()), "x.png")})
        assert "不是本平台的追溯码" in answer.text


def test_the_usual_small_things_are_there(world: World) -> None:
    client = world.client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/favicon.ico").status_code == 200
    assert "Disallow" in client.get("/robots.txt").text
    assert client.get("/media/" + "0" * 32 + ".webp").status_code == 404
    assert client.get("/a/b/c").status_code == 404


def test_an_unexpected_fault_shows_a_page_and_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from trace_app.api import views as api
    from trace_app.public import views

    def broken(**_wished: object) -> None:
        raise RuntimeError("secret detail")

    for module in (views, api):
        monkeypatch.setattr(module, "published_recalls", broken)
    for path in ("/recalls", "/api/v1/recalls"):
        answer = world.client().get(path)
        assert answer.status_code == 500
        assert "系统出了问题" in answer.text
        assert "secret detail" not in answer.text


def test_static_files_are_named_by_their_content(app: Flask) -> None:
    page = app.test_client().get("/").text
    style = re.search(r'href="(/static/app\.css\?v=[0-9a-f]{10})"', page)
    assert style
    with app.test_client() as client:
        answer = client.get(style[1], buffered=True)
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    source = Path(app.static_folder or "", "app.css").read_text("utf-8")
    assert "/*" in source
    assert "/*" not in answer.text, "made small"
    assert re.sub(r"/\*.*?\*/|[\s;]", "", source, flags=re.DOTALL) == re.sub(r"[\s;]", "", answer.text)


def test_scripts_are_modules_with_one_version_in_their_addresses(app: Flask) -> None:
    page = app.test_client().get("/").text
    address = re.search(r'<script type="module" src="(/static/js/[0-9a-f]{10}/)scan\.js">', page)
    assert address
    with app.test_client() as client:
        answer = client.get(f"{address[1]}outbox.js", buffered=True)
        before_renewal = client.get("/static/js/0123456789/outbox.js", buffered=True)
        missing = client.get(f"{address[1]}no-such.js", buffered=True)
    assert answer.mimetype == "text/javascript"
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert before_renewal.data == answer.data
    assert "no-cache" in before_renewal.headers["Cache-Control"], "what is not of this version is not kept"
    assert missing.status_code == 404


def test_every_page_says_how_it_may_be_kept_and_what_it_may_do(world: World) -> None:
    client = world.client(world.producer())
    for path in ("/", "/recalls", "/batches", "/account", "/no/such/page"):
        headers = client.get(path).headers
        # What has a form to fill in may be kept for going back.
        assert headers["Cache-Control"] == ("private, no-cache" if path == "/account" else "no-store")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "'unsafe" not in headers["Content-Security-Policy"]
    assert world.client().get("/login").headers["Cache-Control"] == "private, no-cache"
    cookie = world.client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_over_https_cookies_and_pages_are_for_https_alone(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path, public_url="https://t.qj.cn"))
    set_up(app)
    world = World(app)
    client = app.test_client()
    page = client.get("/login", base_url="https://t.qj.cn")
    assert "Secure" in page.headers["Set-Cookie"]
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    token = TOKEN.search(page.text)
    assert token
    data = {"email": world.producer().username, "password": PASSWORD, "remember": "y", "csrf_token": token[1]}
    headers = {"Referer": "https://t.qj.cn/login"}
    signed_in = client.post("/login", data=data, base_url="https://t.qj.cn", headers=headers)
    assert signed_in.status_code == 302
    cookies = signed_in.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"session"}
    assert all("Secure" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


class TestForMachines:
    def test_the_page_describes_itself(self, world: World) -> None:
        grower = world.producer()
        product = world.product(grower, gtin="06901234567892", name="罗平小黄姜")
        batch = world.released(grower, product_id=product, lot_number="A-1")
        code = world.code(world.run(grower, batch))
        page = world.client().get(f"/{code}").text
        [text] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
        document = json.loads(text)
        assert document["@type"][0] == "IndividualProduct"
        assert document["gs1:gtin"] == "06901234567892"
        assert document["gs1:hasBatchLotNumber"] == "A-1"
        assert document["productionDate"] == "2025-11-06"
        assert document["manufacturer"]["name"] in page

    @pytest.mark.parametrize("kind", ["application/ld+json", "application/json"])
    def test_who_asks_for_data_gets_data(self, world: World, kind: str) -> None:
        _batch, code = world.labelled(world.producer(), lot_number="A-1")
        answer = world.client().get(f"/{code}", headers={"Accept": kind})
        assert answer.mimetype == kind
        document = json.loads(answer.data)
        assert document["@id"] == f"http://127.0.0.1:8000/{code}"
        assert document["serialNumber"] == code
        assert "Accept" in answer.vary
        world.recall(world.regulator(), 1)
        again = json.loads(world.client().get(f"/{code}", headers={"Accept": kind}).data)
        assert again["subjectOf"]["text"] == "停止食用"

    def test_a_page_asks_for_its_links(self, world: World) -> None:
        _batch, code = world.labelled(world.producer())
        answer = world.client().get(f"/{code}", headers={"Accept": "application/linkset+json"})
        assert json.loads(answer.data)["linkset"][0]["anchor"] == f"http://127.0.0.1:8000/{code}"

    def test_nothing_that_was_entered_ends_the_description(self, world: World) -> None:
        grower = world.producer()
        product = world.product(grower, name="</script><b>姜")
        code = world.code(world.run(grower, world.released(grower, product_id=product)))
        page = world.client().get(f"/{code}").text
        assert "</script><b>" not in page


def test_a_cold_page_takes_few_statements(world: World) -> None:
    grower = world.producer()
    batch = world.batch(grower)
    for number in range(5):
        world.record(grower, batch, "pesticide", **SPRAYED | {"happened_on": f"2025-06-{number + 1:02d}"})
    world.complete(grower, batch)
    world.client(grower).post(f"/batches/{batch}/release")
    code = world.code(world.run(grower, batch))
    world.client().get("/0000000000000")
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        assert world.client().get(f"/{code}", headers={"User-Agent": "bot"}).status_code == 200
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)
    # The layer's own two come on top.
    assert 0 < len([statement for statement in statements if not statement.startswith("BEGIN")]) <= 6


def test_the_way_and_the_place_are_on_the_page(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    page = world.client().get(f"/{code}").text
    assert page.index('id="tests"') < page.index('id="inputs"') < page.index('id="how"') < page.index('id="origin"')
    assert '<g class="here">' in page
    assert re.search(r'<circle cx="\d', page)
    assert "您扫了码" in page
    assert "示意图" in page
