"""Telling that a part of the background work is alive: once a minute, after it did its work."""

from django.utils import timezone

from leads.models import Heartbeat


def beat(name: str) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now()})
