# Weights of the classes of SAIL-VOS, in label order, and of the background in the cross-entropy of
# box heads. Only the released code of VATrack has them, not the paper. A config takes them by
#   bbox_head=dict(loss_cls=dict(class_weight=_base_.class_weight))
class_weight = [
    0.1,  # person
    0.8,  # car
    12.5,  # motorcycle
    7.0,  # truck
    15.5,  # bird
    16.0,  # dog
    9.5,  # handbag
    20.8,  # suitcase
    0.9,  # bottle
    0.9,  # cup
    3.5,  # bowl
    0.8,  # chair
    1.5,  # potted plant
    17.8,  # bed
    1.9,  # dining table
    3.4,  # tv
    104.0,  # laptop
    4.4,  # cell phone
    1.8,  # bag
    1.4,  # bin
    0.35,  # box
    0.8,  # door
    1.3,  # road barrier
    3.3,  # stick
    1.0,  # background
]
