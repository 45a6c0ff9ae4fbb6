"""`variegate study serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class StudyServe:
    """Serve a study to participants in their browsers, until stopped with Ctrl-C.

    Every answer is on the disk before it is acknowledged. Results are not served: see `variegate study report`.
    """

    study: Positional[Path]
    host: str = "127.0.0.1"
    """address to listen on; 0.0.0.0 for all of this machine's, with --host-name"""
    port: int = 8870
    """0: any free one"""
    host_name: tuple[str, ...] = ()
    """names by which participants reach this machine, or a proxy in front of it; other names are refused"""

    def run(self) -> None:
        from ..studio import require_packages

        require_packages()
        from ..studio.listening import Listening
        from ..studio.study.schema import read_study
        from ..studio.study.serving import serve_study

        study, listening = read_study(self.study), Listening(self.host, self.port, self.host_name)
        print(f"{study.question}\nparticipants open {listening.url}", flush=True)
        if listening.public:
            print("without a proxy that speaks HTTPS, answers travel in the clear", flush=True)
        serve_study(study, self.study, listening)
