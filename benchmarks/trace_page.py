"""Trace pages a second, against nginx that serves the same bytes as a file.

Needs nginx (nginx-light will do) and wrk on the path, beside requirements-dev.txt; listens on free ports of
127.0.0.1. Both serve with two workers to the same two wrk threads, in turns.
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
from contextlib import ExitStack
from pathlib import Path

import timing

ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
NGINX = """
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; default_type text/html; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  open_file_cache max=10; keepalive_requests 1000000;
  server {{ listen {address}; root {folder}; }} }}
"""


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def wait_for(url: str) -> bytes:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")


def load(url: str, duration: int) -> tuple[float, float]:
    """Requests a second and the 99th percentile of latency in milliseconds."""
    command = ["wrk", "-H", "User-Agent: Mozilla/5.0", "-t2", f"-c{CONNECTIONS}", f"-d{duration}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"errors under load at {url}:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate
    assert slow
    return float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slow[2]]


def platform(stack: ExitStack, folder: Path) -> str:
    """Serve the demonstration and return the address of a ginger lot's trace page."""
    address = free_address()
    environment = dict(os.environ) | {
        "DATA_DIR": str(folder), "BIND": address, "PUBLIC_URL": f"http://{address}", "WEB_WORKERS": "2",
        "RATE_LIMITS": "false", "DATABASE_URL": "", "REDIS_URL": "", "S3_BUCKET": "",
    }  # fmt: skip
    flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
    subprocess.run([*flask, "setup"], cwd=ROOT, env=environment, check=True, capture_output=True)
    text = subprocess.run(
        [*flask, "demo", "--yes"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    process = subprocess.Popen([*flask, "serve"], cwd=ROOT, env=environment)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    link = re.search(r"http://\S+/(?=\w{13}  罗平小黄姜)\w+", text)
    assert link
    return link[0]


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    missing = [tool for tool in ("nginx", "wrk") if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} missing: install with the system's packages, then run this again")
    rounds, duration = (3, 2) if quick else (5, 8)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trace-bench-")))
        folder.chmod(0o755)
        ours = platform(stack, folder / "data")
        body = wait_for(ours)
        (folder / "page.html").write_bytes(body)
        address = free_address()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, address=address))
        nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        stack.callback(nginx.wait)
        stack.callback(nginx.terminate)
        peer = f"http://{address}/page.html"
        assert wait_for(peer) == body
        load(ours, 1)
        latencies: list[float] = []

        def measure_ours() -> float:
            rate, slow = load(ours, duration)
            latencies.append(slow)
            return rate

        print(f"A trace page of {len(body):,} bytes, {CONNECTIONS} connections, two workers each")
        found = timing.rates(rounds, nginx=lambda: load(peer, duration)[0], ours=measure_ours)
    timing.finish(
        trace_page_per_s=found["ours"],
        nginx_per_s=found["nginx"],
        trace_page_ratio=found["ours"] / found["nginx"],
        trace_page_p99_ms=sorted(latencies)[len(latencies) // 2],
        page_bytes=len(body),
    )


if __name__ == "__main__":
    main()
