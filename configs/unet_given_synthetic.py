"""A U-Net trained on amodal truth, the supervised oracle of SaVos, on the synthetic videos.

data    python tools/make_synthetic.py --out data/synthetic --flow
train   python tools/train.py configs/unet_given_synthetic.py
test    python tools/test.py configs/unet_given_synthetic.py CHECKPOINT --eval mIoU
parts   models/track_completer.py, models/completion/unet.py, models/completion/objectives.py
"""
_base_ = [
    '_base_/completion/unet_small.py', '_base_/datasets/synthetic_tracks.py',
    '_base_/schedules/adam_2600i.py', '_base_/completion_runtime_small.py'
]
look = dict(enlarge=1.5, aspect=1.0)  # crops are square
train_dataloader = dict(
    sampler=dict(type='InfiniteSampler', shuffle=True), dataset=dict(look=look))
val_dataloader = dict(dataset=dict(look=look))
test_dataloader = dict(dataset=dict(look=look))
