"""SaVos on Chewing Gum.

data    python tools/make_chewing_gum.py data/chewing-gum --flow
train   python tools/train.py configs/savos_given_chewing-gum.py
test    python tools/test.py configs/savos_given_chewing-gum.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/savos.py, models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/savos_small.py', '_base_/datasets/chewing-gum.py',
    '_base_/schedules/adam_20e.py', '_base_/completion_runtime.py'
]
# Of objects of 17 pixels every one counts: regions are patches, nothing is resampled.
look = dict(size=(32, 32))
train_dataloader = dict(dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
