"""ClickHouse's HTTP interface in front of the embedded engine, with faults on order.

A process of its own: `python -m tests.support.clickhouse_http --path DIR`. It prints one JSON line
with its two ports, and ends when its standard input is closed. What it speaks is what
clickhouse-connect uses: queries with parameters and settings, inserts in any FORMAT, compressed
bodies, the `X-ClickHouse-*` headers, and errors as the server words them. The control port takes
faults; see `Fault`. No sessions, no progress headers, answers are never compressed.
"""

import argparse
import base64
import gzip
import json
import re
import sys
import tempfile
import threading
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame
import zstandard

from tests.support.listener import Listener, Server, reset

TRANSPORT = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
"""URL parameters that are not settings of the query."""

STATUS_OF_CODE = {46: 404, 47: 404, 50: 404, 60: 404, 81: 404, 115: 404, 159: 408, 164: 403}
STATUS_OF_CODE |= {497: 403, 516: 403, 48: 501, 209: 503, 76: 503} | dict.fromkeys(
    [6, 25, 26, 27, 36, 38, 41, 43, 53, 62, 70, 72], 400
)
"""HTTP status by ClickHouse code as the server has it; others are 500."""

INSERT = re.compile(
    rb"\s*INSERT\s+INTO\s+(?:TABLE\s+)?([`\w.]+).*?\bFORMAT\s+(\w+)[ \t]*\r?\n",
    re.IGNORECASE | re.DOTALL,
)
"""Up to the first newline after the format: a block of ten columns begins with another."""
INSERT_TABLE = re.compile(r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?:`?\w+`?\.)?`?(\w+)`?", re.IGNORECASE)
TRAILING_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
CODE = re.compile(r"Code: (\d+)")


@dataclass
class Fault:
    """What to do instead of answering, `times` times (None: until cleared), in order of arrival.

    - `error`: refuse as ClickHouse does, with `code`, nothing applied.
    - `status`: answer with a bare HTTP `status`, as a proxy does.
    - `delay`: wait `seconds` (or until faults are cleared), then serve.
    - `cut_before`, `cut_after`: reset the connection without, or after, applying the statement.

    `table` narrows it to inserts into that table, `inserts` to inserts.
    """

    action: Literal["error", "status", "delay", "cut_before", "cut_after"]
    times: int | None = 1
    table: str | None = None
    inserts: bool = False
    code: int = 241
    status: int = 503
    seconds: float = 0.0


