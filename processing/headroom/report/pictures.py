"""The two pictures of an assessment: risk by server and week, and the map of clusters.

They go into e-mails and slides, so each fits one slide whatever the fleet's size, says in its title what is to be
seen, and is never empty. matplotlib draws them: the job image has no browser.
"""

from __future__ import annotations

import textwrap
import unicodedata
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from headroom.core import wording
from headroom.core.findings import AT_RISK, LEVELS, Assessment, RiskOverTime
from headroom.core.metrics import percent_names
from headroom.report.cluster_map import dot_width, on_map, place_labels
from headroom.report.fleet import calm, horizon_of, last_period, unjudged

ROWS = 25
NAME_LENGTH = 28
USE_ROWS, USE_ROW = 12, 0.42

# From light to dark as risk grows, so that it survives a grey printer and every kind of colour blindness.
LEVEL_COLOURS = {"none": "#e9edf1", "low": "#f8dc9b", "medium": "#f0a836", "high": "#cf4f14", "critical": "#86092c"}
CALM_COLOURS = ("#eef4fa", "#2f6da8")
# Okabe and Ito's colour-blind-safe palette (2008), its yellow and black replaced for contrast on white.
CLUSTER_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b4fa0", "#5d6b78")

INK, MUTED, LINE = "#16202b", "#566474", "#d5dce3"
_FONT = font_manager.get_font(font_manager.findfont("DejaVu Sans"))


def _use_over_time(assessment: Assessment, risk: RiskOverTime, rows: int) -> np.ndarray:
    """The highest use of the first servers in each bucket, in percent of the warning threshold; NaN without one."""
    shown = risk.server_ids[:rows]
    table = assessment.forecasts[assessment.forecasts["server_id"].isin(shown)]
    known = assessment.risks.set_index(["server_id", "metric"])["warning"]
    warning = known.reindex(pd.MultiIndex.from_frame(table[["server_id", "metric"]])).set_axis(table.index)
    share = 100 * table["q50"].where(table["is_future"], table["actual"]) / warning.astype(float)
    column = ((table["ds"] - risk.starts[0]) // risk.bucket).to_numpy()
    row = pd.Index(shown).get_indexer(table["server_id"])
    use = np.full((rows, len(risk.starts)), np.nan)
    np.fmax.at(use, (row[column >= 0], column[column >= 0]), share.to_numpy()[column >= 0])
    return use


def write_risk_heatmap(assessment: Assessment, path: Path) -> None:
    """Write ``risk_heatmap.png``; see :func:`risk_heatmap`."""
    _save(risk_heatmap(assessment), path)


def write_utilization_clusters(assessment: Assessment, path: Path) -> None:
    """Write ``utilization_clusters.png``; see :func:`utilization_clusters`."""
    _save(utilization_clusters(assessment), path)


def risk_heatmap(assessment: Assessment) -> Figure:
    """The most urgent servers' level by week, and above them how many of the fleet are at which level.

    Where none has one, the servers nearest to their thresholds, with their highest use in percent of the warning.
    """
    risk = assessment.over_time
    listed = int((assessment.servers["level"] != "none").sum())
    rows = max(1, min(ROWS, listed or 12, len(risk.server_ids)))
    width, row_height = 13.0, max(0.27, 1.2 / rows)
    height = (3.4 if listed else 2.2) + row_height * rows
    figure = _figure(width, height)
    bottom = (0.95 if listed else 0.6) / height
    box = {"left": 2.75 / width, "right": 1 - 0.35 / width, "top": 1 - 1.3 / height, "bottom": bottom}
    if listed:
        grid = figure.add_gridspec(2, 1, height_ratios=[1.05, row_height * rows], hspace=0.06, **box)
        _draw_fleet(figure.add_subplot(grid[0]), risk)
        axes = figure.add_subplot(grid[1])
        colours = ListedColormap([LEVEL_COLOURS[name] for name in LEVELS]).with_extremes(bad="#ffffff")
        levels = np.ma.masked_less(risk.levels[:rows], 0)
        _draw_servers(axes, risk, levels, colours, BoundaryNorm(np.arange(len(LEVELS) + 1) - 0.5, len(LEVELS)))
        _level_legend(figure, assessment)
    else:
        axes = figure.add_subplot(figure.add_gridspec(1, 1, **box)[0])
        use = _use_over_time(assessment, risk, rows)
        calm = LinearSegmentedColormap.from_list("calm", CALM_COLOURS).with_extremes(bad="#ffffff")
        _draw_servers(axes, risk, np.ma.masked_invalid(use), calm, Normalize(0, 100))
        for (row, column), value in np.ndenumerate(use):
            if np.isfinite(value):
                ink = "white" if value > 65 else INK
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8.5, color=ink)
    _title(figure, _risk_title(assessment, listed), _risk_subtitle(assessment, risk, rows, listed))
    return figure


