"""Harm that is done to the files of a database."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def files_of(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir()]


def contents(path: Path) -> bytes:
    return path.read_bytes()


def wal(path: Path) -> Path:
    return path.with_name("ua.db-wal")


def shm(path: Path) -> Path:
    return path.with_name("ua.db-shm")


def another(path: Path) -> None:
    """Make a sound database of another gateway."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")


def removed(path: Path) -> None:
    path.unlink()


def all_removed(path: Path) -> None:
    shutil.rmtree(path.parent)


def moved_with_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replaced(path: Path) -> None:
    new = path.with_name("new.db")
    another(new)
    new.replace(path)


def overwritten(path: Path) -> None:
    new = path.with_name("new.db")
    another(new)
    shutil.copyfile(new, path)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def without_log(path: Path) -> None:
    wal(path).unlink()


def log_replaced(path: Path) -> None:
    wal(path).unlink()
    wal(path).touch()


def log_emptied(path: Path) -> None:
    os.truncate(wal(path), 0)


def without_index(path: Path) -> None:
    shm(path).unlink()


HARMS = [
    removed,
    all_removed,
    moved_with_its_folder,
    replaced,
    overwritten,
    cut,
    without_log,
    log_replaced,
    log_emptied,
    without_index,
]
