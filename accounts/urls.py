"""The team, the audit log, my profile."""

from django.urls import path

from accounts.views import audit, profile, team

app_name = "accounts"

urlpatterns = [
    path("profile/", profile.edit, name="profile"),
    path("team/", team.index, name="team"),
    path("team/add/", team.add, name="team-add"),
    path("team/<int:user_id>/", team.edit, name="team-edit"),
    path("team/<int:user_id>/deactivate/", team.deactivate, name="team-deactivate"),
    path("team/<int:user_id>/reactivate/", team.reactivate, name="team-reactivate"),
    path("team/<int:user_id>/link/", team.link, name="team-link"),
    path("audit/", audit.index, name="audit"),
    path("audit/<int:entry_id>/", audit.detail, name="audit-entry"),
]
