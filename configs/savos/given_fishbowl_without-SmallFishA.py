"""SaVos that has not seen SmallFishA, to be tested on it alone (Table 2).

data    python tools/select_tracks.py data/fishbowl/train.json --rule savos-train \
            --without-species SmallFishA --out data/fishbowl/train_tracks_without_SmallFishA.json
        likewise of val.json; and of test.json with --rule savos-test --species SmallFishA

train   python tools/train.py configs/savos/given_fishbowl_without-SmallFishA.py
test    python tools/test.py configs/savos/given_fishbowl_without-SmallFishA.py CHECKPOINT \
            --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
train_dataloader = dict(dataset=dict(selection='train_tracks_without_SmallFishA.json'))
val_dataloader = dict(dataset=dict(selection='val_tracks_without_SmallFishA.json'))
test_dataloader = dict(dataset=dict(selection='test_tracks_SmallFishA.json'))
test_evaluator = dict(selection='data/fishbowl/test_tracks_SmallFishA.json')
