"""Refusals: what a registry means when it does not take a manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from replicator import errors
from replicator.oci import media_types
from replicator.oci.manifest import Manifest
from replicator.registry.answers import Answer, Problem, problems
from replicator.registry.profile import Profile

# Distribution answers MANIFEST_BLOB_UNKNOWN with 400, others with 404; zot BLOB_UNKNOWN with 400,
# Gitea with 404; crane's registry MANIFEST_UNKNOWN for a missing child.
_MISSING: Final = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
# Quay has no code of its own for it: MANIFEST_INVALID with "Unknown blob `sha256:…`".
_UNCLEAR: Final = frozenset({"MANIFEST_INVALID", "MANIFEST_UNVERIFIED"})
# How it begins a digest that is missing. It also repeats the whole manifest when it finds anything
# else wrong with it, so that a digest in its words alone says nothing.
_ABOUT_ABSENCE: Final = r"(?:unknown|could not find|not found|missing)[^{{}}\[\],]{{0,48}}{digest}"
# Nor does the name of a member of that manifest, or of its schema.
_ABOUT_TYPE: Final = r"(?<!['\"])(?:media ?type|content.?type)(?!\\?['\"])|unsupported manifest"
_ABOUT_MOVING: Final = r"immutab|overw?rit|re-?deploy|cannot be updated|allow updating"
_COMMON_TYPES: Final = media_types.INDEXES | {
    media_types.OCI_MANIFEST,
    media_types.DOCKER_MANIFEST,
}


def refined(
    answer: Answer, error: errors.RegistryError, manifest: Manifest
) -> errors.RegistryError:
    """Return the error that says why *manifest* was not taken, or *error* if it says it all.

    The status decides, then the code, and only then the words.
    """
    found = problems(answer.content)
    text = _text(found)
    if (missing := _missing(answer.status, error.codes, text, manifest)) is not None:
        return errors.ContentMissing(
            str(error),
            digests=missing,
            status=error.status,
            codes=error.codes,
            registry=error.registry,
        )
    if _is_about_type(answer.status, error.codes, text, manifest):
        return _as(errors.MediaTypeRejected, error)
    if answer.status == 500 and any(layer.urls for layer in manifest.layers):
        # distribution 2.8 and 3 answer so to a layer with URLs, and will do so again.
        return _as(errors.Rejected, error, "; it may not take layers with URLs")
    return error


def forbids_moving(error: errors.RegistryError, profile: Profile) -> bool:
    """Say whether *error* can mean that an existing tag may not be moved."""
    answers = {str(error.status), *(f"{error.status} {code}" for code in error.codes)}
    if not answers.isdisjoint(profile.immutable):
        return True
    return bool(re.search(_ABOUT_MOVING, str(error), re.IGNORECASE))


def _missing(
    status: int, codes: tuple[str, ...], text: str, manifest: Manifest
) -> tuple[str, ...] | None:
    """Return the digests that are said to be missing, None if that is not what is said."""
    if status not in (400, 404):
        return None
    references = tuple(_references(manifest))
    if not _MISSING.isdisjoint(codes):
        return tuple(digest for digest in references if digest in text)
    if _UNCLEAR.isdisjoint(codes):
        return None
    return tuple(digest for digest in references if _says_absent(text, digest)) or None


def _says_absent(text: str, digest: str) -> bool:
    if digest not in text:
        return False
    return bool(re.search(_ABOUT_ABSENCE.format(digest=digest), text, re.IGNORECASE))


def _references(manifest: Manifest) -> Iterable[str]:
    return (str(each.digest) for each in (*manifest.blobs, *manifest.manifests))


def _is_about_type(status: int, codes: tuple[str, ...], text: str, manifest: Manifest) -> bool:
    if status == 415:
        return True
    if status not in (400, 404) or _UNCLEAR.isdisjoint(codes):
        return False
    if manifest.media_type not in _COMMON_TYPES:
        return True
    return bool(re.search(_ABOUT_TYPE, text, re.IGNORECASE))


def _text(found: tuple[Problem, ...]) -> str:
    return " ".join(f"{each.message} {json.dumps(each.detail)}" for each in found)


def _as(
    kind: type[errors.Rejected], error: errors.RegistryError, hint: str = ""
) -> errors.RegistryError:
    return kind(f"{error}{hint}", status=error.status, codes=error.codes, registry=error.registry)
