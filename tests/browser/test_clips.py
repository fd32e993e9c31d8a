"""A clip from a producer's phone to a consumer's, in a real browser: over a line that drops, with the page closed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import PHONE, Platform, sign_in
from tests.films import h264
from tests.trace_app.clipping import begin
from tests.world import World
from trace_app.clips.uploads import MOST_UNFINISHED

MB = 1 << 20
FILM = h264(40, columns=8, rows=6, rate=5)
"""A clip of several parts."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "VID_20250601.mp4"
    path.write_bytes(FILM)
    return path


class Grower:
    """A producer with a phone, and a released lot of its own with a label."""

    def __init__(self, world: World, chromium: Browser, platform: Platform) -> None:
        actor = world.producer()
        self.actor = actor
        self.batch_id, self.code = world.labelled(actor)
        self.phone = sign_in(chromium, platform, actor.username, PHONE)

    def to_film(self) -> Page:
        """Record something of the lot, and go to where a clip is added to it."""
        self.phone.goto(f"/batches/{self.batch_id}")
        self.phone.get_by_role("link", name="视频", exact=True).click()
        self.phone.get_by_label("标题").fill("第二次培土")
        self.phone.get_by_label("日期").fill("2025-06-01")
        self.phone.get_by_role("button", name="保存").click()
        self.phone.wait_for_url("**/records/*/clips")
        return self.phone


@pytest.fixture
def grower(world: World, chromium: Browser, platform: Platform) -> Iterator[Grower]:
    grower = Grower(world, chromium, platform)
    yield grower
    grower.phone.context.close()


def _choose(page: Page, film: Path) -> None:
    page.get_by_label("视频", exact=True).set_input_files(film)
    page.get_by_role("button", name="上传").click()


class Line:
    """What goes over the line in parts, and where it is to drop."""

    def __init__(self, page: Page) -> None:
        self.sent = 0
        self.begun = 0
        self.parts_until_down = -1
        page.context.route("**/clips/uploads**", self._pass)

    def _pass(self, route: Route) -> None:
        request = route.request
        if request.method == "POST":
            self.begun += 1
        if request.method == "PATCH":
            if self.parts_until_down == 0:
                route.abort("connectionreset")
                return
            self.parts_until_down -= 1
            self.sent += len(request.post_data_buffer or b"")
        route.continue_()


def _until_playable(page: Page) -> None:
    expect(page.locator("video")).to_have_count(1, timeout=60_000)


def _until_played(video: Locator, seconds: float) -> None:
    look = "const look = () => (v.currentTime > s ? ok() : setTimeout(look, 50)); look();"
    video.evaluate(f"(v, s) => new Promise((ok) => {{ {look} }})", seconds)


def test_a_clip_goes_from_a_phone_to_a_page_where_it_plays(grower: Grower, film: Path) -> None:
    phone = grower.to_film()
    line = Line(phone)
    _choose(phone, film)
    _until_playable(phone)
    assert (line.begun, line.sent) == (1, len(FILM))
    expect(phone.get_by_text("0:40")).to_be_visible()
    video = phone.locator("video")
    assert video.evaluate("(v) => v.networkState === 3 || v.buffered.length") == 0
    # The digest that the platform shows is the file's.
    phone.get_by_text("看从头到尾的画面").click()
    expect(phone.get_by_text(hashlib.sha256(FILM).hexdigest())).to_be_visible()
    with phone.expect_response(lambda answer: answer.url.endswith(".mp4") and answer.status == 206):
        video.evaluate("(v) => { v.muted = true; return v.play(); }")
    _until_played(video, 0.3)
    assert video.evaluate("(v) => [v.videoWidth, v.videoHeight]") == [128, 96]
    # Far ahead, by another range.
    video.evaluate("(v) => { v.currentTime = 35; }")
    _until_played(video, 35.2)
    assert not phone.faults  # type: ignore[attr-defined]


def test_a_clip_goes_on_after_the_line_dropped_and_the_page_was_closed(grower: Grower, film: Path) -> None:
    phone = grower.to_film()
    line = Line(phone)
    line.parts_until_down = 2
    _choose(phone, film)
    expect(phone.get_by_text("网络断了")).to_be_visible()
    expect(phone.get_by_text("已传 2.0 MB")).to_be_visible()
    phone.reload()
    expect(phone.get_by_role("heading", name="还没有传完")).to_be_visible()
    expect(phone.get_by_text(film.name)).to_be_visible()
    line.parts_until_down = 1
    _choose(phone, film)
    expect(phone.get_by_text("网络断了")).to_be_visible()
    line.parts_until_down = -1
    _until_playable(phone)
    expect(phone.get_by_role("heading", name="还没有传完")).to_have_count(0)
    assert line.begun == 1
    assert line.sent == len(FILM)


