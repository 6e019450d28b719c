"""A short run of what ``fuzz.py`` does for hours."""
from __future__ import annotations

import pytest
from accepted import Nonsense
from fuzz import run_target
from targets import TARGETS, Target

SECONDS = 60


@pytest.mark.parametrize('name', sorted(TARGETS))
def test_damage_is_refused_or_does_no_harm(name):
    outcome = run_target(name, 0, 25 if name == 'annotations' else 6, seed=0, seconds=SECONDS)
    assert not outcome.faults
    assert outcome.counts['fine'] and outcome.counts['refused']


def misbehave(how):
    """A target whose input is called as the fault that it has."""
    def run(folder, rng):
        if how == 'crash':
            import ctypes
            ctypes.string_at(0)
        if how == 'hang':
            while True:
                pass
        if how == 'exception':
            raise KeyError('x')
        if how == 'memory':
            bytearray(1 << 40)
        if how == 'nonsense':
            raise Nonsense('x')
        return 1  # without a message
    return Target(lambda folder: None, lambda rng, folder: None, run)


@pytest.mark.parametrize('how', ['crash', 'hang', 'exception', 'memory', 'nonsense', 'silent'])
def test_faults_are_found_and_told_apart(monkeypatch, how):
    monkeypatch.setitem(TARGETS, how, misbehave(how))
    outcome = run_target(how, 1, 2, seed=0, seconds=0.5 if how == 'hang' else SECONDS)
    assert outcome.counts == {how: 2}
