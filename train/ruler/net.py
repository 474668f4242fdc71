"""The network that reads how large red cells are."""

from __future__ import annotations

from torch import Tensor, nn

from edge.optics.ruler import BINS

_FIRST, _WIDTH, _POOLED, _HIDDEN = 16, 24, 64, 48
_DILATIONS = (1, 2, 4)


def _block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class RulerNet(nn.Module):
    """Tiles to what they say of their red cells' diameter.

    (n, 4, h, w) float32, normalised pictures and 1 where there is picture, to (n, 1 + BINS) logits: no red
    cells, then their diameters, those beyond the range in the first and last bin.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_block(4, _FIRST, 2), _block(_FIRST, _WIDTH, 2))
        self.body = nn.ModuleList(_block(_WIDTH, _WIDTH, dilation=d) for d in _DILATIONS)
        self.places = nn.Sequential(nn.Conv2d(_WIDTH, _POOLED, 1), nn.ReLU(inplace=True))
        hidden = nn.Linear(_POOLED, _HIDDEN)
        self.head = nn.Sequential(hidden, nn.ReLU(inplace=True), nn.Linear(_HIDDEN, 1 + BINS))

    def forward(self, tiles: Tensor) -> Tensor:
        x = self.stem(tiles)
        seen = tiles[:, 3:, 2::4, 2::4]
        for block in self.body:
            x = x + block(x)
        pooled = (self.places(x) * seen).sum(dim=(2, 3)) / seen.sum(dim=(2, 3)).clamp(min=1.0)
        logits: Tensor = self.head(pooled)
        return logits
