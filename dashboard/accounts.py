"""How people sign in: e-mail and password through django-allauth; sign-up only where the deployment allows it."""

from typing import Any

from allauth.account import forms
from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up unless OPEN_SIGNUP is set."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.OPEN_SIGNUP)


class _PlainFields:
    """Fields with a label above and no text of their own inside, which would vanish on typing."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class SignInForm(_PlainFields, forms.LoginForm):
    """E-mail and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remember"].label = "Stay signed in"


class SignUpForm(_PlainFields, forms.SignupForm):
    """A new account, where sign-up is open."""


class ResetPasswordForm(_PlainFields, forms.ResetPasswordForm):
    """Asks for the address a link to a new password goes to."""


class ResetPasswordKeyForm(_PlainFields, forms.ResetPasswordKeyForm):
    """The new password, behind that link."""


class ChangePasswordForm(_PlainFields, forms.ChangePasswordForm):
    """The old and the new password."""
