from django.http import HttpRequest, HttpResponse


def find(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def create(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def detail(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def edit(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def money(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def activity(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def notes(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def change(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()