def utilization_clusters(assessment: Assessment) -> Figure:
    """The map of clusters: servers that behave alike lie near each other; beside it each cluster's size and week.

    Where there is nothing to tell apart, each server's use instead of the map.
    """
    clusters, profiles = assessment.clusters, sorted(assessment.profiles, key=lambda profile: -profile["size"])
    use = assessment.risks[assessment.risks["metric"].isin(percent_names())]
    use = use.sort_values(["peak_q50", "server_id", "metric"], ascending=[False, True, True]).head(USE_ROWS)
    width, height = 13.0, 7.3 if len(profiles) > 1 else 2.0 + max(1.3, USE_ROW * len(use))
    figure = _figure(width, height)
    if len(profiles) > 1:
        _draw_map(figure, figure.add_axes((0.35 / width, 0.55 / height, 8.3 / width, 5.6 / height)), clusters, profiles)
        title = f"{len(clusters):,} servers fall into {len(profiles)} kinds of behaviour"
        subtitle = "Servers close together use their capacity alike; the ringed one is typical of its group"
    else:
        _draw_use(figure, use)
        title = (
            f"One kind of behaviour: {readable(profiles[0]['name'], 34)}" if profiles else "Too few servers to compare"
        )
        subtitle = f"Mean use of the last {'24 hours' if assessment.settings.frequency.hourly else '7 days'}, and the "
        subtitle += f"peak expected in the next {horizon_of(assessment)}"
    _draw_profiles(figure, profiles, len(clusters))
    _title(figure, title, subtitle)
    return figure


def readable(text: object, length: int = NAME_LENGTH) -> str:
    """A name from outside as the font can draw it: no control characters, no missing glyphs, not too long."""
    drawn = "".join(
        character if character == " " or (_FONT.get_char_index(ord(character)) and _is_visible(character)) else "□"
        for character in str(text)
    )
    return drawn if len(drawn) <= length else drawn[: length - 1] + "…"


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"


def _draw_fleet(axes: Axes, risk: RiskOverTime) -> None:
    below = np.zeros(len(risk.starts))
    for code in range(len(LEVELS) - 1, 0, -1):
        count = (risk.levels == code).sum(axis=0)
        axes.bar(np.arange(len(count)), count, 0.94, bottom=below, color=LEVEL_COLOURS[LEVELS[code]])
        below += count
    for column, total in enumerate(below):
        axes.text(column, total, f"{int(total):,}" if total else "0", ha="center", va="bottom", fontsize=9, color=MUTED)
    axes.set_ylim(0, max(1, below.max()) * 1.3)
    axes.set_xlim(-0.5, len(below) - 0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylabel("servers by level", rotation=0, ha="right", va="center", fontsize=10, color=MUTED)
    axes.spines[:].set_visible(False)
    _mark_now(axes, risk)


def _draw_servers(axes: Axes, risk: RiskOverTime, cells: np.ma.MaskedArray, colours: Colormap, norm: Normalize) -> None:
    rows = len(cells)
    axes.pcolormesh(
        np.arange(len(risk.starts) + 1) - 0.5, np.arange(rows + 1) - 0.5, cells,
        cmap=colours, norm=norm, edgecolors="white", linewidth=1.6,
    )  # fmt: skip
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(range(len(risk.server_ids[:rows])), labels=[readable(s) for s in risk.server_ids[:rows]])
    axes.set_xticks(range(len(risk.starts)), labels=[f"{start:%-d %b}" for start in risk.starts])
    if len(risk.starts) > 16:
        for label in axes.get_xticklabels()[1::2]:
            label.set_visible(False)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)
    axes.spines[:].set_visible(False)
    _mark_now(axes, risk)


