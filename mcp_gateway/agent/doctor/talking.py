"""A conversation with an MCP server over stdio, as a tool has it, with an end to every wait."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.output import clean

PROTOCOL = "2025-06-18"


class Failed(Exception):
    """The conversation did not go as it should; one sentence."""


class Talk:
    """A server that was started, for as long as the ``with`` lasts. ``seconds`` is for all of it."""

    def __init__(self, command: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._number = 0
        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise Failed(f"it cannot be started: {error.strerror or error}") from None
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(2)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def initialize(self) -> str:
        """The handshake; the server's name and version."""
        about = {"name": "interlock-doctor", "version": VERSION}
        result = self._ask("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": about})
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        server = result.get("serverInfo", {})
        return clean(f"{server.get('name', '?')} {server.get('version', '')}").strip()

    def tools(self) -> list[str]:
        """The names of its tools."""
        return [clean(str(tool.get("name"))) for tool in self._ask("tools/list", {}).get("tools", [])]

    def call(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Call a tool. Raises Failed where it answers with an error."""
        result = self._ask("tools/call", {"name": name, "arguments": dict(arguments)})
        if result.get("isError"):
            told = " ".join(str(part.get("text", "")) for part in result.get("content", []))
            raise Failed(f"the tool {name} answered: {clean(told)[:300]}")

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            try:
                message = json.loads(self._lines.get(timeout=max(0.1, self._ends - time.monotonic())))
            except queue.Empty:
                raise Failed(f"{method} was not answered in time") from None
            except ValueError:
                raise Failed(f"{method} was answered with what is no JSON{self._said()}") from None
            if not message:
                raise Failed(f"it ended before it answered {method}{self._said()}")
            if message.get("id") != self._number or "method" in message:
                continue
            if "error" in message:
                raise Failed(f"{method} was refused: {clean(str(message['error'].get('message')))[:300]}")
            return dict(message["result"])

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise Failed(f"it ended at once{self._said()}") from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"null")

    def _said(self) -> str:
        """The last it said on its error stream, once it has ended."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return ""
        assert self._process.stderr is not None
        lines = self._process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f": {clean(lines[-1])[:300]}" if lines else ""
