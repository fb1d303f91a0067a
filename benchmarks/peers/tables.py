"""What was measured, as tables in Markdown."""

from __future__ import annotations

import statistics

_COLUMNS = (
    "tool",
    "requests source",
    "destination",
    "read MiB",
    "written MiB",
    "wall s",
    "ratio",
    "CPU s",
    "RSS MiB",
    "rounds",
    "right",
)


def tables(results):
    """Yield the lines of a table for each scenario."""
    yield (
        f"Server: {results['server']}. {results['cores']} cores, shared by the tool and the "
        "registries. Times are medians; ratio: wall time against the best right result. CPU and "
        "memory are of the tool with its children.\n"
    )
    for key, entry in results["scenarios"].items():
        yield f"### {key}: {entry['title']}\n"
        rows = [(name, rounds) for name, rounds in entry["tools"].items() if rounds]
        yield from _table(rows)
        yield "\n<details><summary>requests by kind (last round)</summary>\n"
        yield "| tool | source | destination |\n|---|---|---|"
        for name, rounds in rows:
            last = rounds[-1]
            yield f"| {name} | {_kinds(last['source'])} | {_kinds(last['destination'])} |"
        yield "\n</details>\n"


def _table(rows):
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---" * len(_COLUMNS) + "|"
    right = [rounds for _, rounds in rows if not rounds[-1]["faults"]]
    best = min((_middle(rounds, "wall") for rounds in right), default=0)
    for name, rounds in rows:
        wall = _middle(rounds, "wall")
        wrong = sorted({fault for each in rounds for fault in each["faults"]})
        cells = (
            name,
            f"{_middle(rounds, 'source', 'total'):.0f}",
            f"{_middle(rounds, 'destination', 'total'):.0f}",
            f"{_middle(rounds, 'source', 'blob bytes out') / 2**20:.2f}",
            f"{_middle(rounds, 'written') / 2**20:.2f}",
            f"{wall:.2f}",
            f"{wall / best if best else 0:.2f}",
            f"{_middle(rounds, 'cpu'):.2f}",
            f"{_middle(rounds, 'rss_mib'):.0f}",
            str(len(rounds)),
            "; ".join(wrong) or "yes",
        )
        yield f"| {' | '.join(cells)} |"


def _middle(rounds, *keys):
    def value(cost):
        for key in keys:
            cost = cost[key]
        return cost

    return statistics.median(map(value, rounds))


def _kinds(counts):
    shown = {k: n for k, n in counts.items() if k != "total" and "bytes" not in k}
    return ", ".join(f"{k} {n}" for k, n in sorted(shown.items())) or "none"
