"""MCP over stdio, carried to the gateway over HTTP: the credential and the session's run are put on the way.

One JSON-RPC message a line, both ways; nothing else is ever written there. Requests run side by side, each on a
connection of its own, and are answered as they are done. `notifications/cancelled` closes the connection of its
request, which ends a wait at the server, too. The server may go and come back: each request is sent on its own.
"""

import base64
import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.hooks.memory import drop_covered
from mcp_gateway.agent.http import Client
from mcp_gateway.agent.joining import Joining
from mcp_gateway.agent.output import UserError, clean
from mcp_gateway.agent.runs import folder_of, slug
from mcp_gateway.agent.settings import Settings
from mcp_gateway.agent.transport import ConnectFailed, ConnectionLost, Exchange, NoAnswerInTime

Message = dict[str, Any]

_META = "io.modelcontextprotocol/"
# What a request names beside its method: mirrored into a header by modern clients (MCP 2026-07-28, transports).
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_TIMEOUT = 120.0  # seconds of silence; the gateway holds a call 50 s at most
_PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0)  # pauses before the next try to connect
_MOST_AT_ONCE = 100
_PARSE_ERROR, _INVALID, _INTERNAL, _AWAY = -32700, -32600, -32603, -32000


class Bridge:
    """One client on one pair of pipes."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, joining: Joining, tools: str = "") -> None:
        self._source = source
        self._sink = sink
        self._joining = joining
        self._query = {"tools": tools} if tools else None
        self._version = ""  # what `initialize` settled on
        self._running: dict[str, _Call] = {}
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Until the client closes its end; what still runs then is given up."""
        try:
            for line in iter(self._source.readline, b""):
                if line.strip():
                    self._take(line)
        finally:
            with self._lock:
                left = list(self._running.values())
            for call in left:
                call.give_up()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self.write(_error(None, _PARSE_ERROR, "That line is no JSON."))
            return
        if not isinstance(message, dict):
            self.write(_error(None, _INVALID, "One JSON-RPC message a line; batches are not taken."))
            return
        method = message.get("method")
        if not isinstance(method, str):
            return  # an answer to something that was never asked
        if method == "notifications/cancelled":
            self._cancel(message)
            return
        self._note_client(message)
        call = _Call(self, message)
        if "id" in message:
            with self._lock:
                full = len(self._running) >= _MOST_AT_ONCE
                if not full:
                    self._running[_key(message["id"])] = call
            if full:
                self.write(_error(message["id"], _AWAY, f"{_MOST_AT_ONCE} requests are on their way already."))
                return
        threading.Thread(target=call.run, daemon=True).start()

    def _cancel(self, message: Message) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if isinstance(params, dict) else None
        with self._lock:
            call = self._running.pop(_key(wanted), None)
        if call is not None:
            call.give_up()

    def _note_client(self, message: Message) -> None:
        """What the client calls itself is the tool that its run is registered as."""
        params = message.get("params")
        if not isinstance(params, dict):
            return
        info = params.get("clientInfo") if message["method"] == "initialize" else None
        meta = params.get("_meta")
        if isinstance(meta, dict):
            info = info or meta.get(f"{_META}clientInfo")
        if isinstance(info, dict) and isinstance(info.get("name"), str):
            self._joining.tool = slug(info["name"])

    def exchange(self, settings: Settings, message: Message, handle: str) -> Exchange:
        """The HTTP request that carries a message."""
        client = Client(settings, instance=handle)
        url = client.address(f"/mcp/{settings.team}/{settings.project}", self._query)
        headers = {
            "Authorization": f"Bearer {settings.token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Connection": "close",
            "User-Agent": f"interlock/{VERSION}",
        }
        if handle:
            headers["Interlock-Instance"] = handle
        headers |= _protocol_headers(message, self._version)
        return Exchange("POST", url, headers, json.dumps(message).encode(), _TIMEOUT)

    @property
    def joining(self) -> Joining:
        """The run behind it."""
        return self._joining

    def answer(self, call: "_Call", message: Message) -> None:
        """Hand an answer on, unless its request was cancelled meanwhile."""
        with self._lock:
            if self._running.pop(_key(call.message.get("id")), None) is not call:
                return
        result = message.get("result")
        if call.message["method"] == "initialize" and isinstance(result, dict):
            self._version = str(result.get("protocolVersion", ""))
        self.write(message)

    def write(self, message: Message) -> None:
        """One line to the client."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError, ValueError):  # the client has gone
            self._sink.write(line)
            self._sink.flush()


class _Call:
    """One message on its way."""

    def __init__(self, bridge: Bridge, message: Message) -> None:
        self.message = message
        self._bridge = bridge
        self._exchange: Exchange | None = None
        self._gone = threading.Event()

    def give_up(self) -> None:
        """Close its connection; it is not answered."""
        self._gone.set()
        if self._exchange is not None:
            self._exchange.close()

    def run(self) -> None:
        """Carry it there, and what comes back to the client."""
        wanted = "id" in self.message
        try:
            for answer in self._carried():
                if not wanted:
                    continue
                if "method" in answer:
                    self._bridge.write(answer)  # progress, ahead of the answer
                else:
                    self._bridge.answer(self, answer)
            if wanted:  # does nothing where it was answered
                text = "The server sent no answer."
                self._bridge.answer(self, _error(self.message["id"], _INTERNAL, text))
        except _Failed as failed:
            if wanted:
                self._bridge.answer(self, _error(self.message["id"], failed.number, str(failed), failed.data))
        except Exception as error:  # a thread must not end without an answer
            if wanted:
                text = f"interlock mcp failed: {type(error).__name__}"
                self._bridge.answer(self, _error(self.message["id"], _INTERNAL, text))

    def _carried(self) -> Iterator[Message]:
        try:
            settings = self._bridge.joining.settings()
            tool_call = self.message["method"] == "tools/call"
            params = self.message.get("params")
            if not tool_call or not isinstance(params, dict):
                yield from self._sent(settings, self.message, "")
                return
            yield from self._tool_call(settings, params)
        except UserError as error:
            raise _Failed(str(error)) from None

    def _tool_call(self, settings: Settings, params: Message) -> Iterator[Message]:
        """A tool call acts as the session's run; one whose run is over is sent again under a new one."""
        arguments = params.get("arguments")
        said = arguments if isinstance(arguments, dict) else {}
        for last in (False, True):
            handle = self._bridge.joining.acting(settings, said)
            message = self.message
            if handle and said.get("instance"):  # the argument goes before the header
                message = message | {"params": params | {"arguments": said | {"instance": handle}}}
            answers = list(self._sent(settings, message, handle))
            problem = _problem(answers)
            if last or not problem or said.get("instance"):
                break
            if not self._bridge.joining.over(settings, handle, problem):
                break
        if params.get("name") == "release":
            drop_covered(folder_of(settings))  # hooks shall not take for held what no longer is
        yield from answers

    def _sent(self, settings: Settings, message: Message, handle: str) -> Iterator[Message]:
        exchange, response = self._connected(settings, message, handle)
        try:
            kind = response.headers.get_content_type()
            if kind == "text/event-stream" and response.status == 200:
                yield from _events(response)
                return
            raw = exchange.read(response)
        except NoAnswerInTime:
            raise _Failed(f"{settings.url} did not answer in time.") from None
        except (ConnectionLost, OSError) as error:
            raise _lost(settings, error) from None
        finally:
            exchange.close()
        if raw:
            yield self._understood(settings, response.status, raw)
        elif response.status >= 300:
            raise _Failed(f"{settings.url} answered {response.status}.")

    def _connected(self, settings: Settings, message: Message, handle: str) -> tuple[Exchange, Any]:
        """The exchange and its response. A server that is being restarted is waited for: nothing was sent yet."""
        pauses = iter(_PATIENCE)
        while True:
            exchange = self._exchange = self._bridge.exchange(settings, message, handle)
            if self._gone.is_set():
                raise _Failed("cancelled")
            try:
                return exchange, exchange.send()
            except ConnectFailed as error:
                exchange.close()
                pause = next(pauses, None)
                if pause is None or self._gone.wait(pause):
                    text = f"{settings.url} cannot be reached: {clean(str(error))}. Nothing was done."
                    raise _Failed(f"{text} `interlock doctor` looks for the cause.") from None
            except NoAnswerInTime:
                exchange.close()
                raise _Failed(f"{settings.url} did not answer in time.") from None
            except ConnectionLost as error:
                exchange.close()
                raise _lost(settings, error) from None

    def _understood(self, settings: Settings, status: int, raw: bytes) -> Message:
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if isinstance(body, dict) and body.get("jsonrpc") == "2.0":
            if body.get("id") is None and "id" in self.message:
                body["id"] = self.message["id"]
            return body
        if isinstance(body, dict) and "code" in body:  # a problem: the whole request is refused
            told = " ".join(str(body[name]) for name in ("detail", "remedy") if body.get(name))
            raise _Failed(clean(told), data=body)
        raise _Failed(f"{settings.url} answered {status}, and not as Interlock does. Is INTERLOCK_URL right?")


