"""Every error this package raises on purpose.

ReplicatorError
├── ConfigError                    the configuration cannot be used
├── InvalidValue                   text that is not what it should be
│   ├── InvalidDigest
│   ├── InvalidReference
│   ├── InvalidManifest
│   │   └── UnsupportedSchema1     Docker schema 1, recognised and refused
│   └── InvalidRequest             what a program asks of the API cannot be understood
├── AccessDenied                   who asks may not do this
│   └── NotAuthenticated           nobody knows who asks
├── ContentMismatch                bytes that do not match their descriptor
├── LayoutError                    an image layout on disk cannot be read or written
├── RegistryError                  a registry answered, or failed to
│   ├── RegistryUnavailable  (r)   no answer, or a 5xx answer
│   │   └── RateLimited      (r)   429; says how long to wait
│   ├── PullsSpent                 a limit on pulls is reached; a later run may go on
│   ├── TlsNotTrusted              the certificate is not one we trust
│   ├── OutboundRefused            our own gate did not let the request out
│   ├── NotARegistry               an answer that no registry would give, such as a web page
│   ├── Unauthorized               401 after a token was offered
│   │   └── LoginRefused           the login itself was refused, or one is needed and not there
│   ├── Denied                     403
│   ├── NotFound                   404
│   └── Rejected                   any other 4xx
│       ├── ContentMissing         a manifest names content that the repository lacks
│       ├── TagImmutable           the tag exists and may not be moved
│       ├── MediaTypeRejected      the registry does not store this kind of manifest
│       └── TooLarge               413: the registry, or a proxy in front of it, has a limit
├── NotDelivered                   a message to people or programs did not arrive
├── ProviderUnavailable            the provider of logins cannot be asked, or believed
├── TransferFailed                 one image could not be copied
│   └── ReferrerFailed             what refers to it could not, so its tag was not written
└── StoreError                     the database cannot be used
    ├── SchemaMismatch             the database is older or newer than this program
    ├── RuleNotFound
    ├── RunNotFound
    ├── RegistryNotFound
    ├── CredentialNotFound
    ├── TokenNotFound
    ├── NameTaken                  there is something of that name already
    ├── RunActive                  the rule already has a run under way
    ├── RunFinished                there is nothing left to cancel
    ├── LeaseLost                  the run was ended or taken over by somebody else
    └── RuleConflict               two rules would write one tag, or a revision is stale

(r) marks the errors worth trying again: their ``retryable`` is true.

``kind`` is the class's stable name in reports, metrics and the database.
"""

from __future__ import annotations

from typing import ClassVar


class ReplicatorError(Exception):
    """Base of all errors raised by this package."""

    kind: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class ConfigError(ReplicatorError):
    """The configuration cannot be used; the message names the place and the fix."""

    kind = "config"


class InvalidValue(ReplicatorError):
    """Text that is not what it should be."""

    kind = "invalid_value"


class InvalidDigest(InvalidValue):
    """Text that is not a digest we can verify."""

    kind = "invalid_digest"


class InvalidReference(InvalidValue):
    """Text that does not name a repository, tag or manifest."""

    kind = "invalid_reference"


class InvalidManifest(InvalidValue):
    """Bytes that are not a manifest, or one outside our limits."""

    kind = "invalid_manifest"


class UnsupportedSchema1(InvalidManifest):
    """A Docker schema 1 manifest; no current registry accepts it."""

    kind = "unsupported_schema1"


class InvalidRequest(InvalidValue):
    """A request to the API that cannot be understood; ``field`` is the part that is wrong."""

    kind = "invalid_request"

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class AccessDenied(ReplicatorError):
    """Who asks is known, and may not do this."""

    kind = "forbidden"


class NotAuthenticated(AccessDenied):
    """Nobody knows who asks: there is no token, or one that does not count."""

    kind = "not_authenticated"


class ContentMismatch(ReplicatorError):
    """Bytes that are not those their descriptor names. Trying again rarely helps."""

    kind = "content_mismatch"


class LayoutError(ReplicatorError):
    """An image layout on disk cannot be read or written, for example because the disk is full."""

    kind = "layout"


class RegistryError(ReplicatorError):
    """A request to a registry did not succeed.

    ``status`` is the HTTP status, or None when no answer came.
    ``codes`` are the registry's own error codes, such as MANIFEST_UNKNOWN.
    ``registry`` is the host as it is written in references.
    """

    kind = "registry"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        codes: tuple[str, ...] = (),
        registry: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.codes = codes
        self.registry = registry


class RegistryUnavailable(RegistryError):
    """The registry gave no answer, or answered with a server error."""

    kind = "unavailable"
    retryable = True


