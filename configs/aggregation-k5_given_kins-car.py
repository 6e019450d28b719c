"""Visible masks of 5 frames before and after, carried along by flow, on KINS-Video-Car.

data    docs/completion.md
test    python tools/test.py configs/aggregation-k5_given_kins-car.py --eval mIoU
parts   models/track_completer.py, models/completion/rules.py
"""
_base_ = [
    '_base_/completion/aggregation.py', '_base_/datasets/kins-car.py',
    '_base_/schedules/test_only.py', '_base_/runtime.py'
]
