"""Holds for every test: hypothesis draws without a deadline, since speeds are shown by benchmarks, never by tests."""

from hypothesis import settings

settings.register_profile("suanli", deadline=None)
settings.load_profile("suanli")
