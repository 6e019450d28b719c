"""SaVos that has not seen MediumFishB, to be tested on it alone (Table 2).

data    python tools/select_tracks.py data/fishbowl/train.json --rule savos-train \
            --without-species MediumFishB --out data/fishbowl/train_tracks_without_MediumFishB.json
        likewise of val.json; and of test.json with --rule savos-test --species MediumFishB

train   python tools/train.py configs/savos/given_fishbowl_without-MediumFishB.py
test    python tools/test.py configs/savos/given_fishbowl_without-MediumFishB.py CHECKPOINT \
            --eval mIoU
"""
_base_ = '../savos_given_fishbowl.py'
train_dataloader = dict(dataset=dict(selection='train_tracks_without_MediumFishB.json'))
val_dataloader = dict(dataset=dict(selection='val_tracks_without_MediumFishB.json'))
test_dataloader = dict(dataset=dict(selection='test_tracks_MediumFishB.json'))
test_evaluator = dict(selection='data/fishbowl/test_tracks_MediumFishB.json')
