"""SaVos on FISHBOWL.

data    docs/completion.md
train   python tools/train.py configs/savos_given_fishbowl.py
test    python tools/test.py configs/savos_given_fishbowl.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/savos.py, models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/savos.py', '_base_/datasets/fishbowl_tracks.py',
    '_base_/schedules/adam_20e.py', '_base_/completion_runtime.py'
]
