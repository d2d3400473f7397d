"""Addresses that Django answers: the API for signed-in browsers, accounts, the dashboard."""

from django.urls import include, path, re_path

from coordination.api.session import SessionView

urlpatterns = [
    re_path(r"^api/v1/", SessionView.as_view(), name="api"),
    path("", include("dashboard.account_urls")),
    path("", include("dashboard.urls")),
]
