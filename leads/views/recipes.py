from django.http import HttpRequest, HttpResponse


def run(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def index(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def create(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def edit(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def delete(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()
