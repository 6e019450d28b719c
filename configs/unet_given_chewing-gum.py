"""A U-Net trained on amodal truth, the supervised oracle of SaVos, on Chewing Gum.

data    python tools/make_chewing_gum.py data/chewing-gum --train 2000 --val 100 --flow
train   python tools/train.py configs/unet_given_chewing-gum.py
test    python tools/test.py configs/unet_given_chewing-gum.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/unet.py, models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/unet_small.py', '_base_/datasets/chewing-gum.py',
    '_base_/schedules/adam_2600i.py', '_base_/completion_runtime_small.py'
]
# Of objects of 17 pixels every one counts: regions are patches, nothing is resampled.
look = dict(size=(32, 32))
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(look=look, clip_length=20))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
model = dict(completer=dict(patch_size=(32, 32)))
