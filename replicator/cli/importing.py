"""``replicate import``: the files of other tools as a configuration of ours."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Final

import typer

from replicator.cli.groups import examples
from replicator.cli.messages import say

EXAMPLES: Final = examples(
    "replicate import regsync regsync.yaml > config.toml",
    "replicate import skopeo sync.yaml --destination registry.example.com/hub --scoped",
    "replicate import image-syncer auth.yaml images.yaml > config.toml",
    "replicate import dregsy dregsy.yaml > config.toml",
)


class Format(enum.StrEnum):
    """Whose files can be read."""

    REGSYNC = "regsync"
    SKOPEO = "skopeo"
    IMAGE_SYNCER = "image-syncer"
    DREGSY = "dregsy"


def import_(
    format_name: Annotated[
        Format, typer.Argument(metavar="FORMAT", help=f"Whose they are: {', '.join(Format)}.")
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Its files.")],
    destination: Annotated[
        str,
        typer.Option(metavar="HOST/PATH", help="Where to, which skopeo has on its command line."),
    ] = "",
    scoped: Annotated[
        bool, typer.Option("--scoped", help="skopeo was called with --scoped.")
    ] = False,
    all_platforms: Annotated[
        bool, typer.Option("--all-platforms", help="skopeo was called with --all.")
    ] = False,
) -> None:
    """Write the rules of another tool as a configuration of ours.

    What has no counterpart is a comment above its rule; a rule that would do something else than
    before is switched off. Secrets are never written. Nothing is changed or sent.
    """
    from replicator.cli.text import plural
    from replicator.config.importers import read_foreign
    from replicator.config.importers.draft import Options, to_toml

    imported = read_foreign(format_name, files, Options(destination, scoped, all_platforms))
    print(to_toml(imported), end="")
    off = sum(not rule.complete for rule in imported.rules)
    say(
        f"{plural(len(imported.rules), 'rule')}, {off} of them switched off; "
        f"{plural(imported.open_questions, 'remark')} in comments"
    )
