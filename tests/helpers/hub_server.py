"""A hub of one's own on this machine: repositories, branches, private ones, uploads of large files, downloads.

It speaks as much of the HTTP API as the package huggingface_hub needs for models, and keeps everything in memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_for_tests"

Files = dict[str, bytes]


@dataclass
class Repository:
    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Files] = field(default_factory=dict)

    def commit(self, branch: str, files: Files) -> str:
        told = repr((branch, len(self.commits), sorted(files.items()))).encode()
        name = hashlib.sha1(told).hexdigest()
        self.commits[name], self.branches[branch] = files, name
        return name


class Hub(ThreadingHTTPServer):
    """What is stored, and every request so far as `METHOD path`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}  # by sha256
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, files: Files, private: bool = False) -> Repository:
        made = self.repositories[name] = Repository(private)
        made.commit("main", files)
        return made


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Not on the screen."""

    def send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def tell(self, content: Any, status: int = 200) -> None:
        self.send(status, json.dumps(content).encode(), Content_Type="application/json")

    def missing(self, what: str) -> None:
        self.send(401 if what == "RepoNotFound" else 404, b"{}", X_Error_Code=what)

    @property
    def knows_you(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def handle_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "repos"]:
            self.create(json.loads(body))
        elif parts[:2] == ["api", "validate-yaml"]:
            self.validate(json.loads(body)["content"])
        elif parts[0] == "upload":
            self.server.large[parts[1]] = body
            self.send(200)
        elif parts[:2] == ["api", "models"]:
            self.about("/".join(parts[2:4]), parts[4:], body)
        elif parts[2:4] == ["info", "lfs"]:
            self.accept(json.loads(body))
        else:
            self.give("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    do_GET = do_POST = do_PUT = do_HEAD = handle_any

    def validate(self, card: str) -> None:
        """Front matter must be there and parse."""
        try:
            content = yaml.safe_load(card.split("---\n")[1])
            problem = None if content.get("license") else "no license"
        except (IndexError, AttributeError, yaml.YAMLError) as error:
            problem = str(error)
        self.tell({"errors": [{"message": problem}] if problem else [], "warnings": []}, 400 if problem else 200)

    def create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if not self.knows_you:
            self.send(401, b'{"error": "Invalid username or password."}')
        elif asked["organization"] != "lena":
            self.send(403, b'{"error": "You don\'t have the rights to create a model there"}')
        elif name in self.server.repositories:
            self.tell({"error": "You already created this model repo", "url": f"{self.server.address}/{name}"}, 409)
        else:
            self.server.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"})
            self.server.repositories[name].private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self.tell({"url": f"{self.server.address}/{name}"})

    def found(self, name: str) -> Repository | None:
        """What the asker may see."""
        stored = self.server.repositories.get(name)
        return stored if stored is not None and (self.knows_you or not stored.private) else None

    def about(self, name: str, what: list[str], body: bytes) -> None:
        stored = self.found(name)
        if stored is None:
            self.missing("RepoNotFound")
            return
        kind, revision = (what[0] if what else "info"), (what[1] if len(what) > 1 else "main")
        if kind == "branch":
            known = revision in stored.branches
            if not known:
                stored.branches[revision] = stored.branches["main"]
            self.tell({}, 409 if known else 200)
            return
        commit = stored.branches.get(revision, revision)
        if commit not in stored.commits:
            self.missing("RevisionNotFound")
            return
        files = stored.commits[commit]
        if kind in ("info", "revision"):
            siblings = [{"rfilename": path} for path in files]
            self.tell({"id": name, "sha": commit, "private": stored.private, "tags": [], "siblings": siblings})
        elif kind == "tree":
            tree = [{"type": "file", "path": path, "size": len(held), "oid": tag(held)} for path, held in files.items()]
            self.tell(tree)
        elif kind == "preupload":
            modes = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for one in json.loads(body)["files"]
            ]
            self.tell({"files": modes})
        else:
            self.write(name, revision, body)

    def write(self, name: str, branch: str, body: bytes) -> None:
        stored = self.server.repositories[name]
        if not self.knows_you:
            self.send(403, b'{"error": "Forbidden"}')
            return
        files = dict(stored.commits[stored.branches[branch]])
        for line in body.splitlines():
            order = json.loads(line)
            value = order["value"]
            if order["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif order["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif order["key"] == "deletedFile":
                del files[value["path"]]
        commit = stored.commit(branch, files)
        self.tell({"commitUrl": f"{self.server.address}/{name}/commit/{commit}", "commitOid": commit, "success": True})

    def accept(self, asked: dict[str, Any]) -> None:
        """Where to send large files."""
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.server.address}/upload/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        self.tell({"transfer": "basic", "objects": objects})

    def give(self, name: str, revision: str, path: str) -> None:
        stored = self.found(name)
        if stored is None:
            self.missing("RepoNotFound")
            return
        commit = stored.branches.get(revision, revision)
        held = stored.commits.get(commit, {}).get(path)
        if held is None:
            self.missing("EntryNotFound" if commit in stored.commits else "RevisionNotFound")
            return
        self.send(200, held, X_Repo_Commit=commit, ETag=f'"{tag(held)}"', Accept_Ranges="bytes")


def tag(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
