"""Pins are read, written and taken from a resolution without touching the rest of the file."""

from pathlib import Path

from tools.relock import pins_from_export, read_pins, with_pins

PYPROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")


def test_writing_the_pins_that_are_there_changes_nothing() -> None:
    assert with_pins(PYPROJECT, read_pins(PYPROJECT)) == PYPROJECT


def test_pins_with_markers_are_read_back_as_written() -> None:
    pins = ["alpha==1.0 ; python_full_version < '3.12'", "alpha==2.0", "beta==0.1"]
    assert read_pins(with_pins(PYPROJECT, pins)) == pins


def test_a_file_can_lose_all_its_pins_and_get_them_back() -> None:
    assert with_pins(with_pins(PYPROJECT, []), read_pins(PYPROJECT)) == PYPROJECT


def test_a_pin_holds_on_every_platform_whatever_needs_the_package() -> None:
    assert pins_from_export("colorama==0.4.6 ; sys_platform == 'win32'\nrich==15.0.0\n") == [
        "colorama==0.4.6",
        "rich==15.0.0",
    ]


def test_a_package_with_several_versions_keeps_the_marker_of_each() -> None:
    export = "a==1 ; python_full_version < '3.12'\na==2 ; python_full_version >= '3.12'\n"
    assert pins_from_export(export) == export.splitlines()
