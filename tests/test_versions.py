"""The check of the OpenMMLab packages at import."""
from __future__ import annotations

import re
import runpy
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import vatrack
from vatrack import versions

ROOT = Path(__file__).resolve().parents[1]


def test_installed_versions_pass():
    versions.check()


@pytest.mark.parametrize('name', versions.WINDOWS)
@pytest.mark.parametrize('wrong', ['below', 'end', None])
def test_wrong_versions_are_refused_with_the_command(name, wrong, monkeypatch):
    first, end = versions.WINDOWS[name]
    found = {'below': '0.0.1', 'end': end, None: None}[wrong]

    def version(asked: str) -> str:
        if asked != name:
            return versions.WINDOWS[asked][0]
        if found is None:
            raise PackageNotFoundError(asked)
        return found

    monkeypatch.setattr(versions, 'version', version)
    with pytest.raises(ImportError) as caught:
        versions.check()
    assert str(caught.value) == (
        f'vatrack needs {name}>={first},<{end}, but {f"{found} is" if found else "it is not"} '
        'installed: pip install -r requirements.txt')


def test_versions_inside_the_window_pass(monkeypatch):
    monkeypatch.setattr(versions, 'version', lambda name: f'{versions.WINDOWS[name][0]}.post1')
    versions.check()


@pytest.fixture
def metadata(monkeypatch) -> dict:
    """What setup.py hands to setuptools."""
    setuptools = pytest.importorskip('setuptools')
    handed = {}
    monkeypatch.setattr(setuptools, 'setup', handed.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path('setup.py')
    return handed


def test_setup_takes_version_and_windows_from_the_package(metadata):
    assert metadata['version'] == vatrack.__version__
    for name, (first, end) in versions.WINDOWS.items():
        assert f'{name}>={first},<{end}' in metadata['install_requires']


def test_setup_finds_the_package_and_nothing_else(metadata):
    folders = {path.parent for path in ROOT.glob('vatrack/**/__init__.py')}
    expected = {'.'.join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(metadata['packages']) == expected


def test_setup_allows_the_pinned_versions(metadata):
    lines = metadata['install_requires'] + metadata['extras_require']['dev']
    ranges = {one.name: one.specifier for one in map(Requirement, lines)}
    pins = re.findall(r'^([\w-]+)==([\w.]+)', (ROOT / 'requirements.txt').read_text(), re.M)
    for name, pin in pins:
        if name in ranges:
            assert pin in ranges[name], f'setup.py wants {name}{ranges[name]}, pinned is {pin}'
    assert not ranges.keys() - {name for name, _ in pins}
