"""Registries of vatrack: children of mmdet's, so configs need no prefix for either.

Every registry that a config can name has its child here, also those that
vatrack adds nothing to: mmengine looks a type up from the config's scope.
"""
from mmdet import registry as mmdet_registry
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import Registry


def _child(parent: Registry, *folders: str) -> Registry:
    # A registry imports its own modules when it is asked for a name, not those of its parents.
    # Without mmdet's, a config's Resize would be mmcv's, which leaves masks as they are.
    locations = [*(f'vatrack.{folder}' for folder in folders), *parent._locations]
    return Registry(parent.name, parent=parent, scope='vatrack', locations=locations)


MODELS = _child(mmdet_registry.MODELS, 'models', 'track')
TASK_UTILS = _child(mmdet_registry.TASK_UTILS, 'datasets')
DATASETS = _child(mmdet_registry.DATASETS, 'datasets')
DATA_SAMPLERS = _child(mmdet_registry.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(mmdet_registry.TRANSFORMS, 'datasets')
METRICS = _child(mmdet_registry.METRICS, 'evaluation')
EVALUATOR = _child(mmdet_registry.EVALUATOR, 'evaluation')
HOOKS = _child(mmdet_registry.HOOKS, 'engine')
FUNCTIONS = _child(MMENGINE_FUNCTIONS, 'engine', 'datasets')
RUNNERS = _child(mmdet_registry.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(mmdet_registry.RUNNER_CONSTRUCTORS, 'engine')
LOOPS = _child(mmdet_registry.LOOPS, 'engine')
LOG_PROCESSORS = _child(mmdet_registry.LOG_PROCESSORS, 'engine')
OPTIMIZERS = _child(mmdet_registry.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(mmdet_registry.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmdet_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(mmdet_registry.PARAM_SCHEDULERS, 'engine')
MODEL_WRAPPERS = _child(mmdet_registry.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(mmdet_registry.WEIGHT_INITIALIZERS, 'models')
VISUALIZERS = _child(mmdet_registry.VISUALIZERS, 'visualization')
VISBACKENDS = _child(mmdet_registry.VISBACKENDS, 'visualization')
