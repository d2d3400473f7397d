"""Signing in and out, and everything else about one's own account: django-allauth's views in our clothes.

Included at the top level without a name space, since allauth's views and mails ask for these names.
"""

from allauth.account import views
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("accounts/login/", RedirectView.as_view(pattern_name="account_login", query_string=True)),
    path("accounts/logout/", RedirectView.as_view(pattern_name="account_logout")),
    path("accounts/", include("allauth.urls")),
    # Last, so that these are the addresses that the names lead to.
    path("sign-in/", views.login, name="account_login"),
    path("sign-out/", views.logout, name="account_logout"),
]
