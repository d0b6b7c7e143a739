"""Photo → tensor, logits → diagnosis. Pure functions that import nothing of ours; they train, calibrate and serve.

Nothing is imported here: the gateway needs `preprocess.header`, which is plain Python, and neither NumPy nor a decoder.
"""
