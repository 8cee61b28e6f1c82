"""What the notification of a run that is over says: what was found, what changed, and what is to be done."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from commands import approve, report
from notification import cut, subject, text


class Finished(BaseModel):
    """A run whose jobs have all succeeded."""

    dataset: str
    run_id: str
    execution: str
    trained: bool
    model_package: str
    """The version that this run registered; empty where it did not train."""
    approved: bool
    """Whether the run scored with its own model; otherwise with the approved one."""
    measured: bool = True
    """Whether the training job reported the error that new models are compared by."""

    @property
    def held_back(self) -> bool:
        """Whether its own model waits for a person, and an older one made the forecasts."""
        return self.trained and not self.approved


def notification(
    run: Finished,
    status: str,
    summary: dict[str, Any],
    quality: dict[str, Any],
    manifest: dict[str, Any],
    results: str,
    following: str | None,
    trains: bool = False,
) -> dict[str, str]:
    """Subject and message of the completion notification; ``trains`` tells what the following run does."""
    headline = summary.get("headline", "assessed")  # a run that was planned before an update has the code of then
    age, unit = summary.get("data_age", ""), "days" if summary["frequency"] == "D" else "hours"
    superseded = ["A newer run was published while this one was running; the newer results stay current."]
    rows, files, servers = quality["rows"], len(manifest["files"]), counted(summary["servers"], "server")
    lines = [
        f"Dataset {run.dataset}, run {run.run_id}: {status}.",
        *(superseded if status == "superseded" else []),
        "",
        f"{servers} to {summary['as_of'][:10]}{age and f' ({age})'}, {summary['horizon']} {unit} ahead: {headline}.",
        *most_urgent_lines(summary["top"][:10]),
        *unjudged_lines(summary),
        "",
        *accepted_lines(summary.get("accepted")),
        *changes_lines(summary.get("changes")),
        *savings_lines(summary),
        f"Data: {counted(files, 'new file')}{of_no_use(quality['files'])}, {counted(rows['read'], 'row')} read, "
        f"{counted(rows['quarantined'], 'row')} in quarantine.",
        *[f"  settings ignored: {cut(problem, 500)}" for problem in quality["settings"]["errors"][:10]],
        *more_lines(quality["settings"]["errors"], 10),
        *unused_lines(quality["files"]),
        *[f"  {note}" for note in quality["notes"][:5]],
        *more_lines(quality["notes"], 5),
        *model_lines(run, manifest["train_reason"], relative_error(summary)),
        *challenger_lines(summary.get("challenger")),
        *(drift_lines(run, summary.get("drift") or {}, following if trains else None) if status == "published" else []),
        *engine_lines(manifest.get("engines", {})),
        *([f"Cost estimate: {manifest['cost_estimate']}."] if "cost_estimate" in manifest else []),
        *[f"  {note}" for note in [*manifest.get("notes", []), *summary.get("notes", [])[:5]]],
        "",
        "Report:",
        *report(run.dataset, run.run_id, results),
        f"All results: {results}",
        *following_lines(following, summary["drift"] if trains else None),
    ]
    about = f"Headroom {run.dataset}: {headline if status == 'published' else 'run superseded'}"
    return {"subject": subject(about), "message": text(lines)}


def most_urgent_lines(top: list[dict[str, Any]]) -> list[str]:
    """The servers most at risk with their reasons, in the order of the summary."""
    told = [f"  {one['level']:8}  {cut(one['server_id'], 60)}: {one['reason']}" for one in top]
    order = ["Most urgent first: by level, chance, date, and how critical the server is:"] if len(top) > 1 else []
    return order + told


def unjudged_lines(summary: dict[str, Any]) -> list[str]:
    """Why servers are not judged, where that is true of all of them; else the notes say how many there are."""
    if not summary["servers"] or summary.get("unjudged", 0) < summary["servers"]:
        return []
    told = [f"  {cut(one['server_id'], 60)}: {cut(one['reason'], 500)}" for one in summary["not_judged"][:5]]
    return [*told, *more_lines(summary["not_judged"], 5, "risk_summary.json")]


def engine_lines(engines: dict[str, dict[str, str]]) -> list[str]:
    """Which jobs Spark did, and on what."""
    done = {"preprocess": "Files read by", "assess": "Assessed by"}
    return [f"{words} {engines[job]['told']}." for job, words in done.items()
            if engines.get(job, {}).get("engine") == "spark"]  # fmt: skip


def more_lines(problems: list[str], shown: int, where: str = "data_quality.json") -> list[str]:
    """How many problems or notes are not shown."""
    return [f"  and {len(problems) - shown:,} more: see {where}."] if len(problems) > shown else []


def following_lines(following: str | None, drift: dict[str, Any] | None) -> list[str]:
    """The run that follows this one, and why: ``drift`` where it trains for it, else files that came."""
    if following is None:
        return []
    if drift is None:
        return [f"Files that arrived meanwhile are being processed: {following}."]
    why = f" ({drift['reason']})" if drift.get("reason") else ""
    return [
        f"A training run follows, because the data has drifted from what the model was trained on{why}: {following}."
    ]


def relative_error(summary: dict[str, Any]) -> float | None:
    """The backtest error of the model that made the forecasts, over that of repeating the last season."""
    return (summary.get("forecast") or {}).get("relative_mase")


def drift_lines(run: Finished, drift: dict[str, Any], training: str | None) -> list[str]:
    """That the data has drifted, and what comes of it; nothing where the ``training`` that follows is told of."""
    if not drift.get("exceeded") or training is not None:
        return []
    why = f" ({drift['reason']})" if drift.get("reason") else ""
    then = "the new model, which was trained on it, was held back" if run.held_back else "the next run trains a new one"
    return [f"Drift: the data is no longer what the model was trained on{why}; {then}."]


def model_lines(run: Finished, why: str, error: float | None) -> list[str]:
    """Which model made the forecasts, how good it is where it is not, and what to do where a new one was held back."""
    poor = []
    if error is not None and error > 1:
        poor = [
            f"  In backtests its error is {error:.2f} times that of repeating the last season: take its dates with "
            "care. The report's section on forecasts says for which metrics."
        ]
    if not run.trained:
        return [f"Model: scored with the approved one ({why}).", *poor]
    if run.approved:
        return [f"Model: trained ({why}).", *poor]
    but = "in backtests it is worse than the approved one" if run.measured else "its job reported no error to compare"
    return [
        f"Model: trained ({why}), but {but}, so the approved one made these forecasts.",
        "  It waits for approval. To use it from the next run on:",
        *approve(run.dataset, run.model_package),
        *poor,
    ]


def challenger_lines(challenger: dict[str, Any] | None) -> list[str]:
    """How the challenger did beside the model, or why it did not; nothing in a run that had none."""
    return [f"  {cut(challenger['words'], 500)}"] if challenger else []


def accepted_lines(accepted: dict[str, Any] | None) -> list[str]:
    """What is hidden above because somebody has accepted it, what came back, and what is wrong with that list."""
    if not accepted:
        return []
    hidden, returned = accepted["hidden_total"], accepted["returned_total"]
    why = {"expired": "the decision has ended", "worse": "it has become worse"}
    back = [
        f"  back, as {why[one['why']]}: {cut(one['server_id'], 60)}: {cut(one['metric'], 60)} ({one['level']}, "
        f"{one['state']} by {cut(one['by'], 60)} until {one['until']})"
        for one in accepted["returned"][:3]
    ]
    problems = [f"  {cut(problem, 500)}" for problem in accepted["problems"][:3]]
    lines = [
        *([f"Accepted or snoozed, and not counted above: {counted(hidden, 'finding')}. The report lists them."]
          if hidden else []),
        *([f"Accepted or snoozed earlier, and back: {counted(returned, 'finding')}."] if returned else []),
        *back,
        *(["The file of accepted findings cannot be used, so nothing is hidden:"] if problems else []),
        *problems,
        *more_lines(accepted["problems"], 3, "the report"),
    ]  # fmt: skip
    return [*lines, ""] if lines else []


def changes_lines(changes: dict[str, Any] | None) -> list[str]:
    """What changed since the previous run, in words."""
    if not changes:
        return []
    kinds = {"new_at_risk": "newly at risk", "worse": "worse", "better": "better", "resolved": "resolved"}
    told = [f"{len(changes[kind])} {words}" for kind, words in kinds.items() if changes.get(kind)]
    return [f"Since the last run: {', '.join(told) if told else 'no change'}."]


def of_no_use(files: list[dict[str, Any]]) -> str:
    """How many files nothing could be used of, where there are any."""
    unused = sum(1 for file in files if file["error"])
    return f" ({unused:,} could not be used)" if unused else ""


def unused_lines(files: list[dict[str, Any]]) -> list[str]:
    """The files of which nothing could be used, the first ones with what to do."""
    unused = [file for file in files if file["error"]]
    lines = [f"  could not be used: {cut(file['file'], 200)!r}: {file['error'][:500]}" for file in unused[:3]]
    if len(unused) > 3:
        lines.append(f"  and {len(unused) - 3} more of {len(files)} files: see data_quality.json.")
    return lines


def savings_lines(summary: dict[str, Any]) -> list[str]:
    """What the recommendations would save, and what those to grow would cost."""
    savings = summary["savings"]
    saved, growth, currency = savings["monthly"], savings.get("growth_monthly", 0.0), savings["currency"]
    return [
        *([f"Possible savings: {saved:,.0f} {currency} per month (see the recommendations)."] if saved else []),
        *(
            [f"The recommended upsizing would cost about {growth:,.0f} {currency} more per month."]
            if growth > 0
            else []
        ),
    ]


def counted(number: int, word: str) -> str:
    """Such as 1 file, 2,000 files."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
