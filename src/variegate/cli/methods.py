"""`variegate methods`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Methods:
    """List the methods: paper, components, the data each one needs, and what to expect of ten minutes."""

    json: bool = False

    def run(self) -> None:
        from ..methods import listing
        from ..methods.registry import RECOMMENDED

        rows = listing()
        if self.json:
            import json

            print(json.dumps(rows, indent=2))
            return
        name, options = RECOMMENDED
        given = " ".join(f"--{option} {value}" for option, value in options.items())
        print(f"{'recommended':20} another name of {name}, with {given}\n")
        for row in rows:
            print(f"{row['name']:20} {row['summary']}")
            print(f"{'':20} {row['generator']} + {row['randomness']} + {row['objective']}; needs {row['condition']}")
            print(f"{'':20} {row['paper']}")
            print(f"{'':20} in 10 minutes at 64x64: {row['in_ten_minutes']}\n")
