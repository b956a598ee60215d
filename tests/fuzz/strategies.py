"""Values and bytes as somebody else may send them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=[])) | st.sampled_from(
    ["", "..", "/", "r1", "a" * 300, "\x1b]8;;http://evil\x07", "\u202e", "\udc80", "https://me:KEY@host", "0", "null"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10)
nested = st.sampled_from(["[" * 100_000, '{"a":' * 50_000, "[" * 50_000 + "]" * 50_000])
documents = values.map(json.dumps) | nested | texts


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


contents = documents.map(as_bytes) | st.binary()
