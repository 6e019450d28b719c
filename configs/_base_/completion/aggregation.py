# Visible masks of k frames before and after, carried along by flow (SaVos paper, supplement,
# Algorithm 1): a rule, nothing to train. Its Table 4 has k = 5 and k = 3, model.completer.k=3.
model = dict(
    type='TrackCompleter',
    completer=dict(type='TemporalAggregation', k=5),
    objective=None,
    order=None,
    compose='occluders',
    threshold=0.5)
