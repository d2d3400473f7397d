from django.db import migrations


class Migration(migrations.Migration):
    """The fence of every grant, and the order of arrival in the queue: rising numbers, read after the locks."""

    dependencies = [("coordination", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE coordination_fence; CREATE SEQUENCE coordination_arrival",
            "DROP SEQUENCE coordination_fence; DROP SEQUENCE coordination_arrival",
        )
    ]
