from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import mmcv
import pytest
import torch
from mmcv import ops as mmcv_ops
from mmengine.utils.dl_utils import mmcv_full_available

from vatrack.ops import install, mmcv_ext

EXTENSION = 'mmcv._ext'


@pytest.fixture
def extension_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a file becomes mmcv's extension, as if none had been loaded yet."""
    monkeypatch.setattr(mmcv, '__path__', [*mmcv.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, EXTENSION)
    importlib.invalidate_caches()
    return tmp_path / '_ext.py'


def test_a_fresh_interpreter_gets_the_stand_in() -> None:
    root = Path(__file__).resolve().parents[2]
    code = ("import vatrack, mmcv.ops, sys; from mmcv.utils.env import collect_env; "
            "print(sys.modules['mmcv._ext'].__name__, collect_env()['MMCV Compiler'])")
    result = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'vatrack.ops.mmcv_ext not compiled, ops of torchvision' in result.stdout


def test_is_idempotent() -> None:
    before = sys.modules[EXTENSION]
    install()
    assert sys.modules[EXTENSION] is before is mmcv_ext


def test_mmengine_takes_mmcv_for_full() -> None:
    assert mmcv_full_available()


def test_loaded_extension_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ModuleType(EXTENSION)
    monkeypatch.setitem(sys.modules, EXTENSION, compiled)
    install()
    assert sys.modules[EXTENSION] is compiled


def test_compiled_extension_is_loaded(extension_file: Path) -> None:
    extension_file.write_text('compiled = True\n')
    install()
    assert sys.modules[EXTENSION].compiled


def test_broken_extension_is_reported(extension_file: Path) -> None:
    extension_file.write_text("raise ImportError('undefined symbol: _ZN2at4_ops')\n")
    with pytest.raises(ImportError, match=r'_ext\.py does not load: undefined symbol.*build mmcv'):
        install()
    assert EXTENSION not in sys.modules


def test_mmcv_ops_before_vatrack_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, EXTENSION)
    with pytest.raises(ImportError, match='import vatrack first'):
        install()


def test_other_operator_says_what_it_needs() -> None:
    boxes = torch.rand(2, 5)
    with pytest.raises(NotImplementedError, match=r"'box_iou_rotated'.*--no-build-isolation"):
        mmcv_ops.box_iou_rotated(boxes, boxes)


def test_stand_in_has_no_private_names() -> None:
    assert hasattr(mmcv_ext, 'carafe_forward')
    assert not hasattr(mmcv_ext, '__wrapped__')


def test_versions_are_told() -> None:
    assert 'torchvision' in mmcv_ops.get_compiler_version()
    assert mmcv_ops.get_compiling_cuda_version() == (torch.version.cuda or 'not available')
