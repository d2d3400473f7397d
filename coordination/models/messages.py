"""Messages between agents and people. Delivery is the ledger's: this row is the text, the event is the news."""

from typing import ClassVar

from django.db import models

from tenants.models import TenantForeignKey, TenantModel


class Message(TenantModel):
    """One message. ``recipient`` is ``ins:<uuid>``, ``agt:<uuid>`` or ``all``, as in the ledger."""

    PREFIX = "msg"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False)
    sender_kind = models.CharField(max_length=20)
    sender_id = models.CharField(max_length=60)
    sender_name = models.CharField(max_length=200)
    instance_id = models.UUIDField(null=True)
    agent_name = models.CharField(max_length=80, blank=True)
    door = models.CharField(max_length=20)
    recipient = models.CharField(max_length=60)
    to = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    text = models.TextField()
    thread_id = models.UUIDField()
    reply_to = models.UUIDField(null=True)
    ack_required = models.BooleanField(default=False)
    importance = models.CharField(max_length=10, default="normal")
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "project", "id"], name="message_by_project"),
            models.Index(fields=["team", "thread_id", "id"], name="message_by_thread"),
        ]


class Receipt(TenantModel):
    """An instance acknowledged a message."""

    PREFIX = "rcp"

    message = TenantForeignKey("coordination.Message", on_delete=models.CASCADE, db_index=False)
    instance_id = models.UUIDField()
    agent_name = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "message", "instance_id"], name="receipt_once")
        ]
