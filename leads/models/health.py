"""Signs of life of what runs in the background."""

from django.db import models


class Heartbeat(models.Model):
    """When a part last ended what it does every minute. ``name``: one of the two below."""

    WORKER, RECONCILIATION = "worker", "reconciliation"

    name = models.CharField(max_length=30, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
