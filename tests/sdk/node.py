"""An SDK for JavaScript in a process of its own: orders go in, results come out, a line of JSON each."""

import json
import os
import subprocess

from rig import HERE


class Raised(Exception):
    """An error as an SDK raised it."""

    def __init__(self, name, status, code, message):
        super().__init__(f"{name} {status} {code}: {message}")
        self.name, self.status, self.code, self.message = name, status, code, message


class Node:
    def __init__(self, script, url, key):
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": os.environ["NODE_PATH"]}
        self.child = subprocess.Popen(
            ["node", str(HERE / script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        self.where = {"base_url": url, "key": key}

    def __del__(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait()

    def ask(self, order, **more):
        self.child.stdin.write(json.dumps({"order": order, "more": more, **self.where}) + "\n")
        self.child.stdin.flush()
        result = json.loads(self.child.stdout.readline())
        if "error" in result:
            raise Raised(result["error"], result["status"], result["code"], result["message"])
        return result["value"]
