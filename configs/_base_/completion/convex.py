# The convex hull of each visible mask ("Convex" of the SaVos paper): a rule, nothing to train.
model = dict(
    type='TrackCompleter',
    completer=dict(type='ConvexHull'),
    objective=None,
    order=None,
    compose='occluders',
    threshold=0.5)
