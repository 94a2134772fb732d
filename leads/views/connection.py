from django.http import HttpRequest, HttpResponse


def mine(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def remove_mine(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def of_user(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()


def remove_of_user(request: HttpRequest, **kwargs: object) -> HttpResponse:
    return HttpResponse()
