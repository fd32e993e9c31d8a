"""What apps give when a video is shared, pasted as it is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.world import World
from trace_app.extensions import db
from trace_app.records.share_texts import addresses_in, site_of

FILM = {"happened_on": "2025-07-20", "note": "第二次培土"}
SHARED = {
    "7.43 复制打开抖音，看看【姜农老李的作品】第二次培土，今年长势不错 # 罗平小黄姜 https://v.douyin.com/iRNBho6u/ "
    "01/02 x@F.uS :0pm": "https://v.douyin.com/iRNBho6u/",
    "https://v.kuaishou.com/2AbCdE 第二次培土 该作品在快手被播放过1.2万次，点击链接，打开【快手】直接观看！": "https://v.kuaishou.com/2AbCdE",
    "看了这么多快手，还是「老李种姜」最带劲！http://v.kuaishou.com/2AbCdE复制此消息，打开【快手】直接观看！": "https://v.kuaishou.com/2AbCdE",
    "【罗平小黄姜第二次培土-哔哩哔哩】 https://b23.tv/AbC12dE": "https://b23.tv/AbC12dE",
    "https://www.bilibili.com/video/BV1xx411c7mD/?share_source=copy_web": "https://www.bilibili.com/video/BV1xx411c7mD/?share_source=copy_web",
    "老李种姜的视频号：https://weixin.qq.com/sph/AbCdEfG。": "https://weixin.qq.com/sph/AbCdEfG",
    "第二次培土\n（https://v.youku.com/v_show/id_XNTk0.html）": "https://v.youku.com/v_show/id_XNTk0.html",
    # One of no known platform, with a path in Chinese.
    "我们的片子 https://video.example.com/培土/1。": "https://video.example.com/培土/1",
    "https://video.example.com/a?b=c&d=(e)": "https://video.example.com/a?b=c&d=(e",
    # What is known goes before what stands beside it.
    "https://v.douyin.com/abc/ 下载抖音 https://download.example.com": "https://v.douyin.com/abc/",
}


@pytest.mark.parametrize(("text", "url"), SHARED.items())
def test_the_address_is_taken_out_of_what_was_pasted(text: str, url: str) -> None:
    assert addresses_in(text) == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://douyin.com.evil.example/x",
        "https://v.douyin.com@evil.example/x",
        "https://evil.example/?u=https://v.douyin.com/x",
        "https://mydouyin.com/x",
    ],
)
def test_what_only_looks_like_a_known_platform_is_none(url: str) -> None:
    assert site_of(url) is None


def test_a_pasted_text_becomes_a_link_with_its_platforms_name_and_a_hint(world: World) -> None:
    grower = world.producer()
    batch_id, code = world.labelled(grower)
    client = world.client(grower)
    text = next(iter(SHARED))
    assert world.enter(client, batch_id, "video", **FILM, video_url=text).status_code == 302
    with world.app.app_context():
        assert db.session.scalar(sa.text("SELECT max(video_url) FROM records")) == SHARED[text]
    page = client.get(f"/batches/{batch_id}").text
    assert "抖音的视频在微信里可能打不开" in page
    public = world.client().get(f"/{code}").text
    assert "视频 · 抖音" in public
    assert "复制链接到浏览器" in public
    assert "v.douyin.com" not in public.replace(f'href="{SHARED[text]}"', "")


def test_a_platform_that_wechat_opens_has_no_hint(world: World) -> None:
    grower = world.producer()
    batch_id, code = world.labelled(grower)
    client = world.client(grower)
    assert (
        world.enter(client, batch_id, "video", **FILM, video_url="【培土】 https://b23.tv/AbC12dE").status_code == 302
    )
    assert "微信里" not in client.get(f"/batches/{batch_id}").text
    public = world.client().get(f"/{code}").text
    assert "视频 · 哔哩哔哩" in public
    assert "复制链接到浏览器" not in public


def test_of_two_addresses_one_has_to_be_chosen_and_what_was_pasted_stays(world: World) -> None:
    grower = world.producer()
    text = "https://b23.tv/AbC12dE https://v.douyin.com/abc/"
    answer = world.enter(world.client(grower), world.batch(grower), "video", **FILM, video_url=text)
    assert answer.status_code == 422
    assert "请只留要放的那一个" in answer.text
    assert text in answer.text
