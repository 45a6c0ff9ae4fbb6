"""The command line: one dataclass per verb, whose fields are its options."""

from .dispatch import main
from .verbs import VERBS

__all__ = ["VERBS", "main"]
