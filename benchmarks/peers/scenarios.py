"""What is measured: how a source is filled, what changes, and whether a destination equals it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from benchmarks.peers.images import OCI_I, OCI_M, blob, digest, image, index, many

MiB = 1 << 20
MANIFESTS = {
    "Accept": ", ".join(
        (
            OCI_M,
            OCI_I,
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
        )
    )
}
EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2}


@dataclass(frozen=True)
class Scenario:
    key: str
    title: str
    repositories: dict  # path -> tags
    fill: object  # (HOST:PORT) -> None: pushes them
    every: bool = True  # all tags of the repository, else the named ones
    warm: bool = False  # the destination equals the source before, and the tool has seen it
    forget: bool = False  # … but what the tool remembers is removed
    change: object = None  # (HOST:PORT, round) -> None: changes the source before a round
    referrers: bool = False
    destinations: int = 1
    delay_ms: int = 0  # one way, between the tool and the source
    api: bool = False  # on a registry with the referrers API
    tls: bool = False


# Filling.


def shared(repo, tags, base, own, version=""):
    """Images that share their base layers: one call of `image` a tag."""
    return [
        lambda r, t=t: image(
            r,
            repo,
            t,
            [(f"base-{n}", size) for n, size in enumerate(base)]
            + [(f"own-{repo}-{t}{version}", own)],
            f"{repo}:{t}{version}",
        )
        for t in tags
    ]


def names(n, prefix="v"):
    return tuple(f"{prefix}{i:04}" for i in range(n))


def fill_shared(repositories, base, own):
    def fill(host):
        first = []
        # One tag of each repository first, so that no layer is pushed twice.
        for repo, tags in repositories.items():
            first += shared(repo, tags[:1], base, own)
        many(host, first, workers=2)
        many(
            host,
            [
                job
                for repo, tags in repositories.items()
                for job in shared(repo, tags[1:], base, own)
            ],
        )

    return fill


def change_one(repo, base, own):
    def change(host, n):
        many(host, shared(repo, [names(100)[n]], base, own, version="-changed"))

    return change


def attach(registry, repo, subject, kind, seed):
    """An OCI 1.1 referrer. Returns its descriptor."""
    registry.put_blob(repo, b"{}")
    data = blob(seed, 2048)
    doc = {
        "schemaVersion": 2,
        "mediaType": OCI_M,
        "artifactType": kind,
        "config": EMPTY,
        "layers": [{"mediaType": kind, "digest": registry.put_blob(repo, data), "size": len(data)}],
        "subject": {k: subject[k] for k in ("mediaType", "digest", "size")},
    }
    d, n = registry.put_manifest(
        repo, digest(json.dumps(doc, separators=(",", ":")).encode()), doc, OCI_M
    )
    return {"mediaType": OCI_M, "digest": d, "size": n, "artifactType": kind}


def announce(registry, repo, subject, descriptors):
    """The referrers tag, where the registry has no referrers API."""
    if registry.req("GET", f"/v2/{repo}/referrers/{subject['digest']}")[0] != 200:
        registry.put_manifest(
            repo,
            subject["digest"].replace(":", "-"),
            {"schemaVersion": 2, "mediaType": OCI_I, "manifests": descriptors},
            OCI_I,
        )


def fill_signed(repo, tags):
    """Indexes of five platforms, each with a signature and an SBOM.

    One child has a provenance, and cosign keeps a signature under a tag.
    """

    def one(registry, tag):
        d, n = index(
            registry,
            repo,
            tag,
            lambda p: [("base-" + p[1], 512 << 10), (f"{tag}-{p[1]}", 64 << 10)],
            f"{repo}:{tag}",
        )
        top = {"mediaType": OCI_I, "digest": d, "size": n}
        announce(
            registry,
            repo,
            top,
            [
                attach(
                    registry,
                    repo,
                    top,
                    "application/vnd.dev.sigstore.bundle.v0.3+json",
                    f"sig-{tag}",
                ),
                attach(registry, repo, top, "application/spdx+json", f"sbom-{tag}"),
            ],
        )
        child = json.loads(registry.req("GET", f"/v2/{repo}/manifests/{d}", headers=MANIFESTS)[2])[
            "manifests"
        ][0]
        announce(
            registry,
            repo,
            child,
            [attach(registry, repo, child, "application/vnd.in-toto+json", f"provenance-{tag}")],
        )
        image(
            registry, repo, d.replace(":", "-") + ".sig", [(f"cosign-{tag}", 256)], f"cosign-{tag}"
        )

    return lambda host: many(host, [lambda r, t=t: one(r, t) for t in tags])


# Checking.


@dataclass
class Truth:
    """What the destination must hold, by repository path."""

    tags: dict = field(default_factory=dict)  # (path, tag) -> digest
    manifests: set = field(default_factory=set)  # (path, digest)
    blobs: dict = field(default_factory=dict)  # (path, digest) -> size
    referrers: dict = field(default_factory=dict)  # (path, subject) -> digests
    signatures: dict = field(default_factory=dict)  # (path, cosign tag) -> digest

    def size(self):
        return len(self.tags) + len(self.manifests) + len(self.blobs)


def referrers_of(registry, repo, subject):
    status, _, body = registry.req("GET", f"/v2/{repo}/referrers/{subject}")
    if status != 200:
        status, _, body = registry.req(
            "GET", f"/v2/{repo}/manifests/{subject.replace(':', '-')}", headers=MANIFESTS
        )
    return {m["digest"] for m in json.loads(body)["manifests"]} if status == 200 else set()


def truth_of(host, scenario):
    truth = Truth()

    def walk(registry, repo, reference):
        status, _, body = registry.req(
            "GET", f"/v2/{repo}/manifests/{reference}", headers=MANIFESTS
        )
        assert status == 200, (status, repo, reference)
        d, doc = digest(body), json.loads(body)
        if (repo, d) in truth.manifests:
            return d
        truth.manifests.add((repo, d))
        for b in doc.get("layers", []) + ([doc["config"]] if "config" in doc else []):
            truth.blobs[repo, b["digest"]] = b["size"]
        for m in doc.get("manifests", []):
            walk(registry, repo, m["digest"])
        if scenario.referrers:
            found = truth.referrers[repo, d] = referrers_of(registry, repo, d)
            for r in found:
                walk_apart(registry, repo, r)
        return d

    def walk_apart(registry, repo, d):
        # A lost referrer is counted as such, and not as lost blobs.
        path = f"/v2/{repo}/manifests/{d}"
        assert registry.req("HEAD", path, headers=MANIFESTS)[0] == 200

    def signed(registry, repo):
        for tag in registry.tags(repo):
            if tag.endswith(".sig"):
                path = f"/v2/{repo}/manifests/{tag}"
                headers = registry.req("HEAD", path, headers=MANIFESTS)[1]
                truth.signatures[repo, tag] = headers["docker-content-digest"]

    def one(registry, repo, tag):
        truth.tags[repo, tag] = walk(registry, repo, tag)

    jobs = [
        lambda r, p=p, t=t: one(r, p, t) for p, tags in scenario.repositories.items() for t in tags
    ]
    if scenario.referrers:
        jobs += [lambda r, p=p: signed(r, p) for p in scenario.repositories]
    many(host, jobs)
    return truth


def faults(host, truth, deep=True):
    """What the destination lacks, in words; empty if it is right."""

    def has_tag(registry, repo, tag, d):
        status, headers, _ = registry.req("HEAD", f"/v2/{repo}/manifests/{tag}", headers=MANIFESTS)
        return status == 200 and headers.get("docker-content-digest") == d

    def has_manifest(registry, repo, d):
        return registry.req("HEAD", f"/v2/{repo}/manifests/{d}", headers=MANIFESTS)[0] == 200

    def has_blob(registry, repo, d, size):
        status, headers, _ = registry.req("HEAD", f"/v2/{repo}/blobs/{d}")
        return status == 200 and int(headers["content-length"]) == size

    def lost_referrers(registry, repo, subject, wanted):
        found = referrers_of(registry, repo, subject)
        return sum(d not in found or not has_manifest(registry, repo, d) for d in wanted)

    checks = {
        "tags wrong": [lambda r, k=k, d=d: not has_tag(r, *k, d) for k, d in truth.tags.items()],
        "cosign tags lost": [
            lambda r, k=k, d=d: not has_tag(r, *k, d) for k, d in truth.signatures.items()
        ],
        "referrers lost": [
            lambda r, k=k, w=w: lost_referrers(r, *k, w) for k, w in truth.referrers.items() if w
        ],
    }
    if deep:
        checks["manifests lost"] = [lambda r, k=k: not has_manifest(r, *k) for k in truth.manifests]
        checks["blobs lost"] = [
            lambda r, k=k, s=s: not has_blob(r, *k, s) for k, s in truth.blobs.items()
        ]
    wholes = {"referrers lost": sum(map(len, truth.referrers.values()))}
    lost = {words: sum(many(host, jobs)) for words, jobs in checks.items() if jobs}
    return [
        f"{n} of {wholes.get(words, len(checks[words]))} {words}" for words, n in lost.items() if n
    ]


# The list.

BIG = {"bench/big": ("v1",)}
FAN = {"bench/fan": ("v1",)}
B = {"bench/shared": names(100)}
C100, C1000 = {"bench/noop100": names(100)}, {"bench/noop1000": names(1000)}
D = {"bench/changing": names(100)}
E = {f"bench/app{n:02}": names(2) for n in range(30)}
F = {"bench/signed": names(10)}
TINY_ONES = {f"bench/tiny{n:03}": names(2) for n in range(500)}
BASE5, TINY = [8 * MiB] * 5, [1024]


def fill_layers(repo, sizes):
    return lambda host: many(
        host,
        [
            lambda r: image(
                r, repo, "v1", [(f"{repo}-{n}", s * MiB) for n, s in enumerate(sizes)], repo
            )
        ],
    )


_a = Scenario(
    "a",
    "one image of 1 GiB (512 + 384 + 128 MiB), cold",
    BIG,
    fill_layers("bench/big", (512, 384, 128)),
    every=False,
)
_b = Scenario(
    "b",
    "100 tags sharing 5 base layers of 8 MiB, 256 KiB each own, cold",
    B,
    fill_shared(B, BASE5, 256 << 10),
)
_c = Scenario(
    "c1000",
    "no-op, 1,000 unchanged tags in one repository",
    C1000,
    fill_shared(C1000, TINY, 1024),
    warm=True,
)
_d = Scenario(
    "d",
    "1 of 100 tags changed",
    D,
    fill_shared(D, [MiB], 64 << 10),
    warm=True,
    change=change_one("bench/changing", [MiB], 64 << 10),
)

SCENARIOS = {
    s.key: s
    for s in (
        _a,
        _b,
        Scenario(
            "c100",
            "no-op, 100 unchanged tags in one repository",
            C100,
            fill_shared(C100, TINY, 1024),
            warm=True,
        ),
        _c,
        _d,
        Scenario(
            "e",
            "30 repositories of 2 tags sharing 3 base layers of 8 MiB, 64 KiB each own, cold",
            E,
            fill_shared(E, [8 * MiB] * 3, 64 << 10),
        ),
        Scenario(
            "f",
            "10 named indexes of 5 platforms; 20 referrers of the indexes, 10 of a child, "
            "10 cosign tags have to follow",
            F,
            fill_signed("bench/signed", F["bench/signed"]),
            every=False,
            referrers=True,
        ),
        Scenario(
            "fa",
            "the same as f, on registries with the referrers API (read: heads and manifests, too)",
            F,
            fill_signed("bench/signed", F["bench/signed"]),
            every=False,
            referrers=True,
            api=True,
        ),
        Scenario(
            "fw",
            "the same as f, unchanged (no-op)",
            F,
            fill_signed("bench/signed", F["bench/signed"]),
            every=False,
            referrers=True,
            warm=True,
        ),
        Scenario(
            "g",
            "one image of 512 MiB (384 + 128) to 3 registries, cold",
            FAN,
            fill_layers("bench/fan", (384, 128)),
            every=False,
            destinations=3,
        ),
        replace(_b, key="hb", title="b with the source 50 ms away", delay_ms=25),
        replace(_c, key="hc", title="c1000 with the source 50 ms away", delay_ms=25),
        replace(_d, key="hd", title="d with the source 50 ms away", delay_ms=25),
        Scenario(
            "i",
            "no-op, 500 repositories of 2 tags",
            TINY_ONES,
            fill_shared(TINY_ONES, TINY, 1024),
            warm=True,
        ),
        replace(_c, key="j", title="c1000 with what the tool remembers removed", forget=True),
        replace(_a, key="ta", title="a over TLS", tls=True),
        replace(_b, key="tb", title="b over TLS", tls=True),
        replace(_c, key="tc", title="c1000 over TLS", tls=True),
    )
}
GROUPS = {
    "c": ("c100", "c1000"),
    "h": ("hb", "hc", "hd"),
    "t": ("ta", "tb", "tc"),
    "all": tuple(SCENARIOS),
}


def chosen(words):
    return [SCENARIOS[k] for w in words.split(",") for k in (GROUPS.get(w) or (w,))]
