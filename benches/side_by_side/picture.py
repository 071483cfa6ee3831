"""`picture.py FIGURES PICTURE`: the report's figures as JSON → bars in SVG, for a page that is light or dark.

A panel a workload: how many times smolget's CPU time each program takes. Run by the environment that has matplotlib. The
background is transparent, and all that is drawn stands out from white and from black alike.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, List

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

#: Halfway between black and white, a little to the blue.
TEXT = "#7d8590"
OURS = "#2da44e"
THEIRS = "#8c959f"

#: Where bars end; what is longer has its number all the same.
LONGEST = 8.0

COLUMNS = 2

#: Bars that a panel has room for, so that all are as high.
MOST_BARS = 6


def main(figures: Path, picture: Path) -> None:
    """Draws the picture."""
    # Text stays text, and the same figures give the same file.
    matplotlib.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "smolget", "font.family": "sans-serif", "font.size": 9,
        "text.color": TEXT, "axes.labelcolor": TEXT, "xtick.color": TEXT, "ytick.color": TEXT,
    })
    workloads = [work for work in json.loads(figures.read_text())["workloads"] if bars(work)]
    rows = -(-len(workloads) // COLUMNS)
    figure, grid = pyplot.subplots(max(rows, 1), COLUMNS, figsize=(8.8, 1.75 * max(rows, 1) + 0.4), squeeze=False)
    panels: List[Axes] = list(grid.flat)
    for panel, work in zip(panels, workloads):
        draw(panel, work)
    for panel in panels[len(workloads):]:
        panel.axis("off")
    figure.suptitle("CPU time, smolget = 1: shorter is better", x=0.01, ha="left", fontsize=10, fontweight="bold")
    figure.tight_layout(h_pad=1.2, w_pad=2.0)
    figure.savefig(picture, transparent=True, metadata={"Date": None})


def bars(work: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The programs that can be drawn: those with a ratio."""
    return [one for one in work["programs"] if one["ratio"]]


def draw(panel: Axes, work: Dict[str, Any]) -> None:
    """A workload's bars, the first program on top."""
    programs = bars(work)
    times = [1 / one["ratio"] for one in programs]
    colours = [OURS if one["key"] == "smolget" else THEIRS for one in programs]
    panel.barh(range(len(times)), [min(each, LONGEST) for each in times], color=colours, height=0.7)
    for place, each in enumerate(times):
        panel.text(min(each, LONGEST) + 0.1, place, label(each), va="center", fontsize=8)
    panel.set_yticks(range(len(times)), [one["key"] for one in programs])
    panel.set_xlim(0, LONGEST + 1.2)
    panel.set_ylim(MOST_BARS - 0.5, -0.5)
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.set_title(work["title"], loc="left", fontsize=9)
    for side in panel.spines.values():
        side.set_visible(False)


def label(times: float) -> str:
    """A bar's number; one that is cut short says that it goes on."""
    if times > LONGEST:
        return f"{times:.0f} ▸"
    return f"{times:.1f}" if times >= 1 else f"{times:.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
