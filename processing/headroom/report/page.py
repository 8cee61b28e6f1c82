"""The report people open: one HTML file with everything in it, that asks nothing of the network.

Python chooses what is shown and phrases it; the page in ``assets/`` lays it out in the browser. The values travel as
JSON that cannot end its script element and reach the page only as text, never as markup, so a server's name is harmless
whatever it holds. The page's policy allows no request and no script but its own.

The scripts in ``assets/`` are ES modules, which are joined into the one module script of the page. plotly, which draws
the charts, is larger than everything else together: it travels deflated and is unpacked when the first chart is to be
drawn, as a script whose hash the policy names.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headroom.core import one_file, wording
from headroom.core.findings import LEVELS, Assessment, RiskOverTime
from headroom.core.plain import plain
from headroom.report import cluster_map, details, fleet, lines, sections, servers
from headroom.report.sections import actions, groups, top

MAX_BYTES = 7_800_000
MAX_SERVERS = 1500
# Servers listed where scripts do not run.
PREVIEWED = 20

ASSETS = Path(__file__).with_name("assets")
PLOTLY = ASSETS / "vendor" / "plotly-basic-4.1.1.min.js"
ENTRY = "page.js"
# plotly makes an empty style element and adds its rules to that.
EMPTY_STYLE = ""


def write(assessment: Assessment, path: Path) -> None:
    """Write ``report.html``, at most 8 MB. The same assessment gives the same bytes.

    A fleet that does not fit is cut to the servers that matter: those at risk first, then those that a change or a
    cluster names, then those with a recommendation, then the rest, each by urgency. The report says what it leaves out
    and which file has it.
    """
    path.write_text(render(assessment), encoding="utf-8", newline="\n")


def render(assessment: Assessment) -> str:
    """The whole page as text; see :func:`write`."""
    most = MAX_SERVERS
    while True:
        shown = servers_shown(assessment, most)
        metrics = [str(metric) for metric in pd.unique(assessment.risks["metric"])]
        table = servers.facts(assessment, shown)
        view = _json(_view(assessment, shown, table, metrics))
        each_server = _json(list(details.sections(assessment, shown, table, metrics)))
        if len(view.encode()) + len(each_server) < MAX_BYTES * 0.55 or most <= 50:
            break
        most //= 2
    style, script, plotly = _asset("report.css"), one_file.bundled(ASSETS, ENTRY), PLOTLY.read_text(encoding="utf-8")
    dataset = assessment.summary["dataset"]
    parts = {
        "policy": _policy([script, plotly], [style, EMPTY_STYLE]),
        "title": html.escape(wording.printable(f"{dataset or 'Fleet'}: {top.headline(assessment)}")),
        "style": style,
        "without_script": _without_script(assessment),
        "view": view,
        "details": each_server,
        "plotly": base64.b64encode(_deflated(plotly)).decode("ascii"),
        "script": script,
    }
    room = MAX_BYTES - len(_asset("report.html")) - sum(len(part.encode()) for part in parts.values())
    parts["series"] = _json(lines.series(assessment, shown, metrics, room))
    return one_file.filled(_asset("report.html"), parts)


@cache
def _deflated(text: str) -> bytes:
    return zlib.compress(text.encode(), 9)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(scripts: list[str], styles: list[str]) -> str:
    # blob: is how plotly makes a picture of a chart to save.
    return (
        f"default-src 'none'; script-src {one_file.sources(scripts)}; style-src {one_file.sources(styles)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no character of it can end the element or a line of script."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode("utf-8")


def _view(assessment: Assessment, shown: pd.DataFrame, table: pd.DataFrame, metrics: list[str]) -> dict[str, Any]:
    """Everything the page shows but the servers' own sections: plain values, in the order of the page."""
    position = {name: i for i, name in enumerate(shown["server_id"])}
    over_time = assessment.over_time
    counts = assessment.servers["level"].value_counts()
    return {
        "asOf": _milliseconds(fleet.last_period(assessment)),
        "frequency": assessment.settings.frequency,
        "levels": list(LEVELS),
        "counts": [int(counts.get(level, 0)) for level in LEVELS],
        "notJudged": len(fleet.unjudged(assessment)),
        "anyRisk": bool((assessment.servers["level"] != "none").any()),
        "fleet": {"servers": len(assessment.servers), "shown": len(shown)},
        "meanTitle": "24\u2011hour mean" if assessment.settings.frequency.hourly else "7\u2011day mean",
        "metrics": [_metric(assessment, metric) for metric in metrics],
        "top": servers.cut(plain(top.top(assessment))),
        "sections": servers.cut(plain(sections.all_sections(assessment, over_time, len(shown)))),
        "servers": servers.columns(assessment, shown, table, metrics),
        "sparks": lines.sparks(assessment, shown),
        "overTime": _over_time(over_time, position, len(assessment.servers)),
        "breaches": _breaches(assessment, over_time),
        "profiles": servers.cut(plain([groups.profile(one) for one in _profiles(assessment)])),
        "map": _map(assessment, position),
    }


def _metric(assessment: Assessment, metric: str) -> dict[str, Any]:
    # Of a metric with a capacity of each server's own, or with thresholds of some, each server says its own.
    return {
        "label": wording.metric(metric),
        "unit": wording.unit(metric),
        "thresholds": details.thresholds_of_all(assessment, metric),
    }


