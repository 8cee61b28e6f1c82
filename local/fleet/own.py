"""A small fleet with metrics of its own and with entities: ``python -m local.fleet --own``.

Databases with connections, a volume of which the free gigabytes are said, provisioned IOPS that change, a queue without
capacity, licences, a GPU and a counter of requests; and web servers with several disks. One of each kind runs out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

END = "2026-10-31"

SETTINGS = """\
metrics:
  connections: {label: database connections, unit: connections, capacity: 500, names: [DatabaseConnections]}
  free_space: {label: data volume, unit: GB, direction: free, capacity: 2000}
  iops: {label: IOPS, unit: IOPS, capacity: {column: provisioned_iops}}
  queue_depth: {unit: messages}
  gpu: {label: GPU, unit: "%"}
  licences: {unit: licences, capacity: {column: licences_owned}}
  requests: {unit: requests/s, kind: counter, capacity: 400, names: [http_requests_total]}
thresholds:
  connections: {warning: 75, critical: 90}
thresholds_for:
  - {metric: disk, server: "web-*", entity: /backup, warning: 92, critical: 97}
"""


def write(folder: Path, days: int = 184, servers: int = 4, seed: int = 1) -> None:
    """Write ``incoming/*.csv`` by the hour and ``settings.yaml`` into a folder.

    Of what runs out within a quarter after the end: ``db-1`` has too few connections, ``db-2`` fills its volume,
    ``web-1`` its ``/var``. All else has room.
    """
    random = np.random.default_rng(seed)
    times = pd.date_range(pd.Timestamp(END) - pd.Timedelta(days=days - 1), periods=24 * days, freq="h")
    day = np.arange(len(times)) / 24
    rhythm = np.sin(2 * np.pi * (day - 0.4))

    def noisy(level: np.ndarray | float, spread: float) -> np.ndarray:
        return np.maximum(level + random.normal(0, spread, len(times)), 0)

    databases = []
    for number in range(1, servers + 1):
        bought = np.where(day < days / 2, 3000, 4000)
        rate = noisy(120 + 60 * rhythm, 5)
        counted = np.cumsum(3600 * rate)
        counted[len(counted) // 2 :] -= counted[len(counted) // 2 - 1]  # a restart
        databases.append(pd.DataFrame({
            "timestamp": times, "server_id": f"db-{number}", "cpu": noisy(30 + 12 * rhythm, 2).clip(0, 100).round(2),
            "memory": noisy(55, 1).round(2),
            "DatabaseConnections": noisy(190 + (1.25 * day if number == 1 else 0) + 25 * rhythm, 6).round(),
            "free_space [GiB]": (noisy(1400 - day * (5.2 if number == 2 else 0.3), 2) / 1.073741824).round(3),
            "iops": noisy(1500 + 600 * rhythm, 60).round(), "provisioned_iops": bought,
            "queue_depth": noisy(4 + (0.3 * day if number == 3 else 0), 1.5).round(1),
            "gpu [%]": noisy(45 + 15 * rhythm, 3).clip(0, 100).round(2),
            "http_requests_total": counted.round(),
            "licences": np.round(30 + 0.08 * day), "licences_owned": np.where(day < 100, 50, 80),
            "vcpus": 8, "memory_gb": 32, "business_unit": "Shop",
        }))  # fmt: skip
    disks, machines = [], []
    for number in range(1, servers + 1):
        for mount, level, climb in (("/", 30, 0.01), ("/var", 45, 0.19 if number == 1 else 0.02), ("/backup", 88, 0.0)):
            used = noisy(level + climb * day, 0.4).clip(0, 100).round(2)
            disks.append(pd.DataFrame({
                "timestamp": times, "host": f"web-{number}", "mount": mount, "disk_used_percent": used}))  # fmt: skip
        machines.append(pd.DataFrame({
            "timestamp": times, "host": f"web-{number}", "cpu": noisy(35 + 10 * rhythm, 2).round(2),
            "vcpus": 4, "memory_gb": 16, "business_unit": "Web"}))  # fmt: skip
    incoming = folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    for name, parts in (("databases", databases), ("disks", disks), ("web", machines)):
        pd.concat(parts).to_csv(incoming / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    (folder / "settings.yaml").write_text(SETTINGS, encoding="utf-8")
