"""Files are handed to the server so that slow clients don't hold its threads."""

import io

import pytest

from tests.world import World, pdf
from trace_app import downloads

REPORT = {
    "report_number": "SL-1",
    "laboratory": "曲靖检测中心",
    "cma_number": "230000000001",
    "sample": "1 号样",
    "sampled_on": "2025-11-10",
    "issued_on": "2025-11-15",
    "line-analyte": "镉",
    "line-result": "0.02",
    "line-unit": "mg/kg",
    "line-method": "",
}


def _report(world: World) -> str:
    """The address of a test report's file."""
    actor = world.producer()
    batch_id = world.released(actor)
    client = world.client(actor)
    client.post(f"/batches/{batch_id}/tests/new", data=REPORT | {"pdf": (io.BytesIO(pdf()), "report.pdf")})
    trace = client.get("/" + world.code(world.run(actor, batch_id, 1))).text
    return "/media/" + trace.split('href="/media/')[1].split('"')[0]


def test_small_files_are_handed_over_whole(world: World) -> None:
    address = _report(world)
    answer = world.client().get(address)
    assert answer.data.startswith(b"%PDF")
    assert len(list(answer.iter_encoded())) == 1
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    icon = world.client().get("/favicon.ico")
    again = world.client().get("/favicon.ico", headers={"If-None-Match": icon.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_only_so_many_large_files_are_sent_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    address = _report(world)
    monkeypatch.setattr(downloads, "WHOLE", 10)
    client = world.client()
    sending = [client.get(address, buffered=False) for _ in range(downloads.MOST)]
    refused = client.get(address)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "30"
    assert "过半分钟再点一次" in refused.text
    assert "Content-Security-Policy" in refused.headers
    assert client.head(address).status_code == 200
    assert client.get("/").status_code == 200
    sending.pop().close()
    assert client.get(address).data.startswith(b"%PDF")
    while sending:
        sending.pop().close()
