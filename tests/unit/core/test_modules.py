"""Packages whose every file is one of a kind."""

from headroom.core.modules import modules_of


def test_the_modules_of_a_package_come_by_name_and_without_those_below():
    names = [module.__name__ for module in modules_of("headroom.intake")]
    assert names == sorted(names) and "headroom.intake.sql" in names
    assert "headroom.intake.formats" in names and "headroom.intake.formats.zabbix_csv" not in names
