"""Builds the object graph from a Config; the only place that knows all of it.

Each part is in a module of its own, which is loaded when somebody first asks for what it has: a
copy loads no SQL, and whoever only looks at the history speaks to no registry.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicator.bootstrap.answers import open_desk as open_desk
    from replicator.bootstrap.answers import open_explainer as open_explainer
    from replicator.bootstrap.answers import open_status as open_status
    from replicator.bootstrap.docker_logins import forget_login as forget_login
    from replicator.bootstrap.docker_logins import keep_login as keep_login
    from replicator.bootstrap.kept_registries import keep_facts as keep_facts
    from replicator.bootstrap.kept_registries import kept_facts as kept_facts
    from replicator.bootstrap.kept_registries import open_registry_desk as open_registry_desk
    from replicator.bootstrap.kept_registries import registry_desk as registry_desk
    from replicator.bootstrap.kept_registries import with_kept_registries as with_kept_registries
    from replicator.bootstrap.kept_secrets import open_credentials as open_credentials
    from replicator.bootstrap.kept_secrets import open_tokens as open_tokens
    from replicator.bootstrap.kept_secrets import secret_keys as secret_keys
    from replicator.bootstrap.keychains import unreadable_logins as unreadable_logins
    from replicator.bootstrap.logins import oidc_login as oidc_login
    from replicator.bootstrap.one_off import open_one_off as open_one_off
    from replicator.bootstrap.records import open_audit as open_audit
    from replicator.bootstrap.records import open_queue as open_queue
    from replicator.bootstrap.records import open_rulebook as open_rulebook
    from replicator.bootstrap.records import open_runs as open_runs
    from replicator.bootstrap.records import write_down as write_down
    from replicator.bootstrap.registries import check_listable as check_listable
    from replicator.bootstrap.registries import check_login as check_login
    from replicator.bootstrap.registries import open_one_registry as open_one_registry
    from replicator.bootstrap.registries import open_registries as open_registries
    from replicator.bootstrap.service import open_service as open_service
    from replicator.bootstrap.service import verifier as verifier
    from replicator.bootstrap.serving import Served as Served
    from replicator.bootstrap.serving import open_serving as open_serving
    from replicator.bootstrap.start import new_event_loop as new_event_loop
    from replicator.bootstrap.start import read_config as read_config

# Where each name is, for the interpreter; the imports above say the same to the type checker.
_MODULES = {
    "answers": ("open_desk", "open_explainer", "open_status"),
    "docker_logins": ("forget_login", "keep_login"),
    "kept_registries": (
        "keep_facts",
        "kept_facts",
        "open_registry_desk",
        "registry_desk",
        "with_kept_registries",
    ),
    "kept_secrets": ("open_credentials", "open_tokens", "secret_keys"),
    "keychains": ("unreadable_logins",),
    "logins": ("oidc_login",),
    "one_off": ("open_one_off",),
    "records": ("open_audit", "open_queue", "open_rulebook", "open_runs", "write_down"),
    "registries": ("check_listable", "check_login", "open_one_registry", "open_registries"),
    "service": ("open_service", "verifier"),
    "serving": ("Served", "open_serving"),
    "start": ("new_event_loop", "read_config"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load the module that has *name*, the first time somebody asks for it."""
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
        return found
