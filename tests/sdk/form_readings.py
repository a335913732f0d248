"""Reads bodies as Python's servers do: a line of JSON in, a line of JSON out.

In: {"type": the content type, "body": the body in hex}. Out: a list of [reader, reading or null]; a reading has the
texts under each name that tests price, and how many parts or fields the name of items has.
"""

import asyncio
import email.parser
import email.policy
import io
import json
import sys
import urllib.parse

from starlette.datastructures import Headers
from starlette.formparsers import FormParser, MultiPartParser
from werkzeug.formparser import parse_form_data

TEXTS = ("n", "size", "prompt")
ITEMS = ("image", "image[]")
MULTIPART = "multipart/form-data"


def reading(pairs):
    """Pairs of name and text; a file has no text."""
    texts = {name: [text for key, text in pairs if key == name] for name in TEXTS}
    return {"texts": texts, "items": sum(key in ITEMS for key, _ in pairs)}


def is_multipart(kind):
    return kind.split(";")[0].strip().lower() == MULTIPART


def starlette(kind, body):
    async def stream():
        yield body
        yield b""

    async def pairs():
        headers = Headers({"content-type": kind})
        parser = MultiPartParser if is_multipart(kind) else FormParser
        form = await parser(headers, stream()).parse()
        return [(key, value if isinstance(value, str) else None) for key, value in form.multi_items()]

    return asyncio.run(pairs())


def werkzeug(kind, body):
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    _, form, files = parse_form_data(environ, silent=False)
    texts = [(key, value) for key, values in form.lists() for value in values]
    return texts + [(key, None) for key, values in files.lists() for _ in values]


def stdlib(kind, body):
    if not is_multipart(kind):
        text = body.decode("latin-1")
        return urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=False)
    head = b"Content-Type: " + kind.encode() + b"\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    pairs = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        pairs.append((name, data.decode() if part.get_filename() is None else None))
    return pairs


def json_of(_, body):
    def pairs(items):
        if len({name for name, _ in items}) != len(items):
            raise ValueError("twice")
        return dict(items)

    value = json.loads(body, object_pairs_hook=pairs)
    images = value.get("image")
    texts = {name: [text(value[name])] if value.get(name) is not None else [] for name in TEXTS}
    return {"texts": texts, "items": len(images) if images is not None else 0}


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def tried(reader, kind, body):
    try:
        read = reader(kind, body)
        return read if isinstance(read, dict) else reading(read)
    except Exception:  # whatever a server answers with 400 or 500
        return None


for line in sys.stdin:
    order = json.loads(line)
    kind, body = order["type"], bytes.fromhex(order["body"])
    readers = (json_of,) if kind.startswith("application/json") else (starlette, werkzeug, stdlib)
    print(json.dumps([[reader.__name__, tried(reader, kind, body)] for reader in readers]), flush=True)
