"""Memory of large moments is given back; in processes of their own, as it is set for good."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from pipeline.storage import memory
from tests.acceptance.harness import REPOSITORY

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told"
)

MB = 1024 * 1024

_TRIAL = """
import ctypes, json, os, sys, threading
from pipeline.storage.memory import give_back

if sys.argv[1] == "told before Arrow is loaded":
    give_back()
import pyarrow as pa

MB = 1024 * 1024
if sys.argv[1] == "told":
    give_back()
elif sys.argv[1] == "untold":
    pa.set_memory_pool(pa.system_memory_pool())

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def array(size):
    made = pa.allocate_buffer(size)
    ctypes.memset(made.address, 1, size)
    return made

# What a large file does first, and what glibc learns from: arrays of this size are wanted often.
one = array(30 * MB)
del one

found = {"pool": pa.default_memory_pool().backend_name}
idle = before = resident()
large, pin = [array(8 * MB) for _ in range(8)], array(64 * 1024)
held = resident() - before
del large  # the small one lies behind them, and stays
found["large"] = {"held": held, "kept": resident() - before}
del pin

def passing(number, size):
    before = resident()
    many = [libc.malloc(size) for _ in range(number)]
    for each in many:
        ctypes.memset(each, 1, size)
    held = resident() - before
    for each in many:
        libc.free(each)
    return {"held": held, "kept": resident() - idle}

found["small"] = passing(96, MB // 2)
found["few"] = passing(16, MB // 2)

# Threads that ask for memory at the same time, and live on.
meet, done = threading.Barrier(9), threading.Event()

def work():
    place = libc.malloc(1000)
    meet.wait()
    done.wait()
    libc.free(place)

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
meet.wait()
reading, writing = os.pipe()
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(writing, b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
with open(reading, "rb") as file:
    found["heaps"] = file.read().count(b"<heap nr=")
done.set()
for each in threads:
    each.join()
print(json.dumps(found))
"""


@cache
def _found(how: str) -> Mapping[str, Any]:
    """Return what a process kept of 64 MB in large arrays, of 48 MB in smaller ones; its heaps."""
    clean = {name: value for name, value in os.environ.items() if "MALLOC" not in name}
    clean.pop("GLIBC_TUNABLES", None)
    ran = subprocess.run(
        [sys.executable, "-c", _TRIAL, how],
        env=clean | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found: Mapping[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("how", ["told", "told before Arrow is loaded"])
def test_a_large_array_is_given_back_by_itself(how: str) -> None:
    found = _found(how)
    assert found["pool"] == "system"
    assert found["large"]["held"] > 60 * MB
    assert found["large"]["kept"] < memory.MMAP_FROM, "less than the smallest of such arrays"


def test_of_many_small_ones_little_is_kept() -> None:
    found = _found("told")["small"]
    assert found["held"] > 45 * MB
    assert found["kept"] < memory.TRIM_FROM + memory.MMAP_FROM


def test_of_a_few_small_ones_the_place_stays_for_the_next() -> None:
    found = _found("told")["few"]
    assert found["kept"] > 7 * MB, "asked of the system anew, each page of them would cost again"


def test_threads_share_heaps() -> None:
    # As a process starts: Arrow itself starts a thread when it is loaded.
    assert _found("told before Arrow is loaded")["heaps"] <= memory.HEAPS


def test_left_alone_it_keeps_them_all() -> None:
    """Or nothing above would prove anything."""
    found = _found("untold")
    assert found["large"]["kept"] > 60 * MB
    assert found["small"]["kept"] > 45 * MB
    assert found["heaps"] > memory.HEAPS


_LEFT_FREE = """
import ctypes, json, os
from pipeline.storage.memory import LARGE, give_back, trim

give_back()
import pyarrow as pa

MB = 1024 * 1024

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def array():
    made = pa.allocate_buffer(MB // 2)
    ctypes.memset(made.address, 1, MB // 2)
    return made

before = resident()
arrays = [array() for _ in range(120)]
held = arrays[::40]  # these lie between the others, and stay
del arrays
found = {"free": resident() - before}
trim(LARGE - 1)
found["few rows"] = resident() - before
trim(LARGE)
found["many rows"] = resident() - before
print(json.dumps(found))
"""


def test_what_many_rows_left_free_goes_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _LEFT_FREE], cwd=REPOSITORY, check=True, capture_output=True
    )
    found = json.loads(told.stdout)
    assert found["free"] > 40 * MB
    assert found["few rows"] > 40 * MB
    assert found["many rows"] < 15 * MB
