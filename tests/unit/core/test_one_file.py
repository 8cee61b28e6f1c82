"""A page that is one file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from headroom.core.one_file import bundled, filled, sources


def test_modules_come_after_those_that_they_import_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { B } from "./b.js";\nimport { c } from "./c.js";\nc(B);\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport class B {}\nexport const unused = c;\n')
    (tmp_path / "c.js").write_text("export async function c() {}\n")
    script = bundled(tmp_path, "a.js")
    assert script.count("async function c()") == 1
    assert script.index("module_c =") < script.index("module_b =") < script.index("module_a =")
    assert "const { B } = module_b;" in script and "return { B, unused };" in script


def test_modules_that_import_each_other_or_in_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nexport const a = 1;\n')
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = 1;\n')
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        bundled(tmp_path, "a.js")
    (tmp_path / "c.js").write_text("export default 1;\n")
    with pytest.raises(ValueError, match="not known here: export default"):
        bundled(tmp_path, "c.js")


def test_a_policy_calls_a_script_by_its_hash() -> None:
    assert sources(["x"]) == f"'sha256-{base64.b64encode(hashlib.sha256(b'x').digest()).decode()}'"


def test_nothing_inside_a_part_is_taken_for_a_placeholder() -> None:
    assert filled("<{{a}}{{b}}>", {"a": "{{b}}", "b": "1"}) == "<{{b}}1>"
