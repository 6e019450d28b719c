"""Temporal aggregation over 3 frames before and after (SaVos paper, supplement, Table 4).

test    python tools/test.py configs/aggregation/given_kins-car_k3.py --eval mIoU
"""
_base_ = '../aggregation-k5_given_kins-car.py'
model = dict(completer=dict(k=3))
