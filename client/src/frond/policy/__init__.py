"""What the client decides, without a byte of input or output: deadlines, retries, requests, answers, photos."""
