"""What the fake upstreams have in common: a table of routes, a secret, a book of work."""

import re
import secrets
import traceback

from wire import Reply

# What the upstream wants to be shown. A client of the gateway never has it.
SECRET = "the-upstreams-own-secret"


def random_id(prefix="", bytes=12):
    return prefix + secrets.token_hex(bytes)


class Api:
    """An API: subclasses say `name`, `routes` as (method, pattern, method of the class) and how errors look."""

    routes = ()

    def __init__(self, url, book):
        self.url, self.book = url, book
        self.compiled = [(m, re.compile(p + r"\Z"), getattr(self, do)) for m, p, do in self.routes]

    def shown(self, request):
        """The secret that a request shows."""
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def is_open(self, request):
        """Whether a path needs no secret."""
        return False

    def error(self, status, message, **more):
        raise NotImplementedError

    def __call__(self, request):
        if request.path == "/_log":
            return Reply(200, self.book.lines(), kind="application/x-ndjson")
        if request.path == "/_requests":
            return Reply(200, self.book.visits(), kind="application/x-ndjson")
        if request.path == "/_release":
            self.book.release()
            return Reply(204)
        reply = self.decide(request)
        self.book.note(request.method, request.path, getattr(reply, "status", 0))
        return reply

    def decide(self, request):
        if not self.is_open(request) and self.shown(request) != SECRET:
            return self.error(401, "That is not the secret of this upstream.")
        for method, pattern, do in self.compiled:
            if method == request.method and (found := pattern.match(request.path)):
                try:
                    return do(request, *found.groups())
                except Exception:
                    traceback.print_exc()
                    return self.error(500, "The fake upstream is broken.")
        return self.error(404, f"{request.method} {request.path} is not here.")
