"""HTTP/1.1 for the fake upstreams: requests in, replies out, streams, and connections that are reset.

Python's standard library and nothing else, so that an upstream runs wherever the tests run.
"""

import email.parser
import json
import os
import select
import socket
import ssl
import struct
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Longer than a suite waits for anything: a hanging answer ends with its client.
FOREVER = 60
PAUSE = 0.01


class Part:
    """A part of a multipart body."""

    def __init__(self, name, filename, content):
        self.name, self.filename, self.content = name, filename, content

    @property
    def text(self):
        return self.content.decode()


class Request:
    """What a client sent, read to its end."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        split = urllib.parse.urlsplit(target)
        self.raw_path, self.path = split.path, urllib.parse.unquote(split.path)
        self.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))

    def json(self):
        return json.loads(self.body or b"{}")

    def parts(self):
        """The parts of a multipart body, in their order."""
        kind = self.headers.get("content-type", "")
        head = f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n".encode()
        message = email.parser.BytesParser().parsebytes(head + self.body)
        found = []
        for part in message.get_payload():
            name = part.get_param("name", header="content-disposition")
            found.append(Part(name, part.get_filename(), part.get_payload(decode=True)))
        return found

    def form(self):
        """Its text fields by name, from multipart or from the form encoding."""
        if self.headers.get("content-type", "").startswith("multipart/"):
            return {part.name: part.text for part in self.parts() if part.filename is None}
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    def file(self, name):
        """The content of an uploaded file; `None`: there is none."""
        for part in self.parts():
            if part.name == name and part.filename is not None:
                return part.content
        return None


class Reply:
    """An answer that is there at once."""

    def __init__(self, status, body=None, headers=None, kind="application/json"):
        self.status, self.headers, self.kind = status, headers or {}, kind
        self.body = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()


class Stream:
    """An answer that comes in pieces; a piece that is `HANG` lasts as long as the client."""

    HANG = object()

    def __init__(self, pieces, kind="text/event-stream; charset=utf-8", headers=None, status=200):
        self.pieces, self.kind, self.headers, self.status = pieces, kind, headers or {}, status


class Reset:
    """No answer: the connection is reset."""


class Hang:
    """No answer as long as the client is there."""


def event(data, name=None):
    """A server-sent event."""
    data = data if isinstance(data, str) else json.dumps(data)
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.read_body())
        reply = self.server.api(request)
        if isinstance(reply, Reset):
            self.reset()
        elif isinstance(reply, Hang):
            self.hang()
        elif isinstance(reply, Stream):
            self.stream(reply)
        else:
            self.whole(reply)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def head(self, reply):
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)

    def whole(self, reply):
        self.head(reply)
        if reply.status != 204:
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def stream(self, reply):
        self.head(reply)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for piece in reply.pieces:
                if piece is Stream.HANG:
                    return self.hang()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                time.sleep(PAUSE)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def hang(self):
        """Waits until the client leaves."""
        self.close_connection = True
        select.select([self.connection], [], [], FOREVER)

    def reset(self):
        """Ends the connection with RST: nothing was answered, nothing is said about why."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port, certificate=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.context, self.scheme = context, "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.server_port}"
        self.api = None

    def finish_request(self, request, address):
        """Shakes hands where it disturbs nobody: on the connection's own thread."""
        if self.scheme == "https":
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, address)

    def handle_error(self, request, address):
        """A client that leaves is no error."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, address)
