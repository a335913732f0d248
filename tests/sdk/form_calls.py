"""Edits pictures with the official SDK, as multipart forms: arguments are base URL, key and a picture's path."""

import sys

from openai import OpenAI

url, key, path = sys.argv[1:]
client = OpenAI(base_url=url, api_key=key, max_retries=0)
with open(path, "rb") as one, open(path, "rb") as two:
    client.images.edit(image=one, prompt="hé", n=3, quality="high", model="gpt-image-1")
    client.images.edit(image=[("a.png", b"1"), ("b.png", b"2"), two], prompt="a cat", model="gpt-image-1")
