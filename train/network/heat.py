"""Middles of cells as a map of heat, which networks that find cells learn: its loss."""

from __future__ import annotations

import torch
from torch import Tensor


def heat_loss(logits: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """The focal loss of Zhou, Wang and Krähenbühl (Objects as Points, 2019), by the number of middles."""
    share = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    peak = (wanted > 0.95).float() * known
    near = (1 - wanted) ** 4 * (1 - peak) * known
    loss = -(peak * (1 - share) ** 2 * share.log() + near * share**2 * (1 - share).log())
    return loss.sum() / peak.sum().clamp(min=1)
