from django.http import HttpRequest, HttpResponse


def detail(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def undo(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def settle(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def decide(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()
