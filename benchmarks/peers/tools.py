"""How each tool is told to do a job: its configuration, its command lines, its best settings.

Executables come from a variable named like the tool ($SKOPEO, $REGSYNC, …; ours is $REPLICATE),
from PATH, or from where ``make tools`` and ``make install`` put them. Configurations are written as
JSON wherever the tool reads YAML.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

# What is given to tools that take a number of workers.
PARALLEL = 8

_ROOT = Path(__file__).parents[2]
_OUR_FOLDERS = os.pathsep.join(str(_ROOT / each) for each in (".tools/bin", ".venv/bin"))


@dataclass(frozen=True)
class Copy:
    """One repository to some destinations, as HOST:PORT/PATH.

    With ``every``, the tags are all that the source has.
    """

    source: str
    tags: tuple
    destinations: tuple
    every: bool = True


@dataclass(frozen=True)
class Job:
    copies: tuple
    referrers: bool = False
    authority: str | None = None  # signs the registries' certificates; without one, no TLS

    def pairs(self):
        return [(c, d) for c in self.copies for d in c.destinations]

    def hosts(self):
        return sorted(
            {host(c.source) for c in self.copies}
            | {host(d) for c in self.copies for d in c.destinations}
        )


@dataclass
class Plan:
    commands: list
    parallel: int = 1
    env: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    name: str
    plan: object  # (job, folder, state) -> Plan; the folder is for files, the state outlives a run
    version: tuple
    settings: str
    stateful: bool = False  # remembers something between runs


def _without_tls(job):
    assert not job.authority, "its settings here are for registries without TLS"


def host(reference):
    return reference.split("/", 1)[0]


def path(reference):
    return reference.split("/", 1)[1]


def exe(name):
    variable = name.upper().replace("-", "_")
    found = os.environ.get(variable) or shutil.which(name)
    found = found or shutil.which(name, path=_OUR_FOLDERS)
    if not found:
        raise FileNotFoundError(f"{name}: neither in PATH nor in ${variable}")
    return found


def save(folder, name, content):
    file = os.path.join(folder, name)
    with open(file, "w") as f:
        f.write(content if isinstance(content, str) else json.dumps(content, indent=1))
    return file


def ours(job, folder, state):
    lines = ["[service]", f'database = "sqlite:///{state}/replicator.db"']
    way = f'ca_file = "{job.authority}"' if job.authority else "plain_http = true"
    for h in job.hosts():
        lines += ["", f'[registries."{h}"]', 'kind = "distribution"', way]
    for n, c in enumerate(job.copies):
        lines += [
            "",
            "[[rules]]",
            f'name = "rule-{n:04}"',
            f'source = "{c.source}"',
            f"destinations = {json.dumps(c.destinations)}",
            f"referrers = {json.dumps(job.referrers)}",
        ]
        if not c.every:
            lines.append(f"tags = {{ include = {json.dumps(c.tags)} }}")
    return Plan(
        [
            [
                exe("replicate"),
                "--config",
                save(folder, "config.toml", "\n".join(lines) + "\n"),
                "run",
            ]
        ]
    )


def regsync(job, folder, state, entry_per_tag=False):
    entries = []
    for c, d in job.pairs():
        common = {"referrers": True, "digestTags": True} if job.referrers else {}
        if c.every and not entry_per_tag:
            entries.append({"source": c.source, "target": d, "type": "repository", **common})
        else:
            entries += [
                {"source": f"{c.source}:{t}", "target": f"{d}:{t}", "type": "image", **common}
                for t in c.tags
            ]
    config = {
        "version": 1,
        "creds": [
            {
                "registry": h,
                "tls": "enabled" if job.authority else "disabled",
                "reqConcurrent": 2 * PARALLEL,
            }
            for h in job.hosts()
        ],
        "defaults": {"parallel": PARALLEL, "skipDockerConfig": True},
        "sync": entries,
    }
    return Plan(
        [[exe("regsync"), "-c", save(folder, "regsync.json", config), "-v", "warn", "once"]],
        env=_trust(job),
    )


def _trust(job):
    """What makes programs in Go trust the registries."""
    return {"SSL_CERT_FILE": job.authority} if job.authority else {}


# Makes skopeo keep its blob cache in the state folder, also for root.
_OWN_CACHE = {"_CONTAINERS_ROOTLESS_UID": "1000"}


def skopeo(job, folder, state):
    _without_tls(job)
    # It takes the destination on its command line, and keeps the source's last component.
    runs = {}
    for c, d in job.pairs():
        assert c.source.rsplit("/", 1)[1] == d.rsplit("/", 1)[1], (
            "skopeo sync cannot rename a repository"
        )
        images = runs.setdefault(d.rsplit("/", 1)[0], {}).setdefault(
            host(c.source), {"tls-verify": False, "images": {}}
        )["images"]
        images[path(c.source)] = [] if c.every else list(c.tags)
    return Plan(
        [
            [
                exe("skopeo"),
                "--insecure-policy",
                "sync",
                "--src",
                "yaml",
                "--dest",
                "docker",
                "--all",
                "--preserve-digests",
                "--keep-going",
                "--dest-tls-verify=false",
                save(folder, f"skopeo-{n}.yaml", y),
                prefix,
            ]
            for n, (prefix, y) in enumerate(runs.items())
        ],
        parallel=PARALLEL,
        env=_OWN_CACHE,
    )


def image_syncer(job, folder, state):
    _without_tls(job)
    auth = {h: {"username": "", "password": "", "insecure": True} for h in job.hosts()}
    images = {
        c.source if c.every else f"{c.source}:{','.join(c.tags)}": list(c.destinations)
        for c in job.copies
    }
    return Plan(
        [
            [
                exe("image-syncer"),
                "--auth",
                save(folder, "auth.json", auth),
                "--images",
                save(folder, "images.json", images),
                "--proc",
                str(PARALLEL),
            ]
        ]
    )


def dregsy(job, folder, state):
    _without_tls(job)
    tasks = {}
    for c, d in job.pairs():
        mapping = {"from": path(c.source), "to": path(d), "platform": "all"}
        if not c.every:
            mapping["tags"] = list(c.tags)
        tasks.setdefault((host(c.source), host(d)), []).append(mapping)
    config = {
        "relay": "skopeo",
        "skopeo": {"binary": exe("skopeo")},
        "tasks": [
            {
                "name": f"t{n}",
                "interval": 0,
                "source": {"registry": s, "skip-tls-verify": True},
                "target": {"registry": d, "skip-tls-verify": True},
                "mappings": m,
            }
            for n, ((s, d), m) in enumerate(tasks.items())
        ],
    }
    return Plan([[exe("dregsy"), "-config", save(folder, "dregsy.json", config)]], env=_OWN_CACHE)


def ocync(job, folder, state, images=50):
    _without_tls(job)
    name = {h: f"r{n}" for n, h in enumerate(job.hosts())}
    registries = {
        n: {
            "url": f"http://{h}",
            "auth_type": "static_token",
            "token": "none",
            "max_concurrent": 50,
            "head_first": True,
        }
        for h, n in name.items()
    }
    mappings = [
        {
            "from": path(c.source),
            "to": path(c.destinations[0]),
            "source": name[host(c.source)],
            "targets": [name[host(d)] for d in c.destinations],
            "tags": {"glob": "*" if c.every else list(c.tags)},
        }
        for c in job.copies
    ]
    config = {
        "global": {"cache_dir": state, "max_concurrent_transfers": images},
        "registries": registries,
        "defaults": {"artifacts": {"enabled": job.referrers}},
        "mappings": mappings,
    }
    return Plan([[exe("ocync"), "sync", "--config", save(folder, "ocync.yaml", config)]])


def crane(job, folder, state):
    pairs = job.pairs()
    whole = [
        [exe("crane"), "cp", "-a", "-j", str(PARALLEL), c.source, d] for c, d in pairs if c.every
    ]
    named = [
        [exe("crane"), "cp", f"{c.source}:{t}", f"{d}:{t}"]
        for c, d in pairs
        if not c.every
        for t in c.tags
    ]
    return Plan(whole + named, parallel=4, env=_trust(job))


def oras(job, folder, state):
    flags = ["--no-tty", "--concurrency", str(PARALLEL)] + (["-r"] if job.referrers else [])
    if not job.authority:
        flags += ["--from-plain-http", "--to-plain-http"]
    return Plan(
        [
            [exe("oras"), "cp", *flags, f"{c.source}:{t}", f"{d}:{t}"]
            for c, d in job.pairs()
            for t in c.tags
        ],
        parallel=PARALLEL,
        env=_trust(job),
    )


def regctl(job, folder, state):
    _without_tls(job)
    flags = ["--referrers", "--digest-tags"] if job.referrers else []
    hosts = [f"--host=reg={h},tls=disabled" for h in job.hosts()]
    return Plan(
        [
            [exe("regctl"), *hosts, "image", "copy", *flags, f"{c.source}:{t}", f"{d}:{t}"]
            for c, d in job.pairs()
            for t in c.tags
        ],
        parallel=PARALLEL,
    )


TOOLS = {
    t.name: t
    for t in (
        Tool("ours", ours, ("replicate", "--version"), "defaults", stateful=True),
        Tool(
            "regsync",
            regsync,
            ("regsync", "version"),
            f"parallel {PARALLEL}, reqConcurrent {2 * PARALLEL}, one entry a repository",
        ),
        Tool(
            "regsync-tags",
            lambda j, f, s: regsync(j, f, s, True),
            ("regsync", "version"),
            f"parallel {PARALLEL}, reqConcurrent {2 * PARALLEL}, "
            "one entry a tag (tags typed by hand, no listing)",
        ),
        Tool(
            "skopeo",
            skopeo,
            ("skopeo", "--version"),
            f"sync --all --preserve-digests, one process a destination, {PARALLEL} at once",
            stateful=True,
        ),
        Tool("image-syncer", image_syncer, ("image-syncer", "--version"), f"--proc {PARALLEL}"),
        Tool(
            "dregsy",
            dregsy,
            ("dregsy", "-version"),
            "skopeo relay, platform all (no parallel setting)",
            stateful=True,
        ),
        Tool(
            "ocync",
            ocync,
            ("ocync", "version"),
            "max_concurrent_transfers 50 (its default), max_concurrent 50, head_first",
            stateful=True,
        ),
        Tool(
            "ocync-8",
            lambda j, f, s: ocync(j, f, s, 8),
            ("ocync", "version"),
            "max_concurrent_transfers 8, max_concurrent 50, head_first",
            stateful=True,
        ),
        Tool(
            "crane",
            crane,
            ("crane", "version"),
            f"cp -a -j {PARALLEL}, 4 processes at once for several repositories",
        ),
        Tool(
            "oras",
            oras,
            ("oras", "version"),
            f"cp --concurrency {PARALLEL}, a process a tag, {PARALLEL} at once "
            "(tags typed by hand, no listing)",
        ),
        Tool(
            "regctl",
            regctl,
            ("regctl", "version"),
            f"image copy, a process a tag, {PARALLEL} at once (tags typed by hand, no listing)",
        ),
    )
}
