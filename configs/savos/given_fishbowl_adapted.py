"""SaVos that goes on learning on each test video (Sec. 3.5); weights are those of the base config.

train   python tools/train.py configs/savos/given_fishbowl_adapted.py
test    python tools/test.py configs/savos/given_fishbowl_adapted.py CHECKPOINT --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
model = dict(
    adaptation=dict(type='Adaptation', lr=1e-4, max_iters=200, patience=10, min_gain=0.01))
