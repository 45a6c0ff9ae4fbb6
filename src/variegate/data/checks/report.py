"""What a check of data saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What was seen. `problems` has one sentence each: the file, what is wrong, what would be right."""

    path: str
    description: str = "not recognised"
    splits: dict[str, int] = field(default_factory=dict)  # pairs in each
    sizes: Counter[str] = field(default_factory=Counter)  # "WxH" of images as they are -> how many
    condition: str = ""
    classes: list[tuple[str, float]] = field(default_factory=list)  # name, share of all pixels, or of images
    opened: int = 0  # pairs whose files were decoded
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def text(self) -> str:
        """The report in words, a few lines."""
        lines = [self.path, f"  what       {self.description}"]
        if self.splits:
            lines.append("  pairs      " + ", ".join(f"{count} {name}" for name, count in self.splits.items()))
        if self.sizes:
            shown = ", ".join(f"{size} ({count})" for size, count in self.sizes.most_common(3))
            lines.append(f"  images     {shown}{', and other sizes' if len(self.sizes) > 3 else ''}")
        if self.condition:
            lines.append(f"  condition  {self.condition}")
        lines += [f"    {100 * share:5.1f} %  {name}" for name, share in self.classes]
        total = sum(self.splits.values())
        if self.opened < total:
            lines.append(f"  opened     {self.opened} of {total} pairs")
        lines.append(f"  problems   {len(self.problems) or 'none'}")
        return "\n".join([*lines, *(f"  - {problem}" for problem in self.problems)])