def servers_shown(assessment: Assessment, most: int = MAX_SERVERS) -> pd.DataFrame:
    """The servers in the report, most urgent first; see :func:`write` for which ones where not all fit."""
    table = assessment.servers.reset_index(drop=True)
    if len(table) <= most:
        return table
    named = {profile["typical_server"] for profile in assessment.profiles}
    for value in (assessment.changes or {}).values():
        named.update(value[: actions.MAX_SERVERS_NAMED] if isinstance(value, list) else [])
    advised = {name for item in assessment.recommendations for name in item["server_ids"][: actions.MAX_SERVERS_NAMED]}
    names = table["server_id"]
    matters = np.select([table["level"] != "none", names.isin(named), names.isin(advised)], [3, 2, 1], 0)
    return table.iloc[np.sort(np.argsort(-matters, kind="stable")[:most])].reset_index(drop=True)


def _over_time(risk: RiskOverTime, position: dict[str, int], all_servers: int) -> dict[str, Any]:
    """The fleet by level over time: a tower per bucket, and a row of digits per server, "." where there is none."""
    rows = [""] * len(position)
    for name, levels in zip(risk.server_ids, risk.levels, strict=True):
        if name in position:
            rows[position[name]] = "".join("." if level < 0 else str(level) for level in levels.tolist())
    totals = [[int((column == code).sum()) for code in range(len(LEVELS))] for column in risk.levels.T]
    of_day = "" if risk.bucket.days == 1 else "from "
    moments = [f"{of_day}{wording.day(start)}" for start in risk.starts]
    told = [
        ", ".join(f"{number:,} {level}" for number, level in list(zip(total, LEVELS, strict=True))[:0:-1])
        for total in totals
    ]
    return {
        "past": risk.past,
        "stretch": risk.stretch,
        "labels": [wording.day(start, year=False) for start in risk.starts],
        "moments": moments,
        "rows": rows,
        "totals": totals,
        "told": [f"{moment}: {words}" for moment, words in zip(moments, told, strict=True)],
        "title": f"Servers by level, of {all_servers:,}",
    }


def _breaches(assessment: Assessment, risk: RiskOverTime) -> dict[str, Any]:
    """How many servers, not above a critical threshold now, first reach one in each bucket of the future."""
    risks = fleet.open_risks(assessment)
    now = risks.loc[risks["above_already"], "server_id"]
    coming = risks[risks["critical_date"].notna() & ~risks["server_id"].isin(now)]
    first = coming.groupby("server_id")["critical_date"].min()
    starts = risk.starts[risk.past :]
    column = np.searchsorted(starts.to_numpy(), first.to_numpy(), side="right") - 1
    counts = np.bincount(np.clip(column, 0, None), minlength=len(starts)).tolist()
    return {"counts": counts, "title": f"Servers that turn critical next, {risk.every}"}


def _profiles(assessment: Assessment) -> list[dict[str, Any]]:
    return sorted(assessment.profiles, key=lambda profile: -profile["size"])


def _map(assessment: Assessment, position: dict[str, int]) -> dict[str, Any]:
    """The cluster map on a square of 1000.

    Points are x, y, rank of the group and position in the table; names are where to write them and what point they
    stand for.
    """
    clusters = assessment.clusters[assessment.clusters["server_id"].isin(position)]
    spots = cluster_map.on_map(clusters)
    points = (spots * 1000).round().astype(int).tolist()
    anchors, sizes, ranks = [], [], {}
    for rank, profile in enumerate(_profiles(assessment)):
        ranks[profile["cluster"]] = rank
        mine = spots[(clusters["cluster"] == profile["cluster"]).to_numpy()]
        middle = np.median(mine, axis=0) if len(mine) else np.array([0.5, 0.5])
        anchors.append(mine[np.argmin(np.hypot(*(mine - middle).T))] if len(mine) else middle)
        sizes.append((0.0125 * len(profile["name"]) + 0.01, 0.05))
    places = cluster_map.place_labels(spots, np.array(anchors), np.array(sizes))
    return {
        "points": [
            [*point, ranks[cluster], position[name]]
            for point, cluster, name in zip(points, clusters["cluster"].tolist(), clusters["server_id"], strict=True)
        ],
        "names": (np.hstack([places, np.reshape(anchors, (-1, 2))]) * 1000).round().astype(int).tolist(),
        "dot": cluster_map.dot_width(len(spots)),
        "shape": cluster_map.MAP_SHAPE,
    }


def _milliseconds(moment: pd.Timestamp) -> int:
    return int(moment.value // 1_000_000)


def _without_script(assessment: Assessment) -> str:
    """What a reader sees where scripts do not run, as in the preview of a mail program: the most urgent servers."""
    urgent = assessment.servers[assessment.servers["level"] != "none"].head(PREVIEWED)
    rows = [
        f"<li><strong>{row.level}</strong> <bdi>{html.escape(wording.printable(row.server_id))}</bdi>: "
        f"{html.escape(wording.printable(servers.cut(row.reason)))}</li>"
        for row in urgent.itertuples()
    ]
    return (
        f"<h1>{html.escape(top.headline(assessment))}</h1><p>This preview runs no scripts. Open the file in a "
        f"browser to see all of the report. The most urgent servers:</p><ol>{''.join(rows)}</ol>"
    )
