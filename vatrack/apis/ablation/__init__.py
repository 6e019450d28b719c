"""Many configs, several seeds, one table: train and test them all, one after the other.

A run is a config with a seed. Its folder, ``OUT/CONFIG/seedS``, holds what training and testing
leave there, their output in ``train.log`` and ``test.log``, and ``run.json``, which says what is
done. A study that was stopped goes on when it is started again.
"""
from .execute import RunCommand, perform, perform_all, run_logged
from .numbers import measured_rows
from .study import AblationError, Run, Study, find_configs, next_step, plan

__all__ = [
    'AblationError', 'Run', 'RunCommand', 'Study', 'find_configs', 'measured_rows', 'next_step',
    'perform', 'perform_all', 'plan', 'run_logged'
]
