"""The dashboard's pages. Sign-in and the account pages are in dashboard.account_urls (allauth needs its own names)."""

from django.urls import path

from dashboard.views import home, project, tokens

app_name = "dashboard"

urlpatterns = [
    path("", home.home, name="home"),
    path("t/<str:team>/p/<str:project>/", project.overview, name="project"),
    path("t/<str:team>/settings/tokens/", tokens.index, name="tokens"),
    path("t/<str:team>/settings/tokens/<str:token>/revoke/", tokens.revoke, name="token_revoke"),
]
