"""Stage: content that goes into a registry and out of it again, and is the same at the end."""

from __future__ import annotations

from dataclasses import dataclass

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.registry.repository import Repository
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order, Result
from tests.contract.place import Place
from tests.registry.clients import Client, OpenClient

SEED = "stock/app"


@dataclass
class Stage:
    """A seed with content, the place in the middle, and a sink that has nothing yet."""

    place: Place
    path: str
    seed: EmbeddedRegistry
    sink: EmbeddedRegistry
    open_client: OpenClient

    def __post_init__(self) -> None:
        self.client = self.client_of(self.place.login)
        self.reader = self.client_of(self.place.login)
        self._into = self._transfer()

    @property
    def stock(self) -> MemoryStorage:
        assert isinstance(self.seed.storage, MemoryStorage)
        return self.seed.storage

    def client_of(self, login: object) -> Client:
        return self.open_client(self.place.host, login=login, **self.place.settings)

    def repository(self, name: str = "") -> Repository:
        return self.client.registry.repository(self.path + name)

    async def fill(self, tag: str, name: str = "") -> Result:
        """Copy a tag from the seed into the place."""
        seed = self.open_client(self.seed.host).registry.repository(SEED)
        return await self._copy(self._into, seed, self.repository(name), tag)

    async def round_trip(self, tag: str) -> Result:
        """Copy a tag into the place and out of it; returns the first of these copies."""
        result = await self.fill(tag)
        sink = self.open_client(self.sink.host).registry.repository(SEED)
        source = self.reader.registry.repository(self.path)
        await self._copy(self._transfer(), source, sink, tag)
        digest = self.stock.resolve(SEED, tag)
        assert digest is not None
        assert self.sink.storage.resolve(SEED, tag) == digest
        self.assert_same(digest)
        return result

    def assert_same(self, digest: Digest) -> None:
        """Make sure that the sink has a manifest, byte by byte, and all that it names."""
        stored = self.stock.manifest(SEED, digest)
        assert stored is not None
        assert self.sink.storage.manifest(SEED, digest) == stored
        manifest = Manifest.parse(stored.content, stored.media_type)
        for child in manifest.manifests:
            self.assert_same(child.digest)
        for blob in manifest.blobs:
            assert self.sink.storage.blob_size(SEED, blob.digest) == blob.size

    def _transfer(self) -> Transfer:
        return Transfer(inventory=MemoryInventory())

    async def _copy(
        self, transfer: Transfer, source: Repository, destination: Repository, tag: str
    ) -> Result:
        order = Order(source, Tag(tag), (Destination(destination, Tag(tag)),))
        (result,) = await transfer.copy(order)
        if result.error is not None:
            raise result.error
        return result
