"""Pulp with its container plugin, from its own virtual environment: an API, content, a worker."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support import tools
from tests.support.address import Address, Credentials
from tests.support.folders import data_folder
from tests.support.postgres import postgres, program
from tests.support.processes import ServerProcess, free_port, serving
from tests.support.servers import Server

HOME = tools.BUILT.parent / "pulp"
# Its empty tables, which take minutes to be made; `make test-servers` does that once.
TABLES = HOME / "tables.sql"
_ADMIN = Credentials("admin", "wonderland")
# Without tokens, which need keys of their own, it asks for a password, and without a cache for no
# redis.
_SETTINGS = """
SECRET_KEY = "tests"
DB_ENCRYPTION_KEY = "{folder}/key"
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": {port},
    "NAME": "{database}", "USER": "replicator",
}}}}
CACHE_ENABLED = False
CONTENT_ORIGIN = "{content}"
TOKEN_AUTH_DISABLED = True
DEPLOY_ROOT = "{folder}"
MEDIA_ROOT = "{folder}/media"
STATIC_ROOT = "{folder}/static"
WORKING_DIRECTORY = "{folder}/tmp"
FILE_UPLOAD_TEMP_DIR = "{folder}/tmp"
"""


@contextmanager
def pulp() -> Iterator[Server]:
    """Run Pulp on a database of its own; its administrator may do everything."""
    with data_folder() as folder, postgres() as database, ExitStack() as stack:
        name = database.create_database()
        if not TABLES.exists():
            raise tools.MissingTool("Pulp is not installed; run `make test-servers`")
        psql = [program("psql"), "--quiet", "--file", TABLES, database.url(name)]
        subprocess.run(psql, check=True, capture_output=True)
        content = f"127.0.0.1:{free_port()}"
        environment = _settings(folder, database.port, name, content)
        for command in (["pulpcore-content", "--bind", content], ["pulpcore-worker"]):
            process = ServerProcess([*environment, _program(command[0]), *command[1:]])
            stack.callback(process.stop)

        def api(port: int) -> list[str | Path]:
            bind = f"127.0.0.1:{port}"
            options = ["--bind", bind, "--access-logfile", "-"]
            return [*environment, _program("pulpcore-api"), *options]

        def knock(port: int, text: str) -> None:
            Address(f"127.0.0.1:{port}").knock("/v2/", text)

        with serving(api, knock) as (process, port):
            yield Server("pulp", Address(f"127.0.0.1:{port}", _ADMIN), process)


def make_tables() -> None:
    """Make Pulp's tables and its administrator, and keep them for the tests."""
    if TABLES.exists():
        return
    with data_folder() as folder, postgres() as database:
        name = database.create_database()
        environment = _settings(folder, database.port, name, content="127.0.0.1:1")
        for arguments in (
            ["migrate", "--noinput"],
            ["reset-admin-password", "--password", _ADMIN.password],
        ):
            manage = [*environment, _program("pulpcore-manager"), *arguments]
            subprocess.run(manage, check=True, capture_output=True)
        dump = [program("pg_dump"), "--restrict-key=none", "--file", TABLES, database.url(name)]
        subprocess.run(dump, check=True)


def _settings(folder: Path, port: int, database: str, content: str) -> list[str]:
    """Write the settings, and return what to put before a command that reads them."""
    settings = folder / "settings.py"
    settings.write_text(
        _SETTINGS.format(folder=folder, port=port, database=database, content=f"http://{content}")
    )
    (folder / "key").write_bytes(base64.urlsafe_b64encode(bytes(32)))
    for name in ("media", "static", "tmp"):
        (folder / name).mkdir()
    return ["env", f"PULP_SETTINGS={settings}"]


def _program(name: str) -> Path:
    return HOME / "bin" / name


if __name__ == "__main__":
    make_tables()
