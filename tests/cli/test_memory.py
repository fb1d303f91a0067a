"""What a process that runs for long does to keep its memory small."""

from __future__ import annotations

import json
import signal

# Counts the areas that glibc allocates from while twelve threads hold memory from them, when it is
# told to by a signal; otherwise it is what its arguments say of `replicate`.
_COUNTING = """
import ctypes, signal, sys, threading
from replicator.__main__ import main

THREADS = 12

def print_areas(*_):
    full, counted = threading.Barrier(THREADS + 1), threading.Event()
    def hold():
        held = [bytearray(10_000) for _ in range(10)]
        full.wait()
        counted.wait()
    for _ in range(THREADS):
        threading.Thread(target=hold).start()
    full.wait()
    print(areas(), flush=True)
    counted.set()

def areas():
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(libc.fopen(b"areas.xml", b"w"))
    assert libc.malloc_info(0, file) == 0
    libc.fclose(file)
    with open("areas.xml") as written:
        return written.read().count("<heap nr=")

signal.signal(signal.SIGUSR1, print_areas)
main() if sys.argv[1:] else signal.raise_signal(signal.SIGUSR1)
"""

# Says in MiB how much memory is resident while 40 MiB are in use, after all but a few pieces are
# let go of, and after it was given back; and once more with what is called after a minute.
_HOLES = """
from replicator.cli.memory import give_back_often

class Loop:
    def call_later(self, seconds, call):
        assert seconds == 60
        self.call = call

def resident():
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) >> 10

def show(give_back):
    pieces = [bytearray(10_000) for _ in range(4_000)]
    used = resident()
    left = pieces[::100] + pieces[-1:]
    del pieces
    free = resident()
    give_back()
    print(used, free, resident())

loop = Loop()
show(lambda: give_back_often(loop))
show(lambda: loop.call())
"""


async def test_all_threads_of_a_service_allocate_from_two_areas(replicate):
    (replicate.folder / "counting.py").write_text(_COUNTING)

    async with replicate.started("serve", "--listen", "127.0.0.1:0", module="counting") as process:
        await _until_serving(process)
        process.send_signal(signal.SIGUSR1)
        assert int(await process.stdout.readline()) == 2


async def test_without_being_told_each_thread_has_an_area_of_its_own(replicate):
    (replicate.folder / "counting.py").write_text(_COUNTING)

    async with replicate.started(module="counting") as process:
        assert int(await process.stdout.readline()) > 7


async def test_what_is_free_between_what_is_used_is_given_back_again_and_again(replicate):
    (replicate.folder / "holes.py").write_text(_HOLES)

    async with replicate.started(module="holes") as process:
        for line in (await process.communicate())[0].splitlines():
            used, free, given_back = map(int, line.split())
            assert abs(free - used) < 5
            assert given_back < free - 30
    assert process.returncode == 0


async def _until_serving(process):
    async for line in process.stderr:
        if json.loads(line)["event"] == "serving":
            return
    raise AssertionError("it ended before it served")
