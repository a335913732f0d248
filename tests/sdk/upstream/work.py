"""What an upstream did: one line for each piece of work that it took on, with what it bills for it.

Work that was never taken on (a wrong key, a prompt that is refused at the door) leaves no line. `units` is what
is billed in the end, nothing else is: a failed piece of work has a line and no units.
"""

import itertools
import json
import threading
import time

# What is said in answer to any question, and how many tokens it has.
ANSWER = "Every credit is held before it is spent."
# How long a job takes.
JOB_SECONDS = 0.3
# Longer than a suite waits for anything.
FOREVER = 60


def tokens(text):
    """A token is a word here."""
    return len(text.split())


class Wish:
    """What a prompt asks for beside its work."""

    def __init__(self, prompt):
        prompt = (prompt or "").lower()
        self.block = "block me" in prompt
        self.fail = "fail me" in prompt
        self.reset = "reset me" in prompt
        self.endless = "never ends" in prompt
        self.partial = "partial" in prompt
        self.overload = "overload" in prompt
        self.held = "until released" in prompt

    @property
    def job_seconds(self):
        """How long a job lasts; `None`: until it is released."""
        if self.held:
            return None
        return float("inf") if self.endless else JOB_SECONDS

    def pause(self, book):
        if self.held:
            book.wait_for_release()


class Work:
    """A piece of work. A job is one that ends by itself after a while."""

    def __init__(self, book, id, what, facts):
        self.book, self.id, self.what, self.facts = book, id, what, facts
        self.state, self.units = "running", {}
        self.began, self.ends_at, self.at_end = time.monotonic(), None, None
        self.wall, self.wall_end = time.time(), None
        self.release, self.told = book.releases, threading.Event()

    def end(self, state, /, **units):
        """The first end counts."""
        with self.book.lock:
            if self.state == "running":
                self.state, self.units, self.wall_end = state, units, time.time()
                self.told.set()
        return self

    def last(self, seconds, state, /, **units):
        """Ends so by itself after so many seconds; `None`: at the next release."""
        self.ends_at = None if seconds is None else self.began + seconds
        self.at_end = (state, units)
        return self

    @property
    def due(self):
        if self.at_end is None:
            return False
        if self.ends_at is None:
            return self.book.releases > self.release
        return time.monotonic() >= self.ends_at

    def look(self):
        """Its state now."""
        if self.due:
            state, units = self.at_end
            self.end(state, **units)
        return self.state

    @property
    def age(self):
        return time.monotonic() - self.began

    def wait(self, seconds):
        """Waits until it has ended, or so long."""
        until = time.monotonic() + seconds
        while self.look() == "running" and time.monotonic() < until:
            time.sleep(0.01)
        return self.state

    def line(self):
        facts = {"id": self.id, "what": self.what, "state": self.look(), "units": self.units}
        return {**facts, "facts": self.facts}


class Book:
    """All work of an upstream, and every request that reached it."""

    def __init__(self):
        self.lock = threading.RLock()
        self.works, self.requests = {}, []
        self.numbers = itertools.count(1)
        self.releases, self.released = 0, threading.Condition(self.lock)

    def begin(self, what, /, id=None, **facts):
        """Takes a piece of work on."""
        with self.lock:
            id = id or f"{what}-{next(self.numbers)}"
            return self.works.setdefault(id, Work(self, id, what, facts))

    def release(self):
        """Lets go what waits for it."""
        with self.lock:
            self.releases += 1
            self.released.notify_all()

    def wait_for_release(self):
        with self.lock:
            before = self.releases
            self.released.wait_for(lambda: self.releases > before, FOREVER)

    def note(self, method, path, status):
        with self.lock:
            self.requests.append({"method": method, "path": path, "status": status})

    def lines(self):
        with self.lock:
            works = list(self.works.values())
        return "".join(json.dumps(work.line()) + "\n" for work in works).encode()

    def visits(self):
        with self.lock:
            return "".join(json.dumps(one) + "\n" for one in self.requests).encode()
