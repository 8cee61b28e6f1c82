"""A page that is one file: its ES modules joined into one script, and the policy's words for what stands inline.

The report is such a page, and so is the web page that the API serves. Loads no library of the jobs.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources.abc import Traversable


def bundled(folder: Traversable, entry: str) -> str:
    """The ES modules of a folder that an entry needs, as the text of one module script.

    Each module becomes a function that is called once, after the modules that it imports, and returns what it exports;
    so its other names stay its own. Of the syntax of modules this knows two forms: on lines of its own
    ``import { a, b } from "./file.js";``, and ``export`` before a function, class or const.

    Raises:
        ValueError: two modules import each other, or one uses another form.
    """
    done: dict[str, str] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in above:
            raise ValueError(f"modules import each other: {' → '.join([*above, name])}")
        text = folder.joinpath(name).read_text(encoding="utf-8")
        for needed in re.findall(r'^import \{[^}]*\} from "\./([\w-]+\.js)";$', text, re.MULTILINE):
            add(needed, (*above, name))
        text = re.sub(
            r'^import (\{[^}]*\}) from "\./([\w-]+)\.js";$', lambda found: f"const {found[1]} = {_variable(found[2])};",
            text, flags=re.MULTILINE,
        )  # fmt: skip
        exported = re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, re.MULTILINE)
        text = re.sub(r"^export (?=(?:async )?(?:function|class|const) )", "", text, flags=re.MULTILINE)
        if left := re.search(r"^(?:import|export)\b.*$", text, re.MULTILINE):
            raise ValueError(f"{name} has a form of import or export that is not known here: {left[0]}")
        variable = _variable(name.removesuffix(".js"))
        done[name] = f"const {variable} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();\n"

    add(entry, ())
    return "".join(done.values())


def _variable(module: str) -> str:
    return f"module_{module.replace('-', '_')}"


def sources(texts: Iterable[str]) -> str:
    """What a Content-Security-Policy calls inline scripts or styles by: their hashes."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    return " ".join(f"'sha256-{one}'" for one in hashes)


def filled(template: str, parts: dict[str, str]) -> str:
    """A template with its ``{{parts}}``: in one pass, so that nothing inside a part is taken for a placeholder."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)
