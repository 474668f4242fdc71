"""From a PyTorch network to the graphs that a device runs: ONNX, quantized, for TensorRT."""
