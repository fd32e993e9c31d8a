"""Ask the registry's advisories whether a pinned dependency is known to be weak: ``python bin/audit.py``.

Without a network nothing can be asked; that is said and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

AT_MOST_S = 120
PINNED = Path(__file__).parents[1] / "requirements.txt"


def advisories() -> tuple[list[str], int, int]:
    """What is known of the pinned versions, a line each; how many were asked about; and how many nobody knows.

    :raises OSError: where nobody answers.
    """
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", str(PINNED)]
    try:
        run = subprocess.run(
            [*command, "--progress-spinner", "off", "-f", "json"],
            capture_output=True,
            text=True,
            timeout=AT_MOST_S,
            check=False,
        )
        dependencies = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise OSError("no answer") from error
    known = [
        f"{found['name']} {found['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or '-'}"
        for found in dependencies
        for weakness in found.get("vulns", ())
    ]
    return known, len(dependencies), sum("skip_reason" in found for found in dependencies)


def main() -> int:
    try:
        known, asked, unknown = advisories()
    except OSError:
        print("advisories: nobody answered, so nothing was looked up")
        return 0
    print(f"advisories: {asked - unknown} of {asked} pinned packages looked up, {len(known)} known to be weak")
    for line in known:
        print(" ", line)
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
