"""A form that counts once: sending it again (reload, back and forth) does not make a second thing.

A page that shows a secret cannot redirect, since the secret would have to be kept somewhere; so it answers the POST
itself, and a reload sends that POST again.
"""

import secrets

from django.http import HttpRequest

_KEY = "forms_not_sent"
_KEPT = 10


def issue(request: HttpRequest) -> str:
    """A fresh number for a form that is about to be shown."""
    number = secrets.token_urlsafe(9)
    request.session[_KEY] = [*request.session.get(_KEY, []), number][-_KEPT:]
    return number


def take(request: HttpRequest, number: str) -> bool:
    """Whether this form is sent for the first time."""
    waiting = list(request.session.get(_KEY, []))
    if number not in waiting:
        return False
    waiting.remove(number)
    request.session[_KEY] = waiting
    return True
