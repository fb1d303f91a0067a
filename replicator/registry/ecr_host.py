"""EcrHost: what the name of one of Amazon's registries says."""

from __future__ import annotations

import re
from typing import Final, Self

from replicator.values import dataclass

PUBLIC: Final = "public.ecr.aws"
# The public registry's own API is in this region alone, whatever is asked.
_PUBLIC_REGION: Final = "us-east-1"
_PUBLIC_API: Final = f"https://api.ecr-public.{_PUBLIC_REGION}.amazonaws.com"

_IPV4: Final = re.compile(
    r"([0-9]{12})\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\."
    r"(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)"
)
_DUAL_STACK: Final = re.compile(
    r"([0-9]{12})\.dkr-ecr(-fips)?\.([a-z0-9-]+)\.on\.(aws|amazonwebservices\.com\.cn)"
)


@dataclass(frozen=True, slots=True)
class EcrHost:
    """One registry of Amazon's; *account* is empty for the public one. *api* is an origin."""

    account: str
    region: str
    api: str
    fips: bool = False
    dual_stack: bool = False

    @property
    def is_public(self) -> bool:
        return not self.account

    @classmethod
    def parse(cls, host: str) -> Self | None:
        """Read a host; None if it is not one of Amazon's."""
        host = host.lower()
        if host == PUBLIC:
            return cls("", _PUBLIC_REGION, _PUBLIC_API)
        if found := _IPV4.fullmatch(host):
            account, fips, region, suffix = found.groups()
            name = "ecr-fips" if fips else "api.ecr"
            return cls(account, region, f"https://{name}.{region}.{suffix}", bool(fips))
        if found := _DUAL_STACK.fullmatch(host):
            account, fips, region, suffix = found.groups()
            name = "ecr-fips" if fips else "ecr"
            return cls(account, region, f"https://{name}.{region}.api.{suffix}", bool(fips), True)
        return None
