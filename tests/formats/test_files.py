"""Saving: the old file or the new one, never less."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import (
    FileAccessError,
    atomic_write,
    is_file,
    is_folder,
    is_there,
    read_bounded,
)


def _names_in(folder: Path) -> list[str]:
    return [x.name for x in folder.iterdir()]


def test_that_a_file_is_written_and_read_back(tmp_path: Path) -> None:
    target = tmp_path / "net.yaml"
    atomic_write(target, b"one")
    atomic_write(target, b"two")
    assert read_bounded(target, 3) == b"two"
    atomic_write(target, b"in ", b"parts")
    assert read_bounded(target, 8) == b"in parts"
    assert _names_in(tmp_path) == ["net.yaml"]


def test_that_the_mode_of_a_file_is_kept_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "net.yaml"
    before = os.umask(0o027)
    try:
        atomic_write(target, b"one")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.chmod(0o664)
    atomic_write(target, b"two")
    assert stat.S_IMODE(target.stat().st_mode) == 0o664


def test_that_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "net.yaml"
    target.write_bytes(b"one")
    link = tmp_path / "link.yaml"
    link.symlink_to(target)
    atomic_write(link, b"two")
    assert link.is_symlink()
    assert target.read_bytes() == b"two"


def test_that_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    (tmp_path / "link.npz").symlink_to(pipe)
    for place in (pipe, tmp_path / "link.npz"):
        with pytest.raises(FileAccessError, match="a device or a pipe; choose a file"):
            atomic_write(place, b"map")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(_names_in(tmp_path)) == 2


def test_that_a_link_to_nothing_yet_makes_what_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "net.yaml")
    atomic_write(link, b"one")
    assert link.is_symlink()
    assert (tmp_path / "net.yaml").read_bytes() == b"one"


_FILL_THE_DISK = """
import pathlib, sys
from rfstudio.formats.files import FileAccessError, atomic_write
target = pathlib.Path(sys.argv[1])
try:
    atomic_write(target, b"x" * 4_000_000)
except FileAccessError as error:
    print(error)
print(target.read_bytes() == b"old", [x.name for x in target.parent.iterdir()])
"""


def test_that_a_full_disk_loses_no_old_file(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here; see the test of the size limit")
    try:
        target = tmp_path / "net.yaml"
        target.write_bytes(b"old")
        with pytest.raises(FileAccessError, match="disk is full; free some space"):
            atomic_write(target, b"x" * 4_000_000)
        assert target.read_bytes() == b"old"
        assert _names_in(tmp_path) == ["net.yaml"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_that_a_write_that_breaks_off_loses_no_old_file(tmp_path: Path) -> None:
    target = tmp_path / "net.yaml"
    target.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", _FILL_THE_DISK, str(target)],
        capture_output=True,
        text=True,
        check=True,
        # The system then accepts a part of the data and refuses the rest, as a full disk does.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    )
    message, state = done.stdout.splitlines()
    assert message.endswith("choose another folder")
    assert state == "True ['net.yaml']"


_WRITE_FOR_EVER = """
import pathlib, sys
from rfstudio.formats.files import atomic_write
target = pathlib.Path(sys.argv[1])
number = 0
while True:
    number += 1
    atomic_write(target, bytes([number % 256]) * 2_000_000)
    print(number, flush=True)
"""


@pytest.mark.parametrize("writes", [1, 2, 3, 5, 8])
def test_that_a_kill_in_mid_write_leaves_a_whole_file(tmp_path: Path, writes: int) -> None:
    target = tmp_path / "net.yaml"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITE_FOR_EVER, str(target)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(writes):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    data = target.read_bytes()
    assert len(data) == 2_000_000
    assert len(set(data)) == 1


def test_that_what_a_kill_left_is_removed_after_a_day_and_nothing_else(tmp_path: Path) -> None:
    now = time.time()
    ages = {
        ".rfstudio-0123abcd": 2,  # days
        ".rfstudio-abc_def0": 2,
        ".rfstudio-89abcdef": 0.5,  # may be one of another program that writes right now
        ".rfstudio-notes": 9,
        ".rfstudio-0123abcd.bak": 9,
        "rfstudio-0123abcd": 9,
    }
    for name, days in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now, now - days * 86400))
    (tmp_path / ".rfstudio-folder00").mkdir()
    (tmp_path / ".rfstudio-link0000").symlink_to(tmp_path / ".rfstudio-notes")
    for name in (".rfstudio-folder00", ".rfstudio-link0000"):
        os.utime(tmp_path / name, (now, now - 9 * 86400), follow_symlinks=False)
    atomic_write(tmp_path / "net.yaml", b"new")
    left = {*ages, ".rfstudio-folder00", ".rfstudio-link0000", "net.yaml"}
    assert set(_names_in(tmp_path)) == left - {".rfstudio-0123abcd", ".rfstudio-abc_def0"}


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_that_any_failing_step_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    target = tmp_path / "net.yaml"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, fails, fail)
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(FileAccessError, match="cannot be saved: Input/output error"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert _names_in(tmp_path) == ["net.yaml"]


def test_that_errors_are_words(tmp_path: Path) -> None:
    with pytest.raises(RFStudioError, match="there is no such file"):
        read_bounded(tmp_path / "missing", 10)
    with pytest.raises(RFStudioError, match="it is a folder"):
        read_bounded(tmp_path, 10)
    with pytest.raises(RFStudioError, match="it is a folder"):
        atomic_write(tmp_path, b"")
    with pytest.raises(RFStudioError, match="there is no such file or folder"):
        atomic_write(tmp_path / "missing" / "net.yaml", b"")
    with pytest.raises(RFStudioError, match="name is too long"):
        atomic_write(tmp_path / ("x" * 300), b"")
    with pytest.raises(RFStudioError, match="not one that a file can have"):
        atomic_write(f"{tmp_path}/a\0b", b"")


def test_that_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    target = tmp_path / "large"
    target.write_bytes(b"x" * 11)
    with pytest.raises(FileAccessError, match="has 11 bytes; at most 10 are read"):
        read_bounded(target, 10)


def test_that_nothing_is_read_of_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)  # which takes no room on most disks
    tracemalloc.start()
    try:
        with pytest.raises(FileAccessError, match="67,108,864 bytes; at most 33,554,432"):
            read_bounded(path, 32 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_that_a_small_file_takes_no_memory_for_the_whole_bound(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 10)
    tracemalloc.start()
    try:
        assert read_bounded(tmp_path / "small", 2**30) == b"x" * 10
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_that_a_file_that_hides_its_size_is_read_up_to_the_bound() -> None:
    said = Path("/proc/self/status")
    content = read_bounded(said, 10_000_000)
    assert said.stat().st_size == 0
    assert content.startswith(b"Name:")
    assert b"VmPeak:" in content
    with pytest.raises(FileAccessError, match="at most 7 are read"):
        read_bounded(said, 7)


def test_that_what_never_ends_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="not a regular file"):
        read_bounded("/dev/zero", 10)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileAccessError, match="not a regular file"):
        read_bounded(pipe, 10)


@pytest.mark.parametrize("name", ["x" * 300, "with\0null", "file/below", "gone"])
def test_that_what_cannot_be_looked_for_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert not any(look(tmp_path / name) for look in (is_there, is_file, is_folder))


def test_that_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [look(tmp_path) for look in (is_there, is_file, is_folder)] == [True, False, True]
    looks = [look(tmp_path / "file") for look in (is_there, is_file, is_folder)]
    assert looks == [True, True, False]
