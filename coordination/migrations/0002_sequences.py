from django.db import migrations


class Migration(migrations.Migration):
    """The fence of every grant, and the order of arrival in the queue: rising numbers, read after the locks.

    Presence is written all the time: half a page is left free, so that a new version stays beside the old one.
    """

    dependencies = [("coordination", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE coordination_fence; CREATE SEQUENCE coordination_arrival",
            "DROP SEQUENCE coordination_fence; DROP SEQUENCE coordination_arrival",
        ),
        migrations.RunSQL(
            "ALTER TABLE coordination_instance SET (fillfactor = 50)",
            "ALTER TABLE coordination_instance RESET (fillfactor)",
        ),
    ]
