"""A new release on a share of the traffic, which is taken back by itself when it does worse."""
