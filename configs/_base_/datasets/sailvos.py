# Training on SAIL-VOS-cut, testing on the uncut videos, as the paper does with all its models: jump
# cuts prevent convergence of video-based methods (VATrack supplement, section D).
_base_ = './sailvos-cut.py'
test_ann = 'sailvos_complete_json/joint/valid.json'
test_dataloader = dict(
    dataset=dict(ann_file=test_ann, data_prefix=dict(img_path='sailvos_complete_png/')))
test_evaluator = dict(ann_file='data/' + test_ann)
