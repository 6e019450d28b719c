"""Means of validation losses, by which a checkpoint can be chosen."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from vatrack.registry import METRICS


@METRICS.register_module()
class MeanLoss(BaseMetric):
    """Mean of the losses of all clips, and of their sum, as ``loss``.

    SaVos (Yao et al., NeurIPS 2022, Sec. 4) keeps the weights of the lowest
    self-supervised loss: no amodal truth takes part in the choice.
    ``save_best='val/loss', rule='less'`` of the checkpoint hook does it.
    """

    default_prefix = 'val'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take losses of batches: ``losses`` by name, means over ``count`` clips."""
        self.results += [(sample['losses'], sample['count']) for sample in data_samples]

    def compute_metrics(self, results: list[tuple[dict[str, float], int]]) -> dict[str, float]:
        """Means over all clips."""
        total = sum(count for _, count in results)
        means = {name: sum(losses[name] * count for losses, count in results) / total
                 for name in results[0][0]}
        return means | {'loss': sum(value for name, value in means.items() if 'loss' in name)}
