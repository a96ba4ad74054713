"""Who owns an index file: one process at a time, by a lock that cannot go stale."""

import fcntl
import os
from pathlib import Path
from typing import TextIO

from crawler.errors import IndexFileError


def own(path: Path) -> TextIO:
    """The lock file beside the index, locked: the kernel frees it when this process ends, however it ends.

    Raises IndexFileError when another process holds it.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        file = os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+")
    except OSError as error:
        raise IndexFileError(
            f"{beside}: cannot be written: {error.strerror}", "check the folder's permissions"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = file.read(20).strip()
        file.close()
        raise IndexFileError(
            f"{path}: another crawl writes to it" + (f" (process {owner})" if owner.isdigit() else ""),
            "wait for it to end, stop it, or give another path with --db; searching goes on undisturbed",
        ) from None
    try:
        os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), str(os.getpid()).encode(), 0)  # unbuffered: nothing is left to be written at close
    except OSError as error:
        file.close()
        raise IndexFileError(
            f"{beside}: cannot be written: {error.strerror}", "free some space and run the same command again"
        ) from error
    return file


def running(path: Path) -> int | None:
    """The process that owns the index now, 0 when it does not say which; None when nobody does. Changes nothing."""
    path = path.resolve()  # one lock, by whatever name the file is called
    try:
        file = path.with_name(path.name + ".lock").open()
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            owner = file.read(20).strip()
            return int(owner) if owner.isdigit() else 0
    return None
