"""Temporal aggregation over 3 frames before and after (SaVos paper, supplement, Table 4).

test    python tools/test.py configs/aggregation/given_fishbowl_k3.py --eval mIoU
"""
_base_ = '../aggregation-k5_given_fishbowl.py'
model = dict(completer=dict(k=3))
