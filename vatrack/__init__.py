"""vatrack: amodal video instance segmentation as a plugin of MMDetection 3.x.

The folders follow the data:

=================  ==========================================================
``converters``     raw dataset -> one annotation file (``synthetic`` makes one)
``files``          annotation and result files: reading, writing, indexing, checking
``datasets``       annotation file -> clips, samplers, transforms
``models``         clips -> instances: what detects, associates, completes, and its losses
``track``          per-frame instances -> tracks
``evaluation``     tracks + truth -> numbers
``visualization``  tracks -> pictures
``analysis``       tracks + truth -> what the numbers are lost to
``browse``         tracks + truth -> a web page to look at them
``leaderboard``    published and measured numbers -> tables
``flow``           optical flow: files, estimation, warping
``video``          video files, folders of frames, cameras: reading and writing
``structures``     the nouns all of them share; start with ``fields.py``
``checkpoints``    reading without running code; released checkpoints -> ours
``ops``            mmcv's compiled ops out of torchvision, where mmcv has none
``engine, apis``   hooks, a simulated GPU; training, testing, inference as functions
=================  ==========================================================

``stopping`` ends tools in order. ``structures`` and ``video`` import nothing of ours;
``evaluation`` and ``visualization`` never import models. ``tests/test_layering.py`` says, and
enforces, who may import whom.
"""
import os

# Before torch is imported: threads that wait for one another may spin for a moment only. On a busy
# machine of few cores the default (30 times as long) makes a training step several times slower;
# not to spin at all makes it slower on an idle one.
os.environ.setdefault('GOMP_SPINCOUNT', '10000')

from vatrack.checkpoints import install as _install_safe_load
from vatrack.ops import install as _install_ops
from vatrack.versions import check as _check_versions

__version__ = '0.1.0'

_check_versions()
_install_ops()
_install_safe_load()