def test_a_pause_lasts_until_one_goes_on(grower: Grower, film: Path) -> None:
    phone = grower.to_film()
    line = Line(phone)
    line.parts_until_down = 1
    _choose(phone, film)
    expect(phone.get_by_text("网络断了")).to_be_visible()
    phone.get_by_role("button", name="暂停").click()
    expect(phone.get_by_text("已暂停")).to_be_visible()
    line.parts_until_down = -1
    phone.wait_for_timeout(1500)
    assert line.sent == MB
    phone.get_by_role("button", name="接着传").click()
    _until_playable(phone)
    assert line.sent == len(FILM)


def test_what_is_no_film_is_told_and_another_can_be_chosen(grower: Grower, film: Path, tmp_path: Path) -> None:
    phone = grower.to_film()
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile 'other.mp4'\n")
    _choose(phone, tmp_path / "a.mp4")
    expect(phone.get_by_text("“a.mp4”不是能识别的视频")).to_be_visible()
    _choose(phone, film)
    _until_playable(phone)


def _refused(phone: Page, line: Line, words: str) -> None:
    """The platform's words are shown in place of a line that dropped, and nothing is tried again."""
    expect(phone.locator(".under-way .words")).to_contain_text(words, timeout=30_000)
    asked = line.begun, line.sent
    phone.wait_for_timeout(1500)
    expect(phone.get_by_text("网络断了")).to_have_count(0)
    assert (line.begun, line.sent) == asked
    for name in ("暂停", "接着传"):
        expect(phone.get_by_role("button", name=name)).to_be_hidden()


@pytest.mark.parametrize("is_under_way", [False, True])
def test_a_recall_stops_a_clip_and_the_page_says_why(
    world: World, grower: Grower, film: Path, is_under_way: bool
) -> None:
    phone = grower.to_film()
    line = Line(phone)
    if is_under_way:
        line.parts_until_down = 1
        _choose(phone, film)
        expect(phone.get_by_text("网络断了")).to_be_visible()
    world.recall(world.regulator(), grower.batch_id)
    line.parts_until_down = -1
    if not is_under_way:
        _choose(phone, film)
    _refused(phone, line, "已召回，此操作已停用")
    phone.get_by_role("link", name="刷新本页").click()
    expect(phone.locator(".alert")).to_contain_text("已召回，此操作已停用")
    expect(phone.get_by_role("button", name="上传")).to_have_count(0)


def test_a_seventh_clip_waits_until_one_of_six_is_given_up(world: World, grower: Grower, film: Path) -> None:
    phone = grower.to_film()
    client = world.client(grower.actor)
    for _number in range(MOST_UNFINISHED):
        assert begin(client, world.record(grower.actor, grower.batch_id), len(FILM)).status_code == 201
    line = Line(phone)
    _choose(phone, film)
    _refused(phone, line, f"有 {MOST_UNFINISHED} 段视频还没有传完")
    phone.get_by_role("link", name="刷新本页").click()
    phone.get_by_role("button", name="放弃").first.click()
    expect(phone.get_by_role("button", name="放弃")).to_have_count(MOST_UNFINISHED - 1)


def test_who_has_signed_out_meanwhile_is_asked_to_sign_in(grower: Grower, film: Path) -> None:
    phone = grower.to_film()
    line = Line(phone)
    line.parts_until_down = 1
    _choose(phone, film)
    expect(phone.get_by_text("网络断了")).to_be_visible()
    phone.context.clear_cookies()
    line.parts_until_down = -1
    expect(phone.locator(".under-way .words")).to_contain_text("您已退出登录", timeout=30_000)


@pytest.mark.parametrize("with_scripts", [True, False])
def test_a_consumer_plays_it_on_the_trace_page(
    chromium: Browser, platform: Platform, grower: Grower, film: Path, with_scripts: bool
) -> None:
    phone = grower.to_film()
    _choose(phone, film)
    _until_playable(phone)
    context = chromium.new_context(
        viewport=PHONE, locale="zh-CN", base_url=platform.url, java_script_enabled=with_scripts
    )
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/{grower.code}", wait_until="networkidle")
    video = page.locator("video")
    expect(video).to_have_count(1)
    video.scroll_into_view_if_needed()
    # Nothing of it before someone taps.
    assert not [url for url in asked if url.endswith(".mp4")]
    with page.expect_response(lambda answer: answer.url.endswith(".mp4") and answer.status == 206):
        box = video.bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        video.focus()
        page.keyboard.press("Space")
    context.close()
