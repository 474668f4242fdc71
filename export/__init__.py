"""From a training run to what the device runs: ONNX, parity, bundles."""
