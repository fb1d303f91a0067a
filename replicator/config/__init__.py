"""The configuration: config.toml and the environment, read once, into frozen values."""

from __future__ import annotations

from replicator.config.load import load_config
from replicator.config.model import Config, RegistryEntry, ServiceSettings

__all__ = ["Config", "RegistryEntry", "ServiceSettings", "load_config"]
