"""The promises of a job, and of the worker process behind it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.jobs import TORCH, Job, JobRunner, WorkerError
from rfstudio.core.errors import RFStudioError, UnitError
from rfstudio.engine.requests.jobs import measure_erf
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.networks.presets import read_preset
from tests.app import works


@pytest.fixture
def preload() -> tuple[str, ...]:
    """What the worker imports before there is work."""
    return ()


@pytest.fixture
def runner(qapp: QCoreApplication, preload: tuple[str, ...]) -> Iterator[JobRunner]:
    runner = JobRunner(preload=preload)
    yield runner
    runner.shutdown()
    qapp.processEvents()


def _record(job: Job) -> list[str]:
    """Return a list that grows by the name of each signal as it arrives."""
    seen: list[str] = []
    for name in ("progressed", "succeeded", "failed", "cancelled", "finished"):
        signal_ = getattr(job, name)
        signal_.connect(_noting(seen, name))
    return seen


def _noting(seen: list[str], name: str) -> Callable[..., None]:
    return lambda *_: seen.append(name)


def _value(qtbot: QtBot, job: Job) -> Any:
    with qtbot.waitSignal(job.succeeded, timeout=30_000) as blocker:
        pass
    return blocker.args[0]


def _error(qtbot: QtBot, job: Job) -> Exception:
    with qtbot.waitSignal(job.failed, timeout=30_000) as blocker:
        pass
    error: Exception = blocker.args[0]
    return error


def test_that_a_result_arrives_after_its_progress_from_another_process(
    qtbot: QtBot, runner: JobRunner
) -> None:
    job = runner.submit("a", partial(works.answer, {"x": 1}))
    seen = _record(job)
    assert _value(qtbot, job) == {"x": 1}
    qtbot.waitUntil(lambda: "finished" in seen)
    assert seen == ["progressed", "succeeded", "finished"]
    assert _value(qtbot, runner.submit("a", works.process_number)) != os.getpid()


@pytest.mark.parametrize("error", [ValueError("bad"), RuntimeError("worse"), UnitError("u")])
def test_that_any_exception_arrives_as_failed(
    qtbot: QtBot, runner: JobRunner, error: Exception
) -> None:
    job = runner.submit("a", partial(works.fail, error))
    seen = _record(job)
    arrived = _error(qtbot, job)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert isinstance(error, RFStudioError) or "Traceback" in arrived.__notes__[0]
    qtbot.waitUntil(lambda: "finished" in seen)
    assert seen == ["failed", "finished"]


def test_that_an_exception_that_cannot_travel_arrives_as_its_text(
    qtbot: QtBot, runner: JobRunner
) -> None:
    unsendable = _error(qtbot, runner.submit("a", works.fail_unsendably))
    assert isinstance(unsendable, RFStudioError)
    assert str(unsendable) == "1 and 2"
    problems = _error(qtbot, runner.submit("a", works.fail_with_problems))
    assert "a.yaml:3:4: worse" in str(problems)


def test_that_lack_of_memory_is_told_in_a_sentence(qtbot: QtBot, runner: JobRunner) -> None:
    for error in (MemoryError("447 GiB"), RuntimeError("CUDA out of memory. Tried to allocate")):
        arrived = _error(qtbot, runner.submit("a", partial(works.fail, error)))
        assert isinstance(arrived, RFStudioError)
        assert str(arrived).startswith("memory does not suffice; use a smaller input")


def test_that_work_that_cannot_travel_fails_alone(qtbot: QtBot, runner: JobRunner) -> None:
    bad = runner.submit("bad", lambda _token, _report: None)
    good = runner.submit("good", partial(works.answer, 2))
    with qtbot.waitSignals([bad.failed, good.succeeded], timeout=30_000):
        pass


def _wait_for(qtbot: QtBot, path: Path) -> None:
    qtbot.waitUntil(path.exists, timeout=30_000)


@pytest.mark.parametrize("work", [works.poll_for_ever, works.ignore_everything])
def test_that_cancel_stops_work_whether_it_listens_or_not(
    qtbot: QtBot, runner: JobRunner, tmp_path: Path, work: Any
) -> None:
    started = tmp_path / "started"
    job = runner.submit("a", partial(work, str(started)))
    seen = _record(job)
    _wait_for(qtbot, started)
    job.cancel()
    before = [x for x in seen if x == "progressed"]
    with qtbot.waitSignal(job.finished):
        pass
    assert seen == [*before, "cancelled", "finished"]
    assert _value(qtbot, runner.submit("a", partial(works.answer, 1))) == 1


def test_that_a_result_already_on_its_way_is_dropped_by_cancel(
    qtbot: QtBot, runner: JobRunner
) -> None:
    first = runner.submit("a", partial(works.answer, "stale"))
    seen = _record(first)
    second = runner.submit("b", partial(works.answer, "fresh"))
    first.cancel()
    assert _value(qtbot, second) == "fresh"
    assert seen == ["cancelled", "finished"]


def test_that_a_newer_job_of_the_same_key_cancels_the_older(
    qtbot: QtBot, runner: JobRunner, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    older = runner.submit("erf", partial(works.poll_for_ever, str(started)))
    seen = _record(older)
    _wait_for(qtbot, started)
    newer = runner.submit("erf", partial(works.answer, "new"))
    assert not older.is_running
    assert _value(qtbot, newer) == "new"
    assert seen[-2:] == ["cancelled", "finished"]


def test_that_a_waiting_job_is_cancelled_without_disturbing_the_running_one(
    qtbot: QtBot, runner: JobRunner, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    running = runner.submit("a", partial(works.poll_for_ever, str(started)))
    waiting = runner.submit("b", partial(works.answer, 1))
    _wait_for(qtbot, started)
    with qtbot.waitSignal(waiting.cancelled):
        waiting.cancel()
    assert running.is_running


def test_that_a_dead_worker_is_a_failure_in_words_and_is_replaced(
    qtbot: QtBot, runner: JobRunner
) -> None:
    first = _value(qtbot, runner.submit("a", works.process_number))
    error = _error(qtbot, runner.submit("a", works.die))
    assert isinstance(error, WorkerError)
    assert "was killed, as the system does when memory runs out; a new one is started" in str(error)
    assert _value(qtbot, runner.submit("a", works.process_number)) != first


def test_that_an_idle_worker_that_dies_is_replaced_before_it_is_missed(
    qtbot: QtBot, runner: JobRunner
) -> None:
    first = _value(qtbot, runner.submit("a", works.process_number))
    states: list[str] = []
    runner.worker_changed.connect(states.append)
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: states == ["ended", "starting", "ready"], timeout=30_000)
    assert _value(qtbot, runner.submit("a", works.process_number)) != first


@pytest.mark.parametrize("preload", [TORCH])
def test_that_a_worker_without_torch_starts_and_says_so_when_it_is_needed(
    qtbot: QtBot, runner: JobRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)  # which a worker starts with, too
    request = ErfRequest(architecture=read_preset("vgg16"), layer="conv1_1")
    error = _error(qtbot, runner.submit("erf", partial(measure_erf, request)))
    assert isinstance(error, RFStudioError)
    assert "needs torch, which cannot be used here (OSError: libtorch_cpu.so" in str(error)
    assert isinstance(_value(qtbot, runner.submit("a", works.process_number)), int)


@pytest.mark.parametrize("preload", [("deadly",)])
def test_that_a_worker_that_dies_while_it_starts_is_not_blamed_on_the_network(
    qtbot: QtBot, runner: JobRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.syspath_prepend(tmp_path)
    error = _error(qtbot, runner.submit("a", works.process_number))
    assert "was killed, as the system does when memory runs out, while it was starting" in str(
        error
    )


def test_that_a_worker_shares_its_work_with_nobody(
    qtbot: QtBot, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as a scheduler of a cluster leaves it
    assert _value(qtbot, runner.submit("a", works.world_size)) is None


def test_that_a_worker_never_hears_of_an_interrupt(qtbot: QtBot, runner: JobRunner) -> None:
    assert signal.SIGINT in _value(qtbot, runner.submit("a", works.signals_that_are_blocked))
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_that_the_worker_takes_one_core_less_than_there_are_and_does_not_spin(
    qtbot: QtBot, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    policy, threads = _value(qtbot, runner.submit("a", works.thread_settings))
    assert policy == "PASSIVE"
    assert threads == str(max(1, (os.cpu_count() or 1) - 1))


def test_that_shutdown_ends_work_thread_and_process(
    qtbot: QtBot, qapp: QCoreApplication, tmp_path: Path
) -> None:
    runner = JobRunner(preload=())
    started = tmp_path / "started"
    job = runner.submit("a", partial(works.ignore_everything, str(started)))
    later = runner.submit("b", partial(works.answer, 1))
    seen, seen_later = _record(job), _record(later)
    _wait_for(qtbot, started)
    runner.shutdown()  # the fixtures of conftest.py see to it that nothing is left
    qtbot.waitUntil(lambda: "finished" in seen and "finished" in seen_later)
    assert seen[-2:] == seen_later == ["cancelled", "finished"]


_PROGRAM = """\
import sys
from pathlib import Path

