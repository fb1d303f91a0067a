"""Manifests of one repository: resolved, fetched, written, deleted."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Final

from replicator import errors
from replicator.errors import ContentMismatch, InvalidDigest, InvalidManifest
from replicator.events import RequestKind
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.registry.answers import Answer, not_a_registry, number_in, problems
from replicator.registry.calls import SETTLED, Call, pull, push
from replicator.registry.refusals import forbids_moving, refined
from replicator.registry.retry import asked_wait
from replicator.registry.scopes import Scope
from replicator.registry.sending import Sender

_ACCEPT: Final = (("Accept", ", ".join(media_types.MANIFEST_TYPES)),)
_PUT: Final = frozenset({200, 201, 202})
# What a proxy says of the trouble with its upstream, and nobody of a manifest that is not there.
_UPSTREAM: Final = (
    r"upstream|connect|time[d ]{0,2}out|refused|resol|unreachable|https?:|error|\b[45]\d\d\b|ssl"
)
_DELETED: Final = frozenset({200, 202, 204})


class Manifests:
    """Reads and writes the manifests of one repository."""

    def __init__(self, sender: Sender, name: RepositoryName) -> None:
        self._sender = sender
        self._name = name
        self._limit = sender.settings.max_manifest_size
        self._owner = name.path.partition("/")[0]
        self._pull: tuple[Scope, ...] = (pull(name.path),)
        self._push: tuple[Scope, ...] = (push(name.path),)

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        """Learn what *ref* names: by HEAD, or by GET where that says nothing.

        A registry whose HEAD finds nothing is asked by GET as well, once: then it is known
        whether its HEAD can be believed.
        """
        knowledge = self._sender.knowledge
        if knowledge.trusts_head is not False:
            try:
                answer = await self._sender.send(self._head(ref))
                self._sender.pulls.note(answer.headers)
            except errors.NotFound:
                async with knowledge.trying_head:
                    if knowledge.trusts_head:
                        raise
                    return await self._resolve_by_get(ref)
            except (errors.Denied, errors.Rejected) as error:
                # HEAD has no body, so that only a GET tells why; Artifactory answers 403 to it
                # for what does not exist (RTFACT-13797).
                if error.status not in (403, 405):
                    raise
            else:
                if (descriptor := _from_headers(answer, ref)) is not None:
                    return descriptor
        return await self._resolve_by_get(ref)

    async def get(self, ref: ManifestRef) -> Manifest:
        """Fetch a manifest, verified by the digest in *ref* or in the answer."""
        answer = await self._fetch(ref)
        algorithm = ref.algorithm if isinstance(ref, Digest) else "sha256"
        content_type = answer.headers.get("content-type", "")
        try:
            return Manifest.parse(
                answer.content, content_type, algorithm=algorithm, limit=self._limit
            )
        except InvalidManifest as error:
            raise type(error)(f"{self._show(ref)}: {error}") from None

    async def put(self, manifest: Manifest, tag: Tag | None) -> str:
        """Write a manifest and make sure that it arrived; returns the answer's ``OCI-Subject``.

        A refusal of a tag that names this very manifest is none: Harbor, Quay and ECR refuse to
        write an immutable tag anew even then. An answer that was lost is looked up.
        """
        ref = manifest.digest if tag is None else tag
        try:
            answer = await self._sender.send(self._put(manifest, ref))
        except (errors.Denied, errors.Rejected) as error:
            if tag is None or not await self._has_already(manifest, tag, error):
                raise
            return ""
        if answer is not SETTLED:
            await self._confirm(manifest, ref, answer)
        return answer.headers.get("oci-subject", "")

    @property
    def is_proxy(self) -> bool:
        """Whether the repository was seen to be a pull-through proxy's."""
        return self._owner in self._sender.knowledge.proxies

    async def blames_upstream(self, missing: Tag) -> bool:
        """Say whether what is not found may only be out of reach, or has come back meanwhile.

        A HEAD has no body to say so.
        """
        call = replace(self._get(missing), refine=partial(self._refine_absence, missing))
        try:
            await self._sender.send(call)
        except errors.NotFound:
            return self.is_proxy
        except errors.RegistryError:
            pass
        return True

    def _refine_absence(
        self, missing: Tag, answer: Answer, error: errors.RegistryError
    ) -> errors.RegistryError:
        """Read the words of a 404, but for the tag's own and where it is said to have expired."""
        told = [each for each in problems(answer.content) if each.code != "TAG_EXPIRED"]
        words = " ".join(f"{each.message} {each.detail or ''}" for each in told)
        words = words.replace(missing, "")
        if answer.status == 404 and re.search(_UPSTREAM, words, re.IGNORECASE):
            self._sender.knowledge.proxies.add(self._owner)
        return error

    async def delete(self, ref: ManifestRef) -> None:
        """Delete a tag, or a manifest with all its tags. Raises NotFound, Rejected."""
        await self._sender.send(
            Call(
                RequestKind.MANIFEST_DELETE,
                *self._place("DELETE", ref),
                scopes=self._push,
                expected=_DELETED,
            )
        )

    async def _resolve_by_get(self, ref: ManifestRef) -> Descriptor:
        """Learn what *ref* names from its bytes, and whether HEAD should have told as much."""
        knowledge = self._sender.knowledge
        try:
            answer = await self._fetch(ref)
        except errors.NotFound:
            if knowledge.trusts_head is None:
                knowledge.trusts_head = True
            raise
        if knowledge.trusts_head is None:
            knowledge.trusts_head = False
        digest = ref if isinstance(ref, Digest) else Digest.of(answer.content)
        return Descriptor(answer.media_type, digest, len(answer.content))

    async def _fetch(self, ref: ManifestRef) -> Answer:
        """Fetch the bytes of a manifest and verify them; wrong ones are fetched once more."""
        for last in (False, True):
            answer = await self._get_within_budget(ref)
            if answer.headers.get("docker-content-digest") == "":
                # Harbor does not know yet what it has just asked its upstream for.
                self._sender.knowledge.proxies.add(self._owner)
            if not answer.complete:
                raise InvalidManifest(f"{self._show(ref)} has more than {self._limit} bytes")
            if answer.is_web_page:
                raise not_a_registry(answer, self._sender.attempt(self._get(ref)), "a web page")
            expected = _expected(answer, ref)
            if expected is None or expected == Digest.of(answer.content, expected.algorithm):
                return answer
            if last:
                break
        raise ContentMismatch(f"{self._show(ref)}: the bytes are not those of {expected}")

    async def _get_within_budget(self, ref: ManifestRef) -> Answer:
        """Fetch a manifest, within the budget of a registry that counts that."""
        if not self._sender.knowledge.profile.counts_pulls:
            return await self._sender.send(self._get(ref))
        budget = self._sender.pulls
        if budget.wants_news:
            budget.note((await self._sender.send(self._head(ref))).headers)
        async with budget.pull(self._sender.registry):
            call = replace(self._get(ref), refine=self._refine_pull)
            answer = await self._sender.send(call)
            budget.note(answer.headers)
        return answer

    def _refine_pull(self, answer: Answer, error: errors.RegistryError) -> errors.RegistryError:
        """Tell a limit on pulls from one on requests, which is over in a moment."""
        if answer.status != 429 or "pull rate limit" not in answer.content.decode("latin-1"):
            return error
        self._sender.pulls.spent(answer.headers)
        return errors.PullsSpent(
            str(error),
            retry_after=asked_wait(answer.headers, self._sender.clock.now()),
            status=429,
            registry=error.registry,
        )

    async def _confirm(self, manifest: Manifest, ref: ManifestRef, answer: Answer) -> None:
        """Make sure that *ref* names the manifest: by the answer to the PUT, or by looking."""
        digest = _digest_in(answer)
        if digest is None or not self._sender.knowledge.profile.confirms_puts:
            digest = await self._current(ref)
        if digest is None or not _is_of(manifest, digest):
            raise ContentMismatch(
                f"{self._show(ref)} was written, but names {digest or 'nothing'} "
                f"and not {manifest.digest}"
            )

    async def _has_already(self, manifest: Manifest, tag: Tag, error: errors.RegistryError) -> bool:
        """Say whether a tag that was refused names *manifest* already.

        Raises TagImmutable if it names another one and *error* means that it has to stay so.
        """
        if isinstance(error, errors.ContentMissing | errors.MediaTypeRejected | errors.TooLarge):
            return False
        current = await self._current(tag)
        if current is None or _is_of(manifest, current):
            return current is not None
        if forbids_moving(error, self._sender.knowledge.profile):
            raise errors.TagImmutable(
                f"{error} (the tag names {current} and may not be moved)",
                status=error.status,
                codes=error.codes,
                registry=error.registry,
            ) from None
        return False

    async def _is_there(self, manifest: Manifest, ref: ManifestRef) -> bool:
        current = await self._current(ref)
        return current is not None and _is_of(manifest, current)

    async def _current(self, ref: ManifestRef) -> Digest | None:
        try:
            return (await self.resolve(ref)).digest
        except errors.NotFound:
            return None

    def _head(self, ref: ManifestRef) -> Call:
        return Call(
            RequestKind.MANIFEST_HEAD,
            *self._place("HEAD", ref),
            scopes=self._pull,
            headers=_ACCEPT,
        )

    def _get(self, ref: ManifestRef) -> Call:
        return Call(
            RequestKind.MANIFEST_GET,
            *self._place("GET", ref),
            scopes=self._pull,
            headers=_ACCEPT,
            limit=self._limit,
        )

    def _put(self, manifest: Manifest, ref: ManifestRef) -> Call:
        return Call(
            RequestKind.MANIFEST_PUT,
            *self._place("PUT", ref),
            scopes=self._push,
            headers=(("Content-Type", manifest.media_type),),
            expected=_PUT,
            content=manifest.content,
            settled=partial(self._is_there, manifest, ref),
            refine=partial(refined, manifest=manifest),
        )

    def _place(self, method: str, ref: ManifestRef) -> tuple[str, str, str, str]:
        """Return method, target, and what messages say they are about."""
        target = f"{self._name.path}/manifests/{ref}"
        return method, target, str(self._name), f"{method} manifests/{ref}"

    def _show(self, ref: ManifestRef) -> str:
        return f"{self._name}{'@' if isinstance(ref, Digest) else ':'}{ref}"


