"""The pictures in ``docs/images``, made anew with the present code by ``make screenshots``: reports and the page.

Runs the three jobs as plain programs on a generated fleet, and on the Bitbrains trace where ``../shared/data`` has it,
each as of today and as of some time before, so that the report has a last run to compare with. A headless Chromium
then photographs the reports. The page is that of the laptop cloud, with a run under way.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from cli.loopback import Server
from local import cloud as clouds
from local import deploy, fleet

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
BITBRAINS = ROOT.parent / "shared" / "data" / "bitbrains"
RUN_MS = 600_000
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}


def main(only: str = "") -> None:
    """Make the pictures, or ``only`` those of "reports" or of the "page"; those of the trace stay as they are where it
    is not at hand."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("No Chromium found: install the package chromium (Debian: apt-get install chromium).")
    if only != "reports":
        page(browser)
    if only != "page":
        reports(browser)


def reports(browser: str) -> None:
    """Pictures of reports."""
    with tempfile.TemporaryDirectory() as scratch, _photographs(browser) as photograph:
        generated = Path(scratch) / "demo"
        fleet.write(fleet.generate(servers=120, days=400, sampling="1h"), generated)
        report = assess(generated / "incoming", "demo", generated / "settings.yaml", "28D")
        photograph(report, "report.png", viewport={"width": 1280, "height": 980})
        photograph(report, "report-server.png", opened=True, viewport={"width": 1280, "height": 1100})
        photograph(report, "report-phone.png", **PHONE)
        for name in ("risk_heatmap.png", "utilization_clusters.png"):
            _save((report.parent / name).read_bytes(), name, 1200)
        fleet.own.write(Path(scratch) / "own")
        report = assess(Path(scratch) / "own" / "incoming", "own", Path(scratch) / "own" / "settings.yaml", "28D")
        photograph(report, "report-own-metrics.png", opened=True, viewport={"width": 1280, "height": 1100})
        if not BITBRAINS.is_dir():
            print(f"{BITBRAINS} is not there: report-bitbrains.png stays as it is.")
            return
        hourly = Path(scratch) / "bitbrains" / "settings.yaml"
        hourly.parent.mkdir()
        hourly.write_text("{frequency: h, horizon: 168}\n")
        report = assess(BITBRAINS, "bitbrains", hourly, "2D")
        photograph(report, "report-bitbrains.png", viewport={"width": 1280, "height": 900})


