"""Photos sent ahead: signed URLs, and the local disk behind them."""
