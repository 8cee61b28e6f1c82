"""Why a run did not succeed, as people see it in a terminal."""

from __future__ import annotations

import json

from cli import live


class Cloud:
    """A cloud whose jobs have written one line that would clear the screen."""

    def client(self, service: str) -> Cloud:
        return self

    def describe_log_streams(self, **_: str) -> dict[str, object]:
        return {"logStreams": [{"logStreamName": "job-1/algo-1-1", "creationTime": 1}]}

    def get_log_events(self, **_: object) -> dict[str, object]:
        return {"events": [{"message": "\x1b[2Jgone\n"}]}


def test_nothing_that_a_job_or_a_file_says_controls_the_terminal() -> None:
    job = {"ProcessingJobName": "job-1", "FailureReason": "AlgorithmError: x", "ExitMessage": "no\x1b[31m rows\nat all"}
    told = live.why(Cloud(), {"status": "FAILED", "error": "E", "cause": json.dumps(job)}, [])
    assert told == [
        "the run ended FAILED: no\\x1b[31m rows", "at all", "", "the last lines of job-1:", "  \\x1b[2Jgone",
    ]  # fmt: skip