def _mark_now(axes: Axes, risk: RiskOverTime) -> None:
    if risk.past:
        axes.axvline(risk.past - 0.5, color=INK, linewidth=1.4)


def _level_legend(figure: Figure, assessment: Assessment) -> None:
    width, _ = figure.get_size_inches()
    # Servers that are not judged have the level none as a placeholder; a slide must not count them as safe.
    unknown = len(unjudged(assessment))
    counts = {name: _count(assessment, name) for name in reversed(LEVELS)}
    counts["none"] -= unknown
    handles = [
        Patch(facecolor=LEVEL_COLOURS[name], edgecolor=LINE, label=f"{name} ({count:,})")
        for name, count in counts.items()
    ]
    if unknown:
        handles.append(Patch(facecolor="white", edgecolor=LINE, label=f"not judged ({unknown:,})"))
    figure.legend(
        handles=handles,
        loc="lower left", bbox_to_anchor=(2.65 / width, 0.02), ncols=len(handles), frameon=False, fontsize=10,
        labelcolor=INK, handlelength=1.4, columnspacing=1.8,
    )  # fmt: skip


def _risk_title(assessment: Assessment, listed: int) -> str:
    servers, ahead = len(assessment.servers), f"in the next {horizon_of(assessment)}"
    at_risk, critical = sum(_count(assessment, level) for level in AT_RISK), _count(assessment, "critical")
    watch = listed - at_risk
    if at_risk == 0:
        return calm(assessment)
    more = f"; {watch:,} more to watch" if watch else ""
    return f"{at_risk:,} of {servers:,} servers at risk {ahead}, {critical:,} of them critical{more}"


def _risk_subtitle(assessment: Assessment, risk: RiskOverTime, rows: int, listed: int) -> str:
    dataset = assessment.summary["dataset"]
    what = "worst level" if listed else "highest use in percent of the warning threshold,"
    parts = [f"{what} {risk.every}"]
    if risk.past:
        right = "reached by then, as forecast" if listed else "as forecast"
        parts.append(f"left of the line as measured, right of it {right}")
    if listed > rows:
        parts.append(f"the {rows} most urgent shown, {listed - rows:,} more in report.html")
    elif listed == 0 and len(risk.server_ids) > rows:
        parts.append(f"the {rows} nearest to their thresholds shown")
    lead = f"{readable(dataset)}, as of {last_period(assessment):%-d %B %Y}: " if dataset else ""
    return lead + "; ".join(parts)


def _draw_use(figure: Figure, shown: pd.DataFrame) -> None:
    """The use of a few rows of the risks, each a bar with a mark at the expected peak."""
    width, height = figure.get_size_inches()
    tall = USE_ROW * max(1, len(shown))
    axes = figure.add_axes((2.9 / width, (height - 1.3 - tall) / height, 4.5 / width, tall / height))
    axes.spines[:].set_visible(False)
    axes.set_xlim(0, 100)
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)
    if shown.empty:
        axes.set_axis_off()
        axes.text(0, 0.5, "No metric in percent of capacity is measured.", fontsize=11, color=MUTED)
        return
    rows = np.arange(len(shown))
    axes.barh(rows, 100, 0.62, color=LEVEL_COLOURS["none"])
    axes.barh(rows, shown["current"].fillna(0), 0.62, color=CLUSTER_COLOURS[0])
    axes.scatter(shown["peak_q50"], rows, s=190, marker="|", linewidths=2.4, color=INK, zorder=3)
    for row, risk in enumerate(shown.itertuples()):
        told = f"{wording.amount(risk.current, risk.metric)}, peak {wording.amount(risk.peak_q50, risk.metric)}"
        axes.text(102, row, told, va="center", fontsize=10, color=INK)
    names = [f"{readable(risk.server_id, 22)}, {wording.metric(risk.metric)}" for risk in shown.itertuples()]
    axes.set_yticks(rows, labels=names)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xticks([0, 50, 100], labels=["0 %", "50 %", "100 %"])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)