def page(browser: str) -> None:
    """Pictures of the page on a laptop cloud: a run followed live, findings, an upload; at a desk and on a phone."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        cloud = clouds.start(Path(scratch) / "cloud", clouds.free_port(), with_parent=True)
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        try:
            _pictures_of_page(cloud, chromium, Path(scratch))
        finally:
            chromium.close()
            clouds.stop(cloud)


def _pictures_of_page(cloud: clouds.Cloud, chromium: Browser, scratch: Path) -> None:
    stack = deploy.deploy(cloud)
    fleet.write(fleet.generate(servers=60, days=300, sampling="1D"), scratch)
    files = sorted((scratch / "incoming").iterdir())
    for file in files:
        cloud.client("s3").upload_file(str(file), stack.outputs["IngestBucketName"], f"incoming/web/{file.name}")
    keys = cloud.environment
    session = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=clouds.REGION)
    server = Server(deploy.api_address(cloud, stack), session, clouds.REGION)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def opened(view: str, **look: Any) -> Any:
        made = chromium.new_context(device_scale_factor=2, **look).new_page()
        made.set_default_timeout(RUN_MS)
        made.goto(server.page)
        made.get_by_role("heading", name="Datasets").wait_for()  # it has taken its key by then
        made.get_by_text("Loading …").wait_for(state="detached")
        made.evaluate("(view) => { location.hash = `#/datasets/web${view}`; }", view)
        return made

    desk = opened("", viewport={"width": 1280, "height": 980})
    desk.get_by_text("the current report").wait_for()
    desk.get_by_label("Mode").select_option("train")
    desk.get_by_role("button", name="Start a run").click()
    phone = opened("", **PHONE)
    for one, name in ((desk, "page-overview.png"), (phone, "page-phone.png")):
        one.get_by_text("Train is under way.").wait_for()
        one.locator(".log").filter(has_text="horizon").wait_for()
        one.evaluate("document.activeElement.blur()")
        _save(one.screenshot(), name, 560 if one is phone else 1280)
    findings = opened("/findings", viewport={"width": 1280, "height": 860})
    findings.locator("tbody tr").first.wait_for()
    _save(findings.screenshot(), "page-findings.png", 1280)
    upload = opened("/upload", viewport={"width": 1280, "height": 1000})
    diary = {"name": "diary.csv", "mimeType": "text/csv", "buffer": b"dear diary\ntoday nothing happened\n"}
    june = {"name": "june.csv", "mimeType": "text/csv", "buffer": files[-1].read_bytes()}
    upload.locator("input[type=file]").set_input_files([june, diary])
    upload.get_by_role("button", name="Upload 1 file").wait_for()
    _save(upload.screenshot(), "page-upload.png", 1280)
    server.shutdown()


def assess(raw: Path, dataset: str, settings: Path, before: str) -> Path:
    """Run the jobs on these files, beside the settings; the path of the report, compared with a run ``before`` it."""
    work = settings.parent / "run"
    panel, earlier = work / "panel", work / "earlier"
    work.mkdir()
    files = [{"key": f"incoming/{dataset}/{file.name}", "file": file.name, "size": file.stat().st_size}
             for file in sorted(raw.iterdir())]  # fmt: skip
    manifest = {"schema": 1, "dataset": dataset, "run_id": "example", "mode": "auto", "files": files}
    (work / "manifest.json").write_text(json.dumps(manifest))
    _job("preprocess", raw=raw, settings=settings, manifest=work / "manifest.json", panel=panel)
    shutil.copytree(panel, earlier)
    table = pd.read_parquet(panel / "panel.parquet")
    table = table[table["ds"] <= table["ds"].max() - pd.Timedelta(before)]
    table.to_parquet(earlier / "panel.parquet", index=False)
    _job("train", panel=earlier, model=work / "earlier-model")
    _job("assess", panel=earlier, model=work / "earlier-model", assessment=work / "earlier-assessment")
    _job("train", panel=panel, model=work / "model")
    _job("assess", panel=panel, model=work / "model", manifest=work / "manifest.json",
         previous=work / "earlier-assessment", assessment=work / "assessment")  # fmt: skip
    return work / "assessment" / "report.html"


def _job(name: str, **folders: Path) -> None:
    arguments = [part for key, folder in folders.items() for part in (f"--{key}", str(folder))]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "processing")}
    subprocess.run([sys.executable, "-m", f"headroom.{name}", *arguments], env=environment, check=True)


@contextlib.contextmanager
def _photographs(browser: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])

        def photograph(report: Path, name: str, opened: bool = False, **look: Any) -> None:
            page = chromium.new_context(device_scale_factor=2, **look).new_page()
            page.goto(report.as_uri())
            clip: Any = _open_a_server(page) if opened else None
            _save(page.screenshot(clip=clip), name, 560 if look.get("is_mobile") else 1280)
            page.close()

        yield photograph
        chromium.close()


def _open_a_server(page: Any) -> dict[str, float]:
    """Open the first server that is still to become critical; where its row and two charts are on the page."""
    row = page.locator(".summary:has(.column-critical small)").filter(has_not_text="above now").first
    row.locator(".open").click()
    page.locator(".chart.is-drawn").nth(1).wait_for()
    page.evaluate("document.activeElement.blur()")
    row.evaluate("(row) => row.scrollIntoView()")
    above, below = row.bounding_box(), page.locator(".metric-panel").nth(1).bounding_box()
    return {"x": 20, "y": above["y"] - 4, "width": 1240, "height": below["y"] + below["height"] - above["y"]}


def _save(png: bytes, name: str, width: int) -> None:
    """Write a picture of this width in 256 colours: a third of the bytes, and no eye sees the difference."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)
    print(f"{name}: {image.width} × {image.height}, {(IMAGES / name).stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(*sys.argv[1:2])