class _Failed(Exception):
    """What a request is answered with when there is no answer."""

    def __init__(self, text: str, number: int = _AWAY, data: Any = None) -> None:
        super().__init__(text)
        self.number = number
        self.data = data


def _lost(settings: Settings, error: OSError) -> _Failed:
    text = f"The connection to {settings.url} broke: {clean(str(error))}. Whether it was done is not known: call sync."
    return _Failed(text)


def _protocol_headers(message: Message, settled: str) -> dict[str, str]:
    """What the transport wants beside the body. A message that names its version is of the era without a handshake."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    own = meta.get(f"{_META}protocolVersion") if isinstance(meta, dict) else None
    if not isinstance(own, str):
        return {"MCP-Protocol-Version": _header(settled)} if settled and message["method"] != "initialize" else {}
    headers = {"MCP-Protocol-Version": _header(own), "Mcp-Method": _header(message["method"])}
    name = params.get(_NAMED.get(message["method"], "")) if isinstance(params, dict) else None
    if isinstance(name, str):
        headers["Mcp-Name"] = _header(name)
    return headers


def _header(value: str) -> str:
    """A value as a header may carry it: what is not plain is wrapped (MCP 2026-07-28, transports)."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?base64?")
    return value if plain else f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def _events(response: Any) -> Iterator[Message]:
    """The messages of an event stream."""
    data: list[bytes] = []
    for line in iter(response.readline, b""):
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data.append(text[5:].lstrip())
        elif not text and data:
            message = json.loads(b"\n".join(data))
            data = []
            if isinstance(message, dict):
                yield message


def _problem(answers: list[Message]) -> str:
    """The code of the problem that a tool call was refused with; empty where it was not."""
    result = answers[-1].get("result") if answers else None
    body = result.get("structuredContent") if isinstance(result, dict) and result.get("isError") else None
    return str(body.get("code", "")) if isinstance(body, dict) else ""


def _error(number: Any, code: int, text: str, data: Any = None) -> Message:
    error = {"code": code, "message": text} | ({"data": data} if data is not None else {})
    return {"jsonrpc": "2.0", "id": number, "error": error}


def _key(number: Any) -> str:
    """Ids are numbers or strings, and 1 is not "1"."""
    return json.dumps(number)


def run(tools: str = "") -> None:
    """Serve the client on standard input and output. Whatever else is printed goes to the error stream."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Bridge(sys.stdin.buffer, sink, Joining(Path.cwd()), tools).serve()
