"""A fake upstream, a gateway in front of it, accounts, and the sum at the end: what the suites of the SDKs stand on.

`python suite_openai.py --direct`: the SDK asks the fake upstream itself, which shows that it is faithful.
`python suite_openai.py --gateway PROGRAM`: PROGRAM is `tollgate`, started between them.

Invariant: attempts are counted by the gateway and the upstream, never guessed from the time.
Invariant: at the end the charges of all accounts equal the price of the work that the upstream logged.
"""

import argparse
import base64
import contextlib
import ctypes
import faulthandler
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
SECRET = "the-upstreams-own-secret"
TOKEN = "an-operators-token-for-tests"
# What configurations name: fal's credentials have a scheme of their own, and webhooks are sealed by us and signed
# by Replicate.
SECRETS = {
    "SECRET": SECRET,
    "FAL_SECRET": f"Key {SECRET}",
    "SEAL": "0123456789abcdef" * 4,
    "SIGNED": "whsec_" + base64.b64encode(b"a secret of webhooks for tests..").decode(),
}
# Longer than anything takes on a busy machine: presets ask for a job that nobody polls after half a minute. No suite
# takes longer than the other.
PATIENCE, WATCHDOG = 75, 420
PLANS = """
plans:
  studio: {}
  single: { concurrency: [{ name: one-at-a-time, limit: 1 }] }
  rationed: { caps: [{ name: daily, measure: requests, limit: 1, every: day }] }
"""


def until(what, look, patience=PATIENCE):
    """Waits until `look` finds something."""
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def free_port():
    """A port of loopback that nobody has now; only for what must be named before it is there."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def die_with_parent():
    """A child that calls this is killed when its parent ends, however that ends."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def background(call):
    """Calls it on a thread; the answer's `join()` gives its value or raises its error."""
    box = {}

    def run():
        try:
            box["value"] = call()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join(patience=PATIENCE):
        thread.join(patience)
        assert not thread.is_alive(), "the call does not end"
        if "error" in box:
            raise box["error"]
        return box["value"]

    thread.result = join
    return thread


class Pki:
    """A certificate authority of this run and one certificate for loopback."""

    def __init__(self, folder):
        self.ca, self.certificate, self.key = (str(folder / name) for name in ("ca.pem", "tls.pem", "tls.key"))
        ca_key, request, extra = (str(folder / name) for name in ("ca.key", "tls.csr", "extra"))
        Path(extra).write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-days", "2", "-subj", "/CN=test",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=127.0.0.1")
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-out", self.certificate,
                     "-days", "2", "-extfile", extra)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Upstream:
    """A fake upstream, and what it says that it did."""

    def __init__(self, api, pki=None):
        command = [sys.executable, str(HERE / "upstream"), api]
        command += ["--tls", pki.certificate, pki.key] if pki else []
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.url = self.process.stdout.readline().strip()
        self.context = ssl.create_default_context(cafile=pki.ca) if pki else None

    def read(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE, context=self.context) as reply:
            return [json.loads(line) for line in reply.read().splitlines()]

    def works(self):
        return self.read("/_log")

    def release(self):
        """Lets go what was asked to last until it is released."""
        self.read("/_release")

    def requests(self, method=None):
        return [one for one in self.read("/_requests") if method in (None, one["method"])]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Gateway:
    """`tollgate serve`, and its operators' API."""

    def __init__(self, program, yaml, folder):
        self.folder = folder
        folder.mkdir()
        self.config = folder / "tollgate.yaml"
        self.config.write_text(yaml)
        environment = {"ADMIN": TOKEN, "PATH": os.environ["PATH"], **SECRETS}
        self.told = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            [program, "serve", "--config", str(self.config)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.told, env=environment,
            preexec_fn=die_with_parent,
        )
        ready = until("the gateway is ready", self.ready)
        self.data, self.admin = ready["data"], ready["admin"]
        self.made = 0

    def lines(self):
        return (self.folder / "log").read_text().splitlines()

    def ready(self):
        for line in self.lines():
            if '"ready"' in line:
                return json.loads(line)
        assert self.process.poll() is None, "the gateway has ended:\n" + "\n".join(self.lines())
        return None

    def raw(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        asked = urllib.request.Request(f"http://{self.admin}{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=PATIENCE) as reply:
            return reply.read()

    def operate(self, method, path, body=None):
        try:
            return json.loads(self.raw(method, "/admin/v1" + path, body))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()}") from None

    def decided(self, code):
        """How many requests were decided with this code."""
        word, sum = f'code="{code}"', 0
        for line in self.raw("GET", "/metrics").decode().splitlines():
            if line.startswith("tollgate_decisions_total{") and word in line:
                sum += int(line.rsplit(" ", 1)[1])
        return sum

    def payer(self, plan, credits):
        self.made += 1
        account = f"acct_{self.made}"
        # Somewhere where the day does not end within the next hours, which would be worth waiting for.
        zone = "UTC" if time.gmtime().tm_hour < 12 else "Pacific/Auckland"
        self.operate("POST", "/accounts", {"id": account, "plan": plan, "zone": zone})
        grant = {"id": f"grant-{self.made}", "amount": credits, "reason": "a test"}
        self.operate("POST", f"/accounts/{account}/grants", grant)
        key = self.operate("POST", f"/accounts/{account}/keys", {})["secret"]
        return Payer(self, account, key, Decimal(credits))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.told.close()


class Payer:
    """An account with a key. Without a gateway: only the upstream's own secret."""

    def __init__(self, gateway, account, key, credits):
        self.gateway, self.account, self.key, self.credits = gateway, account, key, credits

    def look(self, what):
        return self.gateway.operate("GET", f"/accounts/{self.account}/{what}")

    def charges(self):
        """All of its charges, the newest first."""
        found, path = [], "charges?limit=100"
        while True:
            page = self.look(path)
            found += page["data"]
            if not page.get("next"):
                return found
            path = f"charges?limit=100&starting_after={page['next']}"

    def ended(self):
        """Its charges, once all have ended."""
        def look():
            found = self.charges()
            return [found] if all(one["ended"] for one in found) else None

        return until(f"all charges of {self.account} end", look)[0]

    def charged(self):
        return sum((Decimal(one["charged"] or "0") for one in self.ended()), Decimal(0))

    def purse(self):
        sums = self.look("balance")["balances"]
        return {name: Decimal(sums[0][name]) if sums else Decimal(0) for name in ("available", "held")}


class Line:
    """A line between an SDK and what it asks, which can be cut: connections are reset, none is refused."""

    def __init__(self, to):
        host, port = to.rsplit(":", 1)
        self.to, self.pairs, self.cuts = (host, int(port)), set(), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(self.to)
            pair = (near, far)
            self.pairs.add(pair)
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self.pump, args=(one, other, pair), daemon=True).start()

    def pump(self, one, other, pair):
        with contextlib.suppress(OSError):
            while piece := one.recv(65536):
                other.sendall(piece)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def cut(self):
        """Resets what is open now."""
        for near, far in list(self.pairs):
            self.pairs.discard((near, far))
            for one in (near, far):
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    # A thread that waits in `recv` keeps a socket open that is only closed.
                    one.shutdown(socket.SHUT_RD)
                    one.close()
        self.cuts += 1