class RateLimited(RegistryUnavailable):
    """The registry asked to slow down; ``retry_after`` is in seconds, None if it did not say."""

    kind = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None,
        codes: tuple[str, ...] = (),
        registry: str = "",
    ) -> None:
        super().__init__(message, status=429, codes=codes, registry=registry)
        self.retry_after = retry_after


class PullsSpent(RegistryError):
    """A limit on pulls is reached, or all but its reserve is.

    Nothing is wrong and waiting here would be too long: a later run goes on. ``retry_after`` is
    in seconds, None if nobody knows.
    """

    kind = "deferred"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None,
        status: int | None = None,
        registry: str = "",
    ) -> None:
        super().__init__(message, status=status, registry=registry)
        self.retry_after = retry_after


class TlsNotTrusted(RegistryError):
    """The registry's certificate is not one we trust, or not for this host."""

    kind = "tls_not_trusted"


class OutboundRefused(RegistryError):
    """The outbound gate did not let a request, redirect or credential out."""

    kind = "outbound_refused"


class NotARegistry(RegistryError):
    """An answer that no registry would give, such as a web page instead of JSON."""

    kind = "not_a_registry"


class Unauthorized(RegistryError):
    """401 after a token was offered, or a login that was refused."""

    kind = "unauthorized"


class LoginRefused(Unauthorized):
    """The login itself was refused, or is needed and not there: no request can succeed.

    Any other 401 may mean one repository, which is closed to us or does not exist yet.
    """


class Denied(RegistryError):
    """403: no rights, a quota, a read-only mode or a policy."""

    kind = "denied"


class QuotaFull(Denied):
    """There is no room for more, in whatever way it is sent."""


class NotFound(RegistryError):
    """404: the repository, the tag, the manifest or the blob does not exist."""

    kind = "not_found"


class Rejected(RegistryError):
    """Any other 4xx answer."""

    kind = "rejected"


class ContentMissing(Rejected):
    """A manifest names blobs or manifests that its repository lacks.

    ``digests`` are those that the registry named; empty if it named none.
    """

    kind = "content_missing"

    def __init__(
        self,
        message: str,
        *,
        digests: tuple[str, ...] = (),
        status: int | None = None,
        codes: tuple[str, ...] = (),
        registry: str = "",
    ) -> None:
        super().__init__(message, status=status, codes=codes, registry=registry)
        self.digests = digests


class TagImmutable(Rejected):
    """The tag exists with other content and may not be moved."""

    kind = "blocked_by_policy"


class MediaTypeRejected(Rejected):
    """The registry does not store this kind of manifest; nothing was converted."""

    kind = "media_type_rejected"


class TooLarge(Rejected):
    """413: the registry, or a proxy in front of it, limits the size of a body."""

    kind = "too_large"


class NotDelivered(ReplicatorError):
    """A message did not arrive where it should be read; it is tried again later."""

    kind = "not_delivered"


class ProviderUnavailable(ReplicatorError):
    """The provider of logins (OpenID Connect) cannot be asked, or is not what it should be."""

    kind = "provider_unavailable"


class TransferFailed(ReplicatorError):
    """One image could not be copied; the cause says why.

    ``side`` is "source" or "destination": whose answer it was; empty if it was neither's.
    """

    kind = "transfer_failed"

    def __init__(self, message: str, *, side: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.side = side
        self.attempts = attempts


class ReferrerFailed(TransferFailed):
    """A referrer or signature could not be copied, so the tag of its image was not written."""

    kind = "referrer_failed"


class StoreError(ReplicatorError):
    """The database cannot be used."""

    kind = "store"


class SchemaMismatch(StoreError):
    """The database is older or newer than this program."""

    kind = "schema_mismatch"


class RuleNotFound(StoreError):
    """There is no rule of that name."""

    kind = "rule_not_found"


class RunNotFound(StoreError):
    """There is no run with that identifier."""

    kind = "run_not_found"


class RegistryNotFound(StoreError):
    """The database keeps no registry of that name."""

    kind = "registry_not_found"


class CredentialNotFound(StoreError):
    """There is no credential of that name."""

    kind = "credential_not_found"


class TokenNotFound(StoreError):
    """There is no token of that name."""

    kind = "token_not_found"


class NameTaken(StoreError):
    """There is something of that name already."""

    kind = "name_taken"


class RunActive(StoreError):
    """The rule already has a run under way, here or elsewhere."""

    kind = "run_active"


class RunFinished(StoreError):
    """A run that was to be cancelled is over."""

    kind = "run_finished"


class LeaseLost(StoreError):
    """The run was ended by somebody else, who took this process for dead; nothing was written."""

    kind = "lease_lost"


class RuleConflict(StoreError):
    """Two rules would write one tag, or somebody else changed the rule meanwhile."""

    kind = "rule_conflict"
