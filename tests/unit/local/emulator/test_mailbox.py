"""What subscribers would get by e-mail can be read on the laptop."""

from __future__ import annotations

from pathlib import Path

from local.emulator.mailbox import deliver, letters


def test_letters_come_back_as_they_were_sent_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "mailbox"
    assert letters(folder) == []
    deliver(folder, "you@example.com", "Headroom demo: 3 critical", "Zeile 1\nÜberlast – 95 %\n" + "x" * 2000)
    deliver(folder, "you@example.com", "second", "")
    first, second = letters(folder)
    assert (first.to, first.subject) == ("you@example.com", "Headroom demo: 3 critical")
    assert first.body == "Zeile 1\nÜberlast – 95 %\n" + "x" * 2000
    assert second.subject == "second"


def test_a_subject_cannot_add_headers(tmp_path: Path) -> None:
    deliver(tmp_path, "you@example.com", "failed\r\nBcc: everybody@example.com", "body")
    [letter] = letters(tmp_path)
    assert letter.subject == "failed Bcc: everybody@example.com"
    assert b"\nBcc:" not in letter.file.read_bytes()
