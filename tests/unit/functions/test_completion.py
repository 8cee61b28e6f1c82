"""What people read when a run is over."""

from __future__ import annotations

import completion
from tests.unit.functions import messages

RUN = completion.Finished(dataset="web", run_id="r", execution="e", trained=True, model_package="m", approved=True)
MANIFEST = {"files": [1], "train_reason": "there was no approved model"}


def told(**summary: object) -> dict[str, str]:
    """The notification of a run with these results beside the usual ones."""
    found = messages.SUMMARY | summary
    return completion.notification(RUN, "published", found, messages.QUALITY, MANIFEST, "s3://here", None)


def test_a_fleet_of_which_nothing_is_judged_gets_no_all_clear_and_is_told_why() -> None:
    none = dict.fromkeys(messages.SUMMARY["levels"], 0)
    why = [{"server_id": "web-1", "reason": "CPU has only 4 days of history; risk is judged once there are 7 days."}]
    words = "none of 3 servers can be judged"
    found = told(servers=3, unjudged=3, levels=none, top=[], not_judged=why * 3, headline=words)
    assert found["subject"] == f"Headroom web: {words}" and f"90 days ahead: {words}." in found["message"]
    assert "web-1: CPU has only 4 days of history; risk is judged once there are 7 days." in found["message"]


def test_a_run_of_an_older_job_without_these_words_is_told_all_the_same() -> None:
    older = {key: value for key, value in messages.SUMMARY.items() if key not in ("headline", "data_age")}
    found = completion.notification(RUN, "published", older, messages.QUALITY, MANIFEST, "s3://here", None)
    assert found["subject"] == "Headroom web: assessed" and "90 days ahead: assessed." in found["message"]


def test_old_data_is_said_to_be_old() -> None:
    assert "12 servers to 2026-01-01, 90 days ahead" in told(data_age="")["message"]
    assert (
        "12 servers to 2026-01-01 (22 days before this run), 90 days ahead"
        in told(data_age="22 days before this run")["message"]
    )


def test_several_servers_come_with_word_of_their_order() -> None:
    two = [messages.SUMMARY["top"][0], messages.SUMMARY["top"][0] | {"server_id": "web-2"}]
    assert "Most urgent first" in told(top=two)["message"] and "Most urgent first" not in told()["message"]