print("main runs")  # twice, if the worker imported the main module again

sys.path.insert(0, sys.argv[1])
from functools import partial
from PySide6.QtCore import QCoreApplication
from rfstudio.app.jobs import JobRunner
from rfstudio.core.ops import Conv
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.requests.jobs import measure_erf
from rfstudio.engine.requests.request import ErfRequest

application = QCoreApplication([])
runner = JobRunner()
network = Architecture(input_size=(9, 9), layers=(Layer(Conv(kernel_size=3), "c"),))
job = runner.submit("erf", partial(measure_erf, ErfRequest(architecture=network, layer="c")))
job.succeeded.connect(lambda result: print("measured", result.samples, int((result.map > 0).sum())))
job.failed.connect(lambda error: print("failed", error))
job.finished.connect(application.quit)
application.exec()
runner.shutdown()
print("torch" in sys.modules)
"""


_KILLED = """\
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tests.app import works
from PySide6.QtCore import QCoreApplication
from rfstudio.app.jobs import JobRunner

application = QCoreApplication([])
runner = JobRunner(preload=())

def end(pid):
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

job = runner.submit("a", works.process_number)
job.succeeded.connect(end)
application.exec()
"""


def test_that_the_worker_does_not_outlive_a_window_that_is_killed(qtbot: QtBot) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    worker = int(done.stdout)
    qtbot.waitUntil(lambda: not _is_alive(worker))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_that_a_program_measures_without_importing_torch_or_running_twice(tmp_path: Path) -> None:
    """The main module has no guard; spawning must not run it again."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(_PROGRAM))
    done = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.stdout.splitlines() == ["main runs", "measured 32 9", "False"], done.stderr
