"""The result of checking data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MOST_CLASSES = 20  # listed individually


@dataclass
class Report:
    """What was found. `problems` has one sentence each: the file, what is wrong, and the remedy."""

    path: str
    description: str = "not recognised"
    splits: dict[str, int] = field(default_factory=dict)  # pairs in each
    sizes: Counter[str] = field(default_factory=Counter)  # "WxH" of images as stored -> how many
    size: tuple[int, int] | None = None  # (H, W) that training would use
    condition: str = ""
    classes: list[tuple[str, float]] = field(default_factory=list)  # name, share of all pixels, or of images
    hues: str = ""  # a bar for each hue
    opened: int = 0  # pairs whose files were decoded
    problems: list[str] = field(default_factory=list)
    also: str = ""  # what else the data may be, and how to ask for that
    notes: list[str] = field(default_factory=list)  # decisions and omissions that need no action

    @property
    def ok(self) -> bool:
        return not self.problems

    def text(self) -> str:
        """The report as a few lines of text."""
        lines = [self.path, f"  what       {self.description}"]
        if self.splits:
            lines.append("  pairs      " + ", ".join(f"{count} {name}" for name, count in self.splits.items()))
        if self.sizes:
            shown = ", ".join(f"{size} ({count})" for size, count in self.sizes.most_common(3))
            lines.append(f"  images     {shown}{', and other sizes' if len(self.sizes) > 3 else ''}")
        if self.size is not None:
            height, width = self.size
            lines.append(f"  trained    at {width}x{height}, unless --size gives another")
        if self.condition:
            lines.append(f"  condition  {self.condition}")
        lines += _class_lines(self.classes)
        if self.hues:
            lines.append(f"  hues       {self.hues}")
        total = sum(self.splits.values())
        if self.opened < total:
            lines.append(f"  opened     {self.opened} of {total} pairs")
        lines.append(f"  problems   {len(self.problems) or 'none'}")
        lines += [f"  - {problem}" for problem in self.problems]
        if self.also:
            lines.append(f"  or else    {self.also}")
        if self.notes:
            lines += ["  note", *(f"  - {note}" for note in self.notes)]
        return "\n".join(lines)


def _class_lines(classes: list[tuple[str, float]]) -> list[str]:
    """The share of each class that occurs, in the given order, at most MOST_CLASSES; one line sums up the rest."""
    there = [(name, share) for name, share in classes if share > 0]
    largest = sorted(there, key=lambda one: -one[1])[:MOST_CLASSES]
    lines = [f"    {100 * share:5.1f} %  {name}" for name, share in there if (name, share) in largest]
    if len(there) > len(largest):
        rest = sum(share for _, share in there) - sum(share for _, share in largest)
        lines.append(f"    {100 * rest:5.1f} %  {len(there) - len(largest)} more classes")
    never = [name for name, share in classes if share == 0]
    if never and there:
        shown = ", ".join(never[:6]) + (f" and {len(never) - 6} more" if len(never) > 6 else "")
        lines.append(f"    never    {shown}")
    return lines
