"""Kartra's posts. The address is the secret; who does not know it learns nothing here."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from kartra_admin.middleware import body_length
from leads.services import events
from leads.services.events import Receipt

_STATUS = {
    Receipt.KEPT: 200,
    Receipt.DOUBLE: 200,
    Receipt.FLOOD: 429,
    Receipt.TOO_LONG: 413,
    Receipt.UNREADABLE: 400,
    Receipt.WRONG_TYPE: 415,
    Receipt.WRONG_KEY: 403,
}


@csrf_exempt
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    """Take in one post and answer at once, with nothing but a status."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    hook = events.find_hook(secret)
    if hook is None:
        return HttpResponse(status=404)
    if refused := events.refuse_unread(hook, body_length(request)):
        return _answer(refused)
    try:
        body = request.body
    except UnreadablePostError:  # it broke off
        return HttpResponse(status=400)
    return _answer(events.receive(hook, body, request.headers.get("Content-Type", "")))


def _answer(receipt: Receipt) -> HttpResponse:
    return HttpResponse(status=_STATUS[receipt], headers={"Retry-After": "60"} if receipt is Receipt.FLOOD else {})