class Suite:
    """One SDK: steps that must hold, on a bench of one upstream and perhaps a gateway.

    `price` tells what a piece of work that the upstream logged costs here, in credits.
    """

    def __init__(self, sdk, api, price, tls=False):
        faulthandler.dump_traceback_later(WATCHDOG, exit=True)
        parser = argparse.ArgumentParser()
        way = parser.add_mutually_exclusive_group(required=True)
        way.add_argument("--direct", action="store_true")
        way.add_argument("--gateway", metavar="PROGRAM")
        parser.add_argument("--presets", action="store_true", help="configured by `use:` as far as it goes")
        parser.add_argument("--only", help="steps whose names have this text")
        self.options = parser.parse_args()
        self.sdk, self.price = sdk, price
        self.direct = self.options.direct
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.pki = Pki(self.root) if tls else None
        self.upstream = Upstream(api, self.pki)
        self.gateway, self.payers, self.failures, self.steps = None, [], [], 0
        self.lost_payers, self.lost_works = set(), set()
        if not self.direct:
            yaml = self.yaml(api)
            self.gateway = Gateway(self.options.gateway, yaml, self.root / "gateway")

    def yaml(self, api):
        folder = HERE / "gateway" / ("presets" if self.options.presets else "")
        text = (folder / f"{api}.yaml").read_text().replace("UPSTREAM", self.upstream.url)
        tls = f"tls: {{ certificate_file: {self.pki.certificate}, key_file: {self.pki.key} }}\n" if self.pki else ""
        listen = f"127.0.0.1:{free_port() if 'PUBLIC_URL' in text else 0}"
        text = text.replace("PUBLIC_URL", f"{'https' if self.pki else 'http'}://{listen}")
        head = (f"listen: {listen}\n"
                "store: { embedded: { path: ledger, lease: 3s } }\n"
                "admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }\n"
                "flood: { per_address: 100000, failures: 100000 }\n")
        return head + tls + PLANS + text.replace("CA_FILE", self.pki.ca if self.pki else "")

    @property
    def url(self):
        """Where the SDK's base URL leads."""
        if self.direct:
            return self.upstream.url
        return f"{'https' if self.pki else 'http'}://{self.gateway.data}"

    def payer(self, plan="studio", credits="1000"):
        if self.direct:
            return Payer(None, "", SECRET, Decimal(credits))
        payer = self.gateway.payer(plan, credits)
        self.payers.append(payer)
        return payer

    def step(self, name, only=None):
        """Declares and does a step. `only`: where it makes sense, "direct" or "gateway"."""

        def run(do):
            way = "direct" if self.direct else "gateway"
            if only not in (None, way) or (self.options.only or "") not in name:
                return
            began = time.monotonic()
            self.steps += 1
            try:
                told = do()
                took = time.monotonic() - began
                print(f"ok    {self.sdk} {way}: {name} ({took:.1f} s){': ' + told if told else ''}", flush=True)
            except Exception:
                self.failures.append(name)
                print(f"WRONG {self.sdk} {way}: {name}\n{traceback.format_exc()}", flush=True)

        return run

    @contextlib.contextmanager
    def works(self):
        """The list that it gives has, at its end, the pieces of work that were taken on meanwhile."""
        before = {one["id"] for one in self.upstream.works()}
        found = []
        yield found
        found += [one for one in self.upstream.works() if one["id"] not in before]

    @contextlib.contextmanager
    def attempts(self, code=None):
        """A list whose one item is, at its end, how many requests were made: those that the gateway decided with
        `code`, or those of method POST that reached the upstream."""
        def count():
            return self.gateway.decided(code) if code else len(self.upstream.requests("POST"))

        before, found = count(), []
        yield found
        found.append(count() - before)

    def worth(self, works):
        """The price of pieces of work, once all have ended."""
        return sum((self.price(one) for one in works), Decimal(0))

    def paid(self, payer, works):
        """The account paid exactly for these pieces of work, and holds nothing."""
        if self.direct:
            return
        due, charged = self.worth(works), payer.charged()
        charges = [(one["status"], one["charged"]) for one in payer.charges()]
        assert charged == due, f"charged {charged} for work worth {due}: {charges} {works}"
        purse = payer.purse()
        assert purse["held"] == 0, purse
        assert purse["available"] == payer.credits - charged, (purse, payer.credits, charged)

    def lost(self, payer, works, known=()):
        """What became of these pieces of work nobody could tell the gateway, but for the `known` ones: each is
        charged once at most, as the route says for what is unknown. They and the account are left out of the sum
        at the end."""
        if self.direct:
            return
        if self.options.presets:
            # Their routes wait for longer than a suite lasts.
            until("all is ended or unknown", lambda: all(
                one["ended"] or one["status"] == "unknown" for one in payer.charges()))
            self.lost_payers.add(payer.account)
            self.lost_works |= {one["id"] for one in works}
            return
        charges = payer.ended()
        unknown = [one for one in charges if one["outcome"] == "unknown"]
        assert 0 < len(unknown) <= len(works) - len(known), (charges, works)
        for one in unknown:
            assert Decimal(one["charged"]) in (0, Decimal(one["reserved"])), one
        rest = sum(Decimal(one["charged"]) for one in charges if one["outcome"] != "unknown")
        assert rest == self.worth(known), (charges, known)
        assert payer.purse() == {"available": payer.credits - payer.charged(), "held": 0}, payer.purse()
        self.lost_payers.add(payer.account)
        self.lost_works |= {one["id"] for one in works}

    def outcome(self, payer, word):
        """How the account's newest charge ended, by the word for its outcome."""
        if not self.direct:
            newest = payer.ended()[0]
            assert newest["outcome"] == word, newest

    def finish(self):
        """Adds up, stops everything; the process ends with what was wrong."""
        if not self.direct and not self.options.only:
            self.step("the sum of charges is the price of the work")(self.add_up)
        elif self.direct:
            print(f"      {self.sdk}: {len(self.upstream.works())} pieces of work", flush=True)
        with contextlib.suppress(Exception):
            if self.failures and self.gateway:
                print("--- the gateway said last:\n" + "\n".join(self.gateway.lines()[-15:]))
        for one in (self.gateway, self.upstream):
            if one:
                one.stop()
        self.folder.cleanup()
        print(f"{self.sdk}: {self.steps - len(self.failures)} of {self.steps} steps hold", flush=True)
        sys.stdout.flush()
        os._exit(1 if self.failures else 0)

    def add_up(self):
        works = [one for one in self.upstream.works() if one["id"] not in self.lost_works]
        known = [payer for payer in self.payers if payer.account not in self.lost_payers]
        charged, worth = sum((payer.charged() for payer in known), Decimal(0)), self.worth(works)
        assert charged == worth, f"charged {charged} for work worth {worth}"
        granted = sum(payer.credits for payer in known)
        left = sum(payer.purse()["available"] for payer in known)
        assert granted == left + charged, (granted, left, charged)
        return f"{charged} credits for {len(works)} pieces of work, {len(known)} accounts"
