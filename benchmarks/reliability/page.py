"""The table of docs/reliability.md."""

from __future__ import annotations

from typing import Any

TITLES = {
    "kills": "`kill -9` at random times",
    "disk": "a full disk",
    "rename": "killed around a write",
    "clock": "a clock that runs backwards",
    "lock": "several processes in one directory",
    "fuzz": "damaged input",
}


def section(results: dict[str, Any]) -> str:
    """A line for each part, then one for each kind of damaged file, and every failure."""
    lines = ["| part | what was done | failures |", "|---|---|---|"]
    parts = {name: results[name] for name in TITLES if name in results}
    for name, part in parts.items():
        lines.append(f"| {TITLES[name]} | {summary(name, part['rows'])} | {failed(part['rows'])} |")
    if "fuzz" in parts:
        lines += [
            "",
            "| damaged file | inputs | read all the same | refused in a sentence | failures |",
            "|---|---|---|---|---|",
        ]
        for row in sorted(parts["fuzz"]["rows"], key=lambda one: str(one["case"])):
            counts = (row["inputs"], row["accepted"], row["refused"], len(row["failures"]))
            lines.append(f"| {row['case']} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    failures = [
        f"- {row['case']}: {failure}" for part in parts.values() for row in part["rows"] for failure in row["failures"]
    ]
    if failures:
        lines += ["", "Failures:", "", *failures]
    for part in parts.values():
        machine, versions = part["machine"], part["versions"]
        lines += [
            "",
            f"`{part['command']}`: {part['seconds']:,.0f} s; {machine['processor']}, Python {versions['python']}, "
            f"torch {versions['torch']}.",
        ]
    return "\n".join(lines)


def summary(name: str, rows: list[dict[str, Any]]) -> str:
    methods = len({row.get("method") for row in rows})
    if name == "kills":
        kills, writing = (sum(row[key] for row in rows) for key in ("kills", "while_writing"))
        told = f"{kills} kills of {len(rows)} runs of {methods} methods"
        return f"{told}, {writing} of them while something was being written"
    if name in ("disk", "rename"):
        ends: dict[str, int] = {}
        for row in rows:
            for how, count in row["ends"].items():
                ends[how] = ends.get(how, 0) + count
        told = ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))
        return f"{sum(row['faults'] for row in rows)} faulty runs of {methods} methods, one for each write ({told})"
    if name == "fuzz":
        return f"{sum(row['inputs'] for row in rows):,} inputs of {len(rows)} kinds"
    return f"{len(rows)} cases: {'; '.join(str(row['case']) for row in rows)}"


def failed(rows: list[dict[str, Any]]) -> int:
    return sum(len(row["failures"]) for row in rows)
