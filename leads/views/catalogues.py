from django.http import HttpRequest, HttpResponse


def index(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def refresh(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def create_field(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()
