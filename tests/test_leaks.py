from __future__ import annotations

import pytest

pytest_plugins = "pytester"

LEAKS = {
    "descriptor": "def test_it(): keep.append(socket.socket())",
    "thread": "def test_it(): threading.Thread(target=stop.wait, daemon=True).start()",
    "child process": "def test_it(): keep.append(subprocess.Popen(['sleep', '20']))",
    "task": """async def test_it():
    keep.append(asyncio.get_running_loop().create_task(asyncio.sleep(20)))""",
}
BEGIN = """import asyncio, socket, subprocess, threading
keep, stop = [], threading.Event()
"""
END = """
import atexit
def end():
    stop.set()
    for kept in keep:
        if isinstance(kept, subprocess.Popen):
            kept.kill()
            kept.wait()
atexit.register(end)
"""
CLEAN = """import asyncio, socket, subprocess, threading
def test_it():
    socket.socket().close()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    subprocess.run(["true"], check=True)
async def test_tasks():
    await asyncio.gather(*[asyncio.sleep(0) for _ in range(3)])
    asyncio.get_running_loop().call_later(0.05, print)
"""


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makeconftest("from tests.conftest import leaves_nothing_behind")
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess(
        "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"
    )


@pytest.fixture(autouse=True)
def tree_on_the_path(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_fails_the_test(pytester: pytest.Pytester, kind: str) -> None:
    result = run(pytester, BEGIN + LEAKS[kind] + END)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*left behind: {kind} *"])


def test_a_clean_test_passes(pytester: pytest.Pytester) -> None:
    run(pytester, CLEAN).assert_outcomes(passed=2)
