"""The convex hull of the visible mask on KINS-Video-Car.

data    docs/completion.md
test    python tools/test.py configs/convex_given_kins-car.py --eval mIoU
parts   models/track_completer.py, models/completion/rules.py
"""
_base_ = [
    '_base_/completion/convex.py', '_base_/datasets/kins-car.py',
    '_base_/schedules/test_only.py', '_base_/runtime.py'
]
