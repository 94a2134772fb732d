"""The product's addresses, and one that raises whatever is asked for."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from kartra_admin.lib import errors
from leads.providers import errors as provider_errors


def fail(request: HttpRequest, name: str) -> HttpResponse:
    kind = getattr(errors, name, None) or getattr(provider_errors, name, None) or ZeroDivisionError
    raise kind("Sentence <b>for</b> the person.")


urlpatterns = [path("fail/<name>/", fail), path("", include("kartra_admin.urls"))]