class Refused(Exception):
    """A statement failed. `code` is ClickHouse's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        found = CODE.search(message)
        self.code = int(found[1]) if found else 1001


class Engine:
    """The embedded engine and the faults that are set."""

    def __init__(self, path: str, user: str, password: str) -> None:
        self._path = path
        self._keep_open = chdb.connect(path)
        self.login = (user, password)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.cleared = threading.Event()
        self.inserts: dict[str, int] = {}

    def close(self) -> None:
        self._keep_open.close()

    def set_fault(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
            self.cleared.clear()

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()
            self.cleared.set()

    def fault_for(self, sql: str) -> Fault | None:
        insert = INSERT_TABLE.match(sql)
        with self._lock:
            for fault in self._faults:
                if (fault.inserts or fault.table) and not insert:
                    continue
                if fault.table and insert and insert[1] != fault.table:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def run(
        self, sql: str, data: bytes | None, url: dict[str, str], form: dict[str, str]
    ) -> tuple[bytes, str | None]:
        """Run a statement on a handle of its own; the answer's body and format."""
        handle = chdb.connect(self._path)
        try:
            if url.get("database"):
                handle.query(f"USE `{url['database']}`")
            for name, value in url.items():
                if name not in TRANSPORT and not name.startswith("param_"):
                    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                    handle.query(f"SET {name} = '{quoted}'")
            parameters = {k[6:]: v for k, v in {**url, **form}.items() if k.startswith("param_")}
            if data is not None:
                self._insert(handle, sql, data)
                return b"", None
            chosen = TRAILING_FORMAT.search(sql)
            if chosen:
                return handle.query(sql, "TabSeparated", params=parameters).bytes(), chosen[1]
            # Only a statement with a result writes names, even when it has no rows.
            body = handle.query(sql, "TabSeparatedWithNames", params=parameters).bytes()
            return (body.partition(b"\n")[2], "TabSeparated") if body else (b"", None)
        except RuntimeError as error:
            raise Refused(str(error)) from error
        finally:
            handle.close()

    def _insert(self, handle: Any, sql: str, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=".block") as file:
            file.write(data)
            file.flush()
            head, fmt, _ = re.split(r"\bFORMAT\s+(\w+)\s*$", sql.strip(), flags=re.IGNORECASE)
            handle.query(f"{head} FROM INFILE '{file.name}' FORMAT {fmt}")
        table = INSERT_TABLE.match(sql)
        with self._lock:
            name = table[1] if table else ""
            self.inserts[name] = self.inserts.get(name, 0) + 1


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece, or it waits 40 ms for the client's ACK
    disable_nagle_algorithm = True
    engine: Engine
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silence: tests read the client's side."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        if self._is_cut():
            return
        try:
            body = self._body()
        except (RuntimeError, OSError) as error:  # not what its Content-Encoding says
            self._exception(33, f"Cannot read all data: {error}. (CANNOT_READ_ALL_DATA)")
            return
        url = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n")
            return
        if not self._logged_in():
            self._exception(516, "Authentication failed. (AUTHENTICATION_FAILED)")
            return
        form = self._form(body)
        sql, data = _split(url.get("query") or form.get("query", ""), b"" if form else body)
        fault = self.engine.fault_for(sql)
        if fault is not None and fault.action == "delay":
            self.engine.cleared.wait(fault.seconds)
        elif fault is not None and fault.action == "error":
            self._exception(fault.code, "as the test ordered")
            return
        elif fault is not None and fault.action == "status":
            self._answer(fault.status, b"as the test ordered")
            return
        elif fault is not None and fault.action == "cut_before":
            self._cut()
            return
        try:
            answer, fmt = self.engine.run(sql, data, url, form)
        except Refused as error:
            self._exception(error.code, str(error))
            return
        if fault is not None and fault.action == "cut_after":
            self._cut()
            return
        headers = {"X-ClickHouse-Timezone": url.get("session_timezone", "UTC")}
        if fmt:
            headers["X-ClickHouse-Format"] = fmt
        self._answer(200, answer, headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            raw = b"".join(parts)
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return _decompressed(raw, self.headers.get("Content-Encoding", ""))

    def _form(self, body: bytes) -> dict[str, str]:
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return {}
        message = BytesParser(policy=HTTP).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode() + body
        )
        fields = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            fields[str(name)] = payload.decode() if isinstance(payload, bytes) else ""
        return fields

    def _logged_in(self) -> bool:
        user, password = self.engine.login
        if not user:
            return True
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        given = base64.b64decode(token).decode() if kind == "Basic" else ""
        return given == f"{user}:{password}"

    def _exception(self, code: int, message: str) -> None:
        if not message.startswith("Code:"):
            message = f"Code: {code}. DB::Exception: {message}"
        status = STATUS_OF_CODE.get(code, 500)
        self._answer(status, message.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self._is_cut():
            return
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_cut(self) -> bool:
        """Whether the listener cut this connection; nothing is applied or answered on it then."""
        cut = self.connection not in self.server.connections
        self.close_connection |= cut
        return cut

    def _cut(self) -> None:
        reset(self.connection)
        self.close_connection = True


def _decompressed(raw: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        parts = []
        while raw:
            frame = lz4.frame.LZ4FrameDecompressor()
            parts.append(frame.decompress(raw))
            raw = frame.unused_data or b""
        return b"".join(parts)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(raw)
    if encoding == "gzip":
        return gzip.decompress(raw)
    if encoding:
        raise ValueError(f"body encoding {encoding}")
    return raw


def _split(query: str, body: bytes) -> tuple[str, bytes | None]:
    """The statement, and the data of an insert that carries some."""
    head = INSERT.match(body) if not query else None
    if head:
        return body[: head.end()].decode().strip(), body[head.end() :]
    if query and INSERT_TABLE.match(query) and TRAILING_FORMAT.search(query):
        return query, body
    return f"{query}\n{body.decode()}" if body else query, None


def _control_handler(engine: Engine, listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Control(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silence."""

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer: dict[str, Any] = {}
            if self.path == "/fault":
                engine.set_fault(Fault(**json.loads(raw)))
            elif self.path == "/clear":
                engine.clear_faults()
                listener.accept()
            elif self.path == "/refuse":
                listener.refuse()
            elif self.path == "/inserts":
                answer = engine.inserts
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    return Control


def main() -> None:
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", required=True, type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    arguments = parser.parse_args()
    engine = Engine(str(arguments.path.resolve()), arguments.user, arguments.password)
    handler = type("BoundHandler", (Handler,), {"engine": engine})
    listener = Listener(handler, arguments.port)
    control = ThreadingHTTPServer(("127.0.0.1", 0), _control_handler(engine, listener))
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(json.dumps({"port": listener.port, "control": control.server_address[1]}), flush=True)  # noqa: T201
    sys.stdin.read()
    listener.refuse()
    engine.close()


if __name__ == "__main__":
    main()
