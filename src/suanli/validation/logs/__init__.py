"""Logs of training runs and exports of their devices: read by what they hold, and held against predictions."""
