"""Self-Deocclusion that goes on learning on each test video (Table 2).

train   python tools/train.py configs/pcnet-m/given_fishbowl_adapted.py
test    python tools/test.py configs/pcnet-m/given_fishbowl_adapted.py CHECKPOINT --eval mIoU
"""
_base_ = '../pcnet-m_given_fishbowl.py'
model = dict(
    adaptation=dict(type='Adaptation', lr=1e-4, max_iters=200, patience=10, min_gain=0.01))