def _from_headers(answer: Answer, ref: ManifestRef) -> Descriptor | None:
    """Return what a HEAD says, None if it does not say all of it or contradicts *ref*."""
    digest = _digest_in(answer)
    size = number_in(answer.headers.get("content-length"))
    if digest is None or size is None or answer.media_type in ("", "text/html"):
        return None
    if isinstance(ref, Digest) and digest != ref:
        return None
    return Descriptor(answer.media_type, digest, size)


def _digest_in(answer: Answer) -> Digest | None:
    """Return the digest in an answer's header; a proxy's may be empty."""
    try:
        return Digest.parse(answer.headers.get("docker-content-digest", ""))
    except InvalidDigest:
        return None


def _expected(answer: Answer, ref: ManifestRef) -> Digest | None:
    """Return the digest that the bytes of *answer* must have, if anybody said so.

    The header of a signed schema 1 manifest is about the manifest without its signature.
    """
    if isinstance(ref, Digest):
        return ref
    return None if answer.media_type in media_types.SCHEMA1_TYPES else _digest_in(answer)


def _is_of(manifest: Manifest, digest: Digest) -> bool:
    """Say whether *digest*, by whatever algorithm, is that of the manifest's bytes."""
    return digest == manifest.digest or digest == Digest.of(manifest.content, digest.algorithm)
