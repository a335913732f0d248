"""A fake upstream: `python3 tests/sdk/upstream openai [--port N] [--tls CERTIFICATE KEY]`.

It prints its URL on a line and ends when its input ends, so it never outlives whoever started it.
"""

import argparse
import sys
import threading

from api_anthropic import Anthropic
from api_elevenlabs import ElevenLabs
from api_fal import FalQueue, FalRun
from api_google import Google
from api_openai import OpenAi
from api_replicate import Replicate
from api_runway import Runway
from wire import Server
from work import Book

APIS = {api.name: api for api in (OpenAi, Anthropic, Replicate, Runway, ElevenLabs, FalQueue, FalRun, Google)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("api", choices=sorted(APIS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    wanted = parser.parse_args()
    server = Server(wanted.port, wanted.tls)
    server.api = APIS[wanted.api](server.url, Book())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)
    sys.stdin.read()


main()
