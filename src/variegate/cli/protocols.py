"""`variegate protocols`."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional


@dataclass(frozen=True)
class Protocols:
    """Show what `evaluate --protocol NAME` measures, what its paper says, and what was chosen where it is silent."""

    name: Positional[str] = ""
    json: bool = False

    def run(self) -> None:
        from ..evaluation.protocols import named_protocol, protocols, text_of

        if self.json:
            import json

            found = [named_protocol(self.name)] if self.name else protocols().values()
            print(json.dumps([one.model_dump() for one in found], indent=2))
        elif self.name:
            print(text_of(named_protocol(self.name).name), end="")
        else:
            for name, one in protocols().items():
                print(f"{name:14} {one.in_words()}\n{'':14} {one.paper}")
