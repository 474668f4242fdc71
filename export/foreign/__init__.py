"""A network that was trained elsewhere, as ONNX or as a PyTorch module → what a bundle is made of."""
