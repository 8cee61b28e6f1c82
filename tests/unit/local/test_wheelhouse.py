"""Jobs without internet get the versions that the image's Python asks for, whichever Python fetches them."""

from __future__ import annotations

import re

from local import wheelhouse

LOCK = """\
# a comment
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via -r jobs.in
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:dd
six==1.17.0 \\
    --hash=sha256:ee
"""


def test_markers_are_those_of_the_images_python_and_system():
    assert wheelhouse.pins(LOCK) == {
        "numpy": "numpy==2.5.5 --hash=sha256:bb --hash=sha256:cc",
        "six": "six==1.17.0 --hash=sha256:ee",
    }


def test_the_jobs_lock_is_understood_whole():
    text = wheelhouse.LOCK.read_text(encoding="utf-8")
    names = {name.lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}
    found = wheelhouse.pins(text)
    assert {"numpy", "pandas", "duckdb", "lightgbm"} <= found.keys() <= names
    assert all("--hash=sha256:" in pin for pin in found.values())
