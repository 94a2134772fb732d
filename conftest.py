"""Loads the plugin that decides which tests belong to a run."""

pytest_plugins = ["tests.lanes"]
