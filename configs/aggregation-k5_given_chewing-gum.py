"""Visible masks of 5 frames before and after, carried along by flow, on Chewing Gum.

data    python tools/make_chewing_gum.py data/chewing-gum --train 2000 --val 100 --flow
test    python tools/test.py configs/aggregation-k5_given_chewing-gum.py --eval mIoU
parts   models/track_completer.py, models/completion/rules.py
"""
_base_ = [
    '_base_/completion/aggregation.py', '_base_/datasets/chewing-gum.py',
    '_base_/schedules/test_only.py', '_base_/runtime.py'
]
