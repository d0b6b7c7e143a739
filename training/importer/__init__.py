"""Another ONNX classifier → a release of ours: checked, wrapped, calibrated, loaded, switched to. Needs no torch."""