def _draw_map(figure: Figure, axes: Axes, clusters: pd.DataFrame, profiles: list[dict]) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(LINE)
    spots = on_map(clusters)
    points_across = figure.get_size_inches()[0] * 72 * axes.get_position().width
    size = (0.9 * dot_width(len(spots)) * points_across) ** 2
    labels, anchors = [], []
    for rank, profile in enumerate(profiles):
        colour = CLUSTER_COLOURS[rank % len(CLUSTER_COLOURS)]
        mine = spots[(clusters["cluster"] == profile["cluster"]).to_numpy()]
        axes.scatter(mine[:, 0], mine[:, 1], s=size, color=colour, alpha=0.75, linewidths=0)
        typical = spots[(clusters["server_id"] == profile["typical_server"]).to_numpy()]
        if len(typical):
            x, y = typical[0]
            axes.scatter(x, y, s=max(size, 70), facecolor=colour, edgecolor=INK, linewidths=1.6, zorder=3)
            labels.append((colour, readable(profile["name"], 34), readable(profile["typical_server"], 26)))
            anchors.append(typical[0])
    sizes = np.array([(0.0128 * max(len(name), len(server)) + 0.03, 0.09) for _, name, server in labels])
    places = place_labels(spots, np.array(anchors), sizes)
    for (colour, name, server), anchor, place in zip(labels, anchors, places, strict=True):
        axes.plot(*np.array([anchor, place]).T, color=colour, linewidth=1.4, zorder=2)
        axes.text(
            place[0], place[1], f"{name}\n{server}", ha="center", va="center", fontsize=10.5, color=INK, weight="bold",
            parse_math=False, linespacing=1.15, zorder=4,
            bbox={"boxstyle": "round,pad=0.28", "facecolor": "white", "alpha": 0.92, "edgecolor": colour},
        )  # fmt: skip


def _draw_profiles(figure: Figure, profiles: list[dict], servers: int) -> None:
    """The list beside the map: each cluster's name, size and week in small bars."""
    width, height = figure.get_size_inches()
    top, each = height - 1.2, min(1.05, (height - 1.75) / max(1, len(profiles)))
    weeks = [np.nan_to_num(np.asarray(profile.get("weekday_profile") or [0] * 7, dtype=float)) for profile in profiles]
    highest = max([1.0, *(float(week.max()) for week in weeks)])
    for rank, profile in enumerate(profiles):
        colour = CLUSTER_COLOURS[rank % len(CLUSTER_COLOURS)]
        y = top - rank * each
        name = textwrap.wrap(readable(profile["name"], 48), 25)[:2] or [""]
        figure.text(
            9.0 / width, (y - 0.06) / height, "\n".join(name), fontsize=11, weight="bold", color=INK,
            va="top", parse_math=False, linespacing=1.15,
        )  # fmt: skip
        size = f"{wording.plural(profile['size'], 'server')}, {wording.share(profile['size'] / max(1, servers))}"
        figure.text(
            9.0 / width, (y - 0.12 - 0.19 * len(name)) / height, size,
            fontsize=10, color=MUTED, va="top",
        )  # fmt: skip
        axes = figure.add_axes((11.55 / width, (y - each + 0.3) / height, 1.1 / width, (each - 0.36) / height))
        axes.bar(range(7), weeks[rank], 0.8, color=colour)
        axes.set_ylim(0, highest * 1.05)
        axes.set_yticks([])
        axes.set_xticks(range(7), labels=list("MTWTFSS"))
        axes.tick_params(length=0, labelsize=8, labelcolor=MUTED, pad=1)
        axes.spines[:].set_visible(False)


def _count(assessment: Assessment, level: str) -> int:
    return int((assessment.servers["level"] == level).sum())


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _title(figure: Figure, title: str, subtitle: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.35 / width, 1 - 0.3 / height, title, fontsize=18, weight="bold", color=INK, va="top")
    figure.text(
        0.35 / width, 1 - 0.72 / height, "\n".join(textwrap.wrap(subtitle, 125)), fontsize=11, color=MUTED, va="top",
        parse_math=False, linespacing=1.3,
    )  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    # Without metadata: matplotlib would write its version, and the same input must give the same bytes.
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(path, format="png", metadata={"Software": None})
