"""A tool whose reader leaves goes on in silence: ``tool | head``."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import REPO

SCRIPT = """
import runpy, sys
runpy.run_path({pipes!r})['quiet_pipes']()
print('h\\u00e9 \\udcff \\ud800', flush=True)
for stream in (sys.stdout, sys.stderr):
    for number in range(50000):
        print(number, file=stream)
print('is written too', flush=True)
open({done!r}, 'w').close()
"""


def start(done: Path, unbuffered: bool, **streams: int) -> subprocess.Popen:
    script = SCRIPT.format(pipes=str(REPO / 'vatrack/pipes.py'), done=str(done))
    environment = os.environ | {'PYTHONUNBUFFERED': '1' * unbuffered, 'PYTHONUTF8': '1'}
    return subprocess.Popen([sys.executable, '-c', script], env=environment, **streams)


@pytest.mark.parametrize('unbuffered', [False, True])
@pytest.mark.parametrize('errors', ['apart', 'with it'])
def test_a_tool_ends_its_work_when_the_reader_leaves(tmp_path, errors, unbuffered):
    done = tmp_path / 'done'
    stderr = subprocess.STDOUT if errors == 'with it' else subprocess.DEVNULL
    process = start(done, unbuffered, stdout=subprocess.PIPE, stderr=stderr)
    assert process.stdout.readline() == 'hé \\udcff \\ud800\n'.encode()
    process.stdout.close()
    assert process.wait(60) == 0
    assert done.exists()


def test_nothing_is_said_about_it(tmp_path):
    process = start(tmp_path / 'done', False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read().split() == [str(number).encode() for number in range(50000)]
    assert process.wait(60) == 0


def test_whoever_stays_reads_all(tmp_path):
    process = start(tmp_path / 'done', False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = process.communicate(timeout=60)[0].split(b'\n')
    assert lines[1:-2] == [str(number).encode() for number in range(50000)]
    assert lines[-2] == b'is written too'
