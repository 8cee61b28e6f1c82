"""What a refusal says to do can be done."""

import exports
import pytest
import yaml

from headroom.core.job import InputError
from headroom.intake.unreadable import in_settings

CPU = exports.fleet("web-1", "db-2")


@pytest.mark.parametrize("name", ["CPU ready", "CPU (%)", "% used", "tz: Europe/Berlin", "a, b", "yes", "123", "Gerät"])
def test_a_name_stands_in_the_settings_as_yaml_takes_it(name):
    assert yaml.safe_load(in_settings("columns", name, "server_id")) == {"columns": {name: "server_id"}}


@pytest.mark.parametrize("heading", ["Legend: name", "Box", "@source"])
def test_the_mapping_that_a_refusal_shows_makes_the_file_readable(tmp_path, heading):
    rows = [f"time,{heading},cpu"]
    rows += [f"{exports.iso(at)},{server},{v}" for server, made in CPU.items() for at, v in made]
    with pytest.raises(InputError) as refused:
        exports.read(tmp_path / "refused", {"export.csv": "\n".join(rows)})
    shown = str(refused.value).split("map the column that names servers (", 1)[1].split("),", 1)[0]
    panel, quality = exports.read(tmp_path / "mapped", {"export.csv": "\n".join(rows)}, shown)
    assert exports.is_right(panel, quality, cpu=CPU)


def test_a_column_of_metrics_is_not_shown_as_one_of_servers(tmp_path):
    rows = ["time,host,metric,value,unit"]
    rows += [f"2024-02-13 00:{minute}:00,web-1,eth{card} network_in,{card + 1},MB/s" for minute in range(10, 40)
             for card in (0, 1)]  # fmt: skip
    with pytest.raises(InputError, match="They differ in 'metric'") as refused:
        exports.read(tmp_path, {"a.csv": "\n".join(rows)})
    assert "server_id" not in str(refused.value)
