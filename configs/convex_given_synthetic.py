"""The convex hull of the visible mask on the synthetic videos.

data    python tools/make_synthetic.py --out data/synthetic --flow
test    python tools/test.py configs/convex_given_synthetic.py --eval mIoU
parts   models/track_completer.py, models/completion/rules.py
"""
_base_ = [
    '_base_/completion/convex.py', '_base_/datasets/synthetic_tracks.py',
    '_base_/schedules/test_only.py', '_base_/runtime.py'
]
